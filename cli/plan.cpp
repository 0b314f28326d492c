#include "fovea/train/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "commands.h"
#include "fovea/core/parallel.h"
#include "fovea/core/process.h"
#include "fovea/data/synthetic.h"
#include "fovea/train/precision.h"
#include "model.h"
#include "settings_flags.h"

namespace fovea::cli {
namespace {

struct PlanFlags {
  SettingsFlags settings;
  std::string memory;
  double measure = 5;
};

size_t parse_memory(const std::string& text) {
  const std::optional<size_t> bytes = parse_bytes(text);
  if (bytes && *bytes > 0) return *bytes;
  throw Error(ErrorKind::usage, fmt::format("--memory: \"{}\" is not an amount of memory", text))
      .with("expected", "a number and K, M, G or T, such as 2G or 800M");
}

/// Synthetic noise images of the size given by --input. Without --limit their number is arbitrary,
/// and so is the size of the last batch.
train::Setup without_data(train::Settings settings) {
  const int64_t images = std::max<int64_t>(100'000, 2 * settings.batch);
  if (settings.limit == 0) settings.drop_last = true;
  const Shape input = parse_sizes("--input", settings.input);
  models::Options options;
  options.input = input;
  options.net = settings.net;
  const models::Config config = models::configure(settings.model, options);
  std::vector<std::string> names;
  for (int64_t i = 0; i < config.outputs; ++i) names.push_back(std::to_string(i));
  const auto set = [&](int64_t size) {
    return std::make_shared<data::Noise>(size, config.input, data::class_targets(names));
  };
  data::DataSets sets{"synthetic", set(settings.limit > 0 ? settings.limit : images), set(1)};
  if (config.input.rank() == 3) settings.input = sizes_text(config.input);
  if (config.input.rank() != 3) settings.input.clear();
  const auto channels = static_cast<size_t>(config.input[0]);
  // Not measured, since the images are noise.
  const Preprocessing known{.channels = static_cast<int>(channels),
                            .resize = {},
                            .mean = std::vector<double>(channels, 0.5),
                            .std = std::vector<double>(channels, 0.25)};
  return {settings, std::move(sets), known};
}

/// A plan and the run that it is for.
struct Answer {
  const train::Setup& setup;
  bool data = true;  ///< not synthetic: the number of images is meaningful
  train::Plan plan;
  train::Plan other;  ///< with --recompute if `plan` is without, and the other way round
  size_t limit = 0;
  std::optional<train::Plan> largest;
  std::optional<train::Speed> speed;
};

using Row = std::pair<const char*, size_t>;

std::vector<Row> rows(const train::MemoryUse& use) {
  return {{"weights", use.weights}, {"gradients", use.gradients}, {"moments", use.moments},
          {"arena", use.arena},     {"packed", use.packed},       {"loader", use.loader},
          {"data", use.data},       {"program", use.program}};
}

Json to_json(const train::MemoryUse& use) {
  Json document = Json::object();
  for (const auto& [name, bytes] : rows(use)) document[name] = bytes;
  return document;
}

/// What --recompute saves and costs.
struct Recompute {
  bool on = false;
  size_t saved = 0;        ///< bytes of the arena
  double saved_share = 0;  ///< of it
  double added_flops = 0;  ///< as a share
};

Recompute recompute_of(const Answer& a) {
  const bool on = a.setup.settings.recompute;
  const train::Plan &less = on ? a.plan : a.other, &more = on ? a.other : a.plan;
  const size_t all = more.memory.arena, saved = all - std::min(all, less.memory.arena);
  return {on, saved, all > 0 ? static_cast<double>(saved) / static_cast<double>(all) : 0,
          more.flops > 0 ? less.flops / more.flops - 1 : 0};
}

Json to_json(const Recompute& r) {
  return {{"on", r.on},
          {"saved_arena_bytes", r.saved},
          {"saved_arena_share", r.saved_share},
          {"added_flops_share", r.added_flops}};
}

std::string to_text(const Recompute& r) {
  return fmt::format("--recompute    {} {} of the arena ({:.0f}%), for {:.0f}% more operations\n",
                     r.on ? "saves" : "would save", bytes_text(r.saved), 100 * r.saved_share,
                     100 * r.added_flops);
}

Json to_json(const Answer& a) {
  const train::Settings& s = a.setup.settings;
  Json document{{"model", s.model},
                {"input", sizes_text(a.setup.config.input)},
                {"classes", a.setup.task->outputs()},
                {"batch", a.plan.batch},
                {"precision", s.precision},
                {"threads", s.threads},
                {"train_images", a.data ? Json(a.setup.split.train->size()) : Json(nullptr)},
                {"val_images", a.data ? Json(a.setup.split.val->size()) : Json(nullptr)},
                {"peak_memory_bytes", a.plan.peak},
                {"memory", to_json(a.plan.memory)},
                {"arena_lower_bound", a.plan.arena_lower_bound},
                {"recompute", to_json(recompute_of(a))},
                {"memory_limit_bytes", a.limit},
                {"largest_batch", nullptr},
                {"seconds_per_epoch", nullptr},
                {"images_per_second", nullptr}};
  if (a.largest) {
    document["largest_batch"] = {{"batch", a.largest->batch},
                                 {"peak_memory_bytes", a.largest->peak},
                                 {"memory", to_json(a.largest->memory)}};
  }
  if (a.speed) {
    const train::Speed& v = *a.speed;
    document["images_per_second"] = v.images_per_second;
    document["measured"] = {{"steps", v.steps}, {"images", v.images}, {"seconds", v.seconds}};
    if (a.data) {
      document["seconds_per_epoch"] = v.training_seconds + v.validation_seconds;
      document["training_seconds"] = v.training_seconds;
      document["validation_seconds"] = v.validation_seconds;
    }
  }
  return document;
}

std::string memory_text(const train::Plan& plan) {
  const train::MemoryUse& use = plan.memory;
  const Row lines[] = {
      {"weights and buffers", use.weights},
      {"gradients", use.gradients},
      {"optimizer moments", use.moments},
      {"arena: activations, scratch", use.arena},
      {"weights packed for validation", use.packed},
      {"batches loaded ahead", use.loader},
      {"data set", use.data},
      {"program and libraries", use.program},
  };
  std::vector<std::vector<std::string>> cells;
  for (const auto& [name, bytes] : lines) {
    if (bytes == 0) continue;
    cells.push_back({name, bytes_text(bytes),
                     fmt::format("{:.1f}%", 100 * static_cast<double>(bytes) /
                                                static_cast<double>(use.total()))});
  }
  if (plan.peak > use.total())
    cells.push_back({"additional at start or end", bytes_text(plan.peak - use.total()), ""});
  cells.push_back({"peak", bytes_text(plan.peak), ""});
  return table({"memory", "", ""}, cells, "lrr");
}

std::string largest_text(const Answer& a) {
  if (!a.largest) {
    return fmt::format("largest batch  none: even the smallest takes more than {}\n",
                       bytes_text(a.limit));
  }
  const bool all = a.data && a.largest->batch == a.setup.split.train->size();
  return fmt::format("largest batch  {}{}, peak {} of {}\n", grouped(a.largest->batch),
                     all ? " (all)" : "", bytes_text(a.largest->peak), bytes_text(a.limit));
}

std::string speed_text(const Answer& a) {
  if (!a.speed) return "";
  const train::Speed& v = *a.speed;
  std::string text;
  if (a.data) {
    text = fmt::format("an epoch       {} ({} training, {} validating)\n",
                       duration_text(v.training_seconds + v.validation_seconds),
                       duration_text(v.training_seconds), duration_text(v.validation_seconds));
  }
  return text + fmt::format("speed          {:.1f} samples/s, measured on {} steps in {:.1f} s\n",
                            v.images_per_second, v.steps, v.seconds);
}

std::string to_text(const Answer& a) {
  const train::Settings& s = a.setup.settings;
  std::string text = fmt::format("model          {}, {} parameters, input {}, {} outputs\n",
                                 s.model, grouped(count_parameters(*a.setup.model)),
                                 sizes_text(a.setup.config.input), a.setup.task->outputs());
  text +=
      a.data ? fmt::format("data           {}: {} to train, {} to validate\n", s.data,
                           grouped(a.setup.split.train->size()), grouped(a.setup.split.val->size()))
             : "data           synthetic\n";
  text += fmt::format("batch          {}, {}, {}, {} threads\n\n", grouped(a.plan.batch),
                      s.optimizer, s.precision, s.threads);
  return text + memory_text(a.plan) + "\n" +
         fmt::format("arena          {} of it in use at once\n",
                     bytes_text(a.plan.arena_lower_bound)) +
         to_text(recompute_of(a)) + largest_text(a) + speed_text(a);
}

int run(const PlanFlags& flags, Console& console) {
  const train::Settings settings = flags.settings.for_trial(console);
  const bool data = flags.settings.given("data") || !flags.settings.given("input");
  const MemoryLimits limits = memory_limits();
  const size_t limit = flags.memory.empty() ? limits.available : parse_memory(flags.memory);

  train::Setup setup = data ? train::Setup(settings) : without_data(settings);
  if (settings.precision == "auto" && flags.measure > 0)
    console.note(train::choose_precision(setup).note);
  Answer answer{.setup = setup,
                .data = data || settings.limit > 0,
                .plan = {},
                .other = {},
                .limit = limit,
                .largest = {},
                .speed = {}};
  {
    train::Planner planner(setup);
    answer.plan = planner.at(settings.batch);
    answer.largest = planner.largest(limit);
  }
  setup.settings.recompute = !settings.recompute;
  answer.other = train::Planner(setup).at(settings.batch);
  setup.settings.recompute = settings.recompute;
  if (flags.measure > 0 && answer.plan.peak <= limits.available) {
    console.note("measuring for a few seconds ...");
    answer.speed = train::measure_speed(setup, flags.measure);
  } else if (flags.measure > 0) {
    console.note("not measured: it does not fit into the " + bytes_text(limits.available) +
                 " that is free");
  }
  console.document(to_json(answer));
  console.result(to_text(answer));
  return 0;
}

}  // namespace

void add_plan(Commands& commands) {
  const auto flags = std::make_shared<PlanFlags>();
  Command command =
      commands.add(commands.root(), "plan",
                   "What a training run would cost: memory, largest batch, seconds per "
                   "epoch; takes train's settings",
                   [flags](Console& console) { return run(*flags, console); });
  flags->settings.add(command);
  command.text("--memory", flags->memory,
               "Memory limit for the largest batch, such as 2G; the free memory by default",
               "SIZE");
  command.number("--measure", flags->measure,
                 "Seconds for which to measure the speed; 0: do not measure", 0, 3600);
}

}  // namespace fovea::cli
