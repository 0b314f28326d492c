#include <fmt/format.h>

#include <memory>

#include "explain.h"
#include "explain_data.h"
#include "fovea/core/text.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/grid.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/map_layer.h"
#include "fovea/explain/maximize.h"

namespace fovea::cli {
namespace {

struct ExplainMaximizeFlags : ExplainFlags {
  ExplainData data;
  std::string channel, basis = "fourier";
  int64_t steps = 256, jitter = 0, top = 8;
  double blur = 0, rate = 0.05;
};

int64_t channel_of(const std::string& text) {
  const std::optional<double> number = parse_number(text);
  if (number && *number >= 0 && *number < 1e9 && *number == static_cast<double>(int64_t(*number)))
    return static_cast<int64_t>(*number);
  throw Error(ErrorKind::usage, fmt::format("--channel: \"{}\" is not a channel", text))
      .with("expected", "numbers from 0 on, separated by commas");
}

/// What --class, or --layer and --channel, ask for.
std::vector<explain::Goal> goals_of(const ExplainMaximizeFlags& flags, const Predictor& predictor,
                                    const explain::Explainer& explainer) {
  if (flags.target.empty() == flags.layer.empty()) {
    throw Error(ErrorKind::usage, flags.layer.empty()
                                      ? "explain maximize: neither class nor layer is given"
                                      : "explain maximize: --class and --layer together")
        .with("try", "--class NAME for an output, or --layer NAME --channel 0,1,2");
  }
  std::vector<explain::Goal> goals;
  if (!flags.target.empty()) {
    for (const std::string& text : split(flags.target, ','))
      goals.push_back({.channel = class_index(text, predictor)});
    return goals;
  }
  const explain::Explainer::Traced traced = explainer.trace(1, predictor.input());
  const explain::Layer layer = explain::find_layer(traced.input, traced.output, flags.layer);
  if (flags.channel.empty()) {
    for (int64_t k = 0; k < std::min<int64_t>(9, layer.value.dim(1)); ++k)
      goals.push_back({layer.name, k});
    return goals;
  }
  for (const std::string& text : split(flags.channel, ','))
    goals.push_back({layer.name, channel_of(text)});
  return goals;
}

/// How values from 0 to 1 become inputs of files of the model, and pictures.
class Found {
 public:
  explicit Found(const Predictor& predictor)
      : predictor_(predictor), normalization_(predictor.normalization()) {}

  /// How the model sees values from 0 to 1: as colours, or, where its modality makes numbers, from
  /// -2 to 2, which are two deviations.
  Normalization seen() const {
    if (colours()) return {normalization_.mean, normalization_.std};
    return {.mean = {}, .std = {}, .masked = normalization_.masked};
  }
  /// What is written: colours of 0 to 1, or numbers as the modality makes them of files.
  Array values(const Array& found) const {
    if (predictor_.modality() == nullptr || colours()) return found;
    Array result = found.clone();
    const int64_t channels = found.dim(0), each = found.numel() / channels;
    for (int64_t i = 0; i < result.numel(); ++i) {
      const auto channel = static_cast<size_t>(i / each);
      const double value = 4 * found.at(i) - 2;
      if (normalization_.masked && i / each == channels - 1) {
        result.set(i, 1);
      } else if (normalization_.mean.empty()) {
        result.set(i, value);
      } else {
        result.set(i, normalization_.mean[channel] + normalization_.std[channel] * value);
      }
    }
    return result;
  }
  Image picture(const Array& values) const {
    if (predictor_.modality() != nullptr) return predictor_.modality()->picture(values);
    if (values.shape().rank() == 3) return draw::input_image(values, {0, 1});
    return data::numbers_picture(values);
  }

 private:
  /// Whether its inputs are pixels.
  bool colours() const {
    return predictor_.modality() != nullptr ? is_pixel(predictor_.modality()->input().dtype)
                                            : !normalization_.mean.empty();
  }

