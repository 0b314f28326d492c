#include <fmt/format.h>

#include <memory>

#include "explain.h"
#include "fovea/core/text.h"
#include "fovea/data/pictures.h"
#include "fovea/explain/overlay.h"
#include "fovea/explain/receptive_field.h"
#include "fovea/images/samples.h"
#include "fovea/runtime/eval.h"

namespace fovea::cli {
namespace {

struct ExplainReceptiveFieldFlags : ExplainFlags {
  std::string position;
  bool chart = false;
};

/// The ends of a box: top, left, bottom and right of images; first and last of one axis; front and
/// back, too, of three.
Json to_json(const explain::FieldBox& box) {
  if (box.axes() == 1) return {{"first", box.first[0]}, {"last", box.last[0]}};
  constexpr std::string_view firsts[] = {"front", "top", "left"},
                             lasts[] = {"back", "bottom", "right"};
  Json document = Json::object();
  for (size_t axis = 0; axis < box.axes(); ++axis) {
    document[std::string(firsts[axis + 3 - box.axes()])] = box.first[axis];
    document[std::string(lasts[axis + 3 - box.axes()])] = box.last[axis];
  }
  return document;
}

std::optional<std::vector<int64_t>> parsed_position(const std::string& text, size_t axes) {
  if (text.empty()) return std::nullopt;
  const std::vector<std::string> parts = split(text, ',');
  std::vector<int64_t> numbers;
  for (const std::string& part : parts) {
    const std::optional<double> number = parse_number(part);
    if (number && *number >= 0 && *number <= 1e9 &&
        *number == static_cast<double>(int64_t(*number)))
      numbers.push_back(static_cast<int64_t>(*number));
  }
  if (numbers.size() == axes && parts.size() == axes) return numbers;
  throw Error(ErrorKind::usage, fmt::format("--position: \"{}\" is not a position", text))
      .with("expected", axes == 1   ? "a step of time, counted from 0"
                        : axes == 2 ? "Y,X, counted from 0, such as 8,8"
                                    : "Z,Y,X, counted from 0, such as 4,8,8");
}

/// The images, if any are given: here they are not required.
std::vector<Subject> optional_subjects(const ExplainReceptiveFieldFlags& flags,
                                       const Predictor& predictor) {
  if (flags.images.empty() && !flags.input.ends_with(".npy")) return {};
  return subjects(flags, predictor);
}

/// The input as numbers, normalised.
Array normalized_values(const Subject& subject, const Predictor& predictor) {
  const Normalization normalization = predictor.normalization();
  if (subject.input.dtype() == DType::f32 && !normalization.numbers) return subject.input;
  return eval([&](const Tensors& t) { return Tensors{normalized(t[0], normalization)}; },
              {subject.input})[0];
}

/// What the net sees of it; for a model with a modality what that draws, of one or three axes with
/// the map over it.
Image seen(const Subject& subject, const explain::FieldMap& field, const Predictor& predictor) {
  const data::Modality* modality = predictor.modality();
  const Array map = explain::drawn_map(field.gradient, explain::Family::saliency);
  const Array one = subject.one();
  if (field.box.axes() != 2) {
    const bool own = modality != nullptr && one.shape() == modality->input().shape;
    return own ? modality->picture(one, &map) : data::numbers_picture(one, &map);
  }
  if (!is_pixel(subject.input.dtype()) || subject.input.shape().rank() != 4) return subject.picture;
  return to_8_bits(to_picture(subject.input.reshaped(subject.input.shape().slice(1))));
}

int run(const ExplainReceptiveFieldFlags& flags, Console& console) {
  prepare_output(flags, console);
  const bool sized = !flags.input.empty() && !flags.input.ends_with(".npy");
  const std::optional<Shape> size =
      sized ? std::optional(parse_sizes("--input", flags.input)) : std::nullopt;
  const auto predictor = load_explained(flags, console, size);
  const std::vector<Subject> given = optional_subjects(flags, *predictor);
  if (given.size() > 1 || (sized && !given.empty())) {
    throw Error(ErrorKind::usage, "explain receptive-field: more than one input is given")
        .with(predictor->noun(2), std::to_string(given.size()))
        .with("--input", flags.input.empty() ? "none" : flags.input);
  }
  Shape input = size.value_or(predictor->input());
  explain::FieldTarget target{.layer = flags.layer};
  if (!flags.target.empty()) {
    if (!flags.layer.empty() || !flags.position.empty()) {
      throw Error(ErrorKind::usage, "--class cannot be given together with --layer or --position")
          .with("class", "its gradient is of an output of the net, which has no position");
    }
    target.output = class_index(flags.target, *predictor);
  }
  Array values;
  if (!given.empty()) {
    values = normalized_values(given[0], *predictor);
    input = values.shape().slice(1);
  }
  if (input.rank() > 1)
    target.position = parsed_position(flags.position, static_cast<size_t>(input.rank()) - 1);
  const data::Modality* modality = predictor->modality();
  const explain::FieldMap field = explain::measure_field(
      predictor->model(), predictor->state(), input, target,
      target.output && !given.empty() ? &values : nullptr, static_cast<uint64_t>(flags.seed),
      modality != nullptr && modality->masks());
  const std::string name = "receptive-field-" + field.layer;
  const Image picture = given.empty() ? Image{} : seen(given[0], field, *predictor);
  const std::string png =
      deliver(flags, console, name,
              explain::field_picture(field, {.picture = given.empty() ? nullptr : &picture,
                                             .upward = modality != nullptr && modality->upward()}));
  const std::string npy = deliver_raw(flags, name, field.gradient);
  Json document{{"layer", field.layer}};
  if (target.output) {
    document["class"] = class_name(*target.output, *predictor);
  } else {
    document["position"] = field.position;
  }
  document["box"] = to_json(field.box);
  document["effective"] = {
      {"box", to_json(field.effective)}, {"share", field.share}, {"energy", field.energy}};
  document["png"] = png;
  if (!npy.empty()) document["npy"] = npy;
  console.result(fmt::format("{}{}\n  field                {}\n  95 % of the energy   {}\n",
                             field.layer,
                             target.output ? " " + class_name(*target.output, *predictor)
                                           : fmt::format(" at {}", fmt::join(field.position, ",")),
                             explain::box_text(field.box), explain::box_text(field.effective)));
  if (!png.empty()) console.result(png + "\n");
  if (flags.chart) {
    const auto stages = explain::field_stages(predictor->model(), input);
    const std::string chart = deliver(flags, console, "stages", explain::stages_picture(stages));
    Json list = Json::array();
    std::vector<std::vector<std::string>> lines;
    for (const explain::FieldStage& stage : stages) {
      list.push_back({{"layer", stage.layer}, {"field", stage.field}, {"size", stage.size}});
      lines.push_back({stage.layer, std::to_string(stage.field), std::to_string(stage.size)});
    }
    document["stages"] = list;
    document["chart"] = chart;
    console.result("\n" + table({"layer", "field", "size"}, lines, "lrr"));
    if (!chart.empty()) console.result(chart + "\n");
  }
  console.document(document);
  return 0;
}

}  // namespace

void add_explain_receptive_field(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainReceptiveFieldFlags>();
  flags->add_model(
      commands.add(group, "receptive-field",
                   "Measure and draw which pixels, steps or voxels a layer or a class depends on",
                   [flags](Console& console) { return run(*flags, console); }));
  flags->add_images(
      "Size of the random inputs, CxHxW, CxL or CxDxHxW; or, instead of a file, numbers as the net "
      "takes them, f32 N, C, spatial..., in X.npy");
  Command& command = flags->command;
  flags->add_layer("Which layer; the last one that has positions by default");
  command.text("--position", flags->position, "Which position of its output; the middle by default",
               "Y,X|T|Z,Y,X");
  flags->add_class(
      "Instead of a layer: an output of the net; its gradient is that of the input, if "
      "one is given");
  command.flag("--chart", flags->chart,
               "Also draw the receptive field and the size of maps, stage by stage");
  flags->add_out("Also a .npy file: the gradient map, f32 of the spatial axes");
  command.footer(
      "The gradient is measured on random inputs; an image is drawn below the map, a curve, clip "
      "or "
      "volume above it.");
}

}  // namespace fovea::cli
