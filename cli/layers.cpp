#include "commands.h"
#include "fovea/models/layer_kinds.h"

namespace fovea::cli {
namespace {

/// As in net.toml: one number applies to all axes.
Json to_json(const ArgumentValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        using Value = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Value, std::vector<int64_t>> ||
                             std::is_same_v<Value, std::vector<double>>) {
          return v.size() == 1 ? Json(v[0]) : Json(v);
        } else {
          return v;
        }
      },
      value);
}

Json to_json(const Argument& argument) {
  Json document{{"name", argument.name},
                {"type", name(argument.type)},
                {"default", to_json(argument.default_value)}};
  if (!argument.follows.empty()) document["follows"] = argument.follows;
  if (argument.type != ArgumentType::flag && argument.type != ArgumentType::word) {
    document["minimum"] = argument.minimum;
    document["maximum"] = argument.maximum;
  }
  if (!argument.words.empty()) document["words"] = argument.words;
  return document;
}

Json to_json(const models::LayerKind& kind) {
  Json arguments = Json::array();
  for (const Argument& argument : kind.choice.arguments) arguments.push_back(to_json(argument));
  const Shape& input = kind.example.input;
  return {{"name", kind.choice.name},
          {"help", kind.choice.help},
          {"example", kind.example.layer},
          {"example_input", std::vector<int64_t>(input.begin(), input.end())},
          {"arguments", arguments}};
}

int run(Console& console) {
  Json document = Json::array();
  for (const models::LayerKind& kind : models::layer_kinds()) document.push_back(to_json(kind));
  console.document(document);
  console.result(models::layer_kinds_text());
  return 0;
}

}  // namespace

void add_layers(Commands& commands) {
  commands.add(commands.root(), "layers", "List the layers that a net file (NET.toml) can use",
               [](Console& console) { return run(console); });
}

}  // namespace fovea::cli