  const Predictor& predictor_;
  Normalization normalization_;
};

int run(const ExplainMaximizeFlags& flags, Console& console) {
  prepare_output(flags, console);
  const auto predictor = load_explained(flags, console);
  explain::Explainer explainer(*predictor);
  const std::vector<explain::Goal> goals = goals_of(flags, *predictor, explainer);
  const std::optional<Preprocessing>& prepared = predictor->file().preprocessing;
  Shape input = predictor->input();
  if (prepared) input = Shape{prepared->channels, prepared->height, prepared->width};
  const Found shown(*predictor);
  const auto rounds = (std::ssize(goals) + explain::batch_size - 1) / explain::batch_size;
  const std::vector<explain::Maximized> found = explain::maximize(
      explainer, goals, input, shown.seen(),
      {.steps = flags.steps,
       .rate = flags.rate,
       .fourier = flags.basis == "fourier",
       .jitter = flags.command.given("--jitter") ? std::optional(flags.jitter) : std::nullopt,
       .blur = flags.command.given("--blur") ? std::optional(flags.blur) : std::nullopt,
       .seed = static_cast<uint64_t>(flags.seed)},
      [&](int64_t step) {
        console.status(static_cast<double>(step) / static_cast<double>(rounds * flags.steps),
                       fmt::format("step {}", step));
      });

  std::vector<std::vector<explain::Exciting>> exciting;
  std::shared_ptr<const data::Dataset> samples;
  if (!flags.data.data.empty()) {
    samples = flags.data.open(*predictor, console);
    exciting = explain::most_exciting(explainer, goals, *samples, flags.top, [&](int64_t done) {
      console.status(static_cast<double>(done) / static_cast<double>(samples->size()),
                     fmt::format("{} of {} samples", grouped(done), grouped(samples->size())));
    });
  }

  const int side = samples || goals.size() > 9 ? 128 : 256;
  Json list = Json::array();
  std::vector<draw::Tile> tiles;
  std::vector<std::vector<std::string>> lines;
  for (size_t g = 0; g < goals.size(); ++g) {
    const std::string name = goals[g].layer.empty() ? class_name(goals[g].channel, *predictor)
                                                    : fmt::format("channel {}", goals[g].channel);
    const std::string file = goals[g].layer.empty()
                                 ? "class-" + name
                                 : fmt::format("{}-{}", goals[g].layer, goals[g].channel);
    const Array values = shown.values(found[g].image);
    tiles.push_back({thumbnail(shown.picture(values), side), name});
    Json entry{{goals[g].layer.empty() ? "class" : "layer",
                goals[g].layer.empty() ? name : goals[g].layer},
               {goals[g].layer.empty() ? "index" : "channel", goals[g].channel},
               {"before", found[g].before},
               {"after", found[g].after}};
    if (const std::string npy = deliver_raw(flags, file, values); !npy.empty()) entry["npy"] = npy;
    if (samples) {
      Json best = Json::array();
      for (const explain::Exciting& e : exciting[g]) {
        best.push_back({{"sample", samples->name(e.sample)}, {"value", e.value}});
        tiles.push_back(
            {thumbnail(sample_picture(*samples, e.sample), side), fmt::format("{:.3g}", e.value)});
      }
      entry["samples"] = best;
    }
    list.push_back(std::move(entry));
    lines.push_back(
        {name, fmt::format("{:.3f}", found[g].before), fmt::format("{:.3f}", found[g].after)});
  }
  const int columns = samples ? static_cast<int>(exciting[0].size()) + 1 : 0;
  const std::string png =
      deliver(flags, console, "maximize", draw::grid(tiles, {.columns = columns, .scale = 1}));
  console.document({{"goals", list}, {"png", png}});
  console.result(
      table({goals[0].layer.empty() ? "class" : goals[0].layer, "noise", "found"}, lines, "lrr"));
  if (!png.empty()) console.result(png + "\n");
  return 0;
}

}  // namespace

void add_explain_maximize(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainMaximizeFlags>();
  flags->add_model(commands.add(group, "maximize",
                                "Draw the input that a class or channel likes best",
                                [flags](Console& console) { return run(*flags, console); }));
  flags->add_class("Classes, separated by commas");
  flags->add_layer("Instead of classes: channels of this layer");
  flags->command.text("--channel", flags->channel,
                      "Which channels, separated by commas; the first nine by default", "K");
  flags->command.word("--basis", flags->basis,
                      "Search among waves, long ones first, or single pixels, steps or voxels",
                      {"fourier", "pixel"});
  flags->command.count("--steps", flags->steps, "Steps of the search", 1, 100'000);
  flags->command.number("--rate", flags->rate, "Adam's rate", 1e-6, 10);
  flags->command
      .count("--jitter", flags->jitter, "Positions by which each step moves the input", 0, 1000)
      .default_text("a 28th of the longest side");
  flags->command
      .number("--blur", flags->blur,
              "Deviation of the blur at the first step, in positions; none at the last", 0, 100)
      .default_text("a 112th of the longest side");
  flags->data.add(flags->command, "Also show the samples that excite it most");
  flags->command.count("--top", flags->top, "Number of samples to show", 1, 64);
  flags->add_out(
      "Also .npy files: f32 C, spatial..., colours of 0 to 1, or numbers as of the model's files");
}

}  // namespace fovea::cli
