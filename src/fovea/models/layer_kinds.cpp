#include "fovea/models/layer_kinds.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/layers/rows.h"

namespace fovea::models {
namespace {

std::vector<LayerKind> built_in() {
  std::vector<LayerKind> all{
      {.choice = {.name = "Sequential", .help = "A list of layers, `layers`"},
       .example = {R"({ layers = [ "ReLU", "Tanh" ] })", {3, 8, 8}}}};
  for (auto group : {layers::merges, layers::convolutions, layers::norms, layers::activations,
                     layers::pools, layers::shapes, layers::blocks}) {
    for (LayerKind& kind : group()) all.push_back(std::move(kind));
  }
  return all;
}

ChoiceTable<LayerKind>& table() {
  static ChoiceTable<LayerKind> all("layer", built_in());
  return all;
}

/// As it stands in a list: `out_channels`, `stride = 1`, `mode = "nearest"`.
std::string argument_text(const Argument& argument) {
  if (argument.required()) return argument.name;
  if (!argument.follows.empty())
    return fmt::format("{} (default: {})", argument.name, argument.follows);
  const std::string value = to_string(argument.default_value);
  const bool quoted = std::holds_alternative<std::string>(argument.default_value);
  return fmt::format("{} = {}", argument.name, quoted ? '"' + value + '"' : value);
}

}  // namespace

const std::vector<LayerKind>& layer_kinds() { return table().rows(); }

void add_layer(LayerKind kind) { table().add(std::move(kind)); }

const LayerKind& layer_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.choice.name == name) return kind;
    names.push_back(kind.choice.name);
  }
  throw unknown_name("layer type", name, names, ErrorKind::model)
      .with("try", "fovea layers, which lists all");
}

std::string layer_kinds_text() {
  std::string text;
  for (const LayerKind& kind : layer_kinds()) {
    text += fmt::format("{}: {}\n", kind.choice.name, kind.choice.help);
    std::vector<std::string> arguments;
    for (const Argument& argument : kind.choice.arguments)
      arguments.push_back(argument_text(argument));
    if (!arguments.empty()) text += fmt::format("    {}\n", join(arguments));
    if (kind.example.layer.starts_with('{')) text += fmt::format("    {}\n", kind.example.layer);
  }
  return text;
}

}  // namespace fovea::models
