#include "commands.h"
#include "fovea/models/layer_kinds.h"

namespace fovea::cli {
namespace {

Json to_json(const models::AttributeValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  if (const auto* sizes = std::get_if<std::vector<int64_t>>(&value)) return sizes->at(0);
  if (const auto* whole = std::get_if<int64_t>(&value)) return *whole;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  return std::get<std::string>(value);
}

Json to_json(const models::Attribute& attribute) {
  Json document{{"name", attribute.name}, {"default", to_json(attribute.usual)}};
  if (!attribute.follows.empty()) document["default"] = attribute.follows;
  if (attribute.most > attribute.least) {
    document["least"] = attribute.least;
    document["most"] = attribute.most;
  }
  if (!attribute.words.empty()) document["words"] = attribute.words;
  return document;
}

int run(Console& console) {
  Json document = Json::array();
  for (const models::LayerKind& kind : models::layer_kinds()) {
    Json attributes = Json::array();
    for (const models::Attribute& attribute : kind.attributes)
      attributes.push_back(to_json(attribute));
    document.push_back({{"type", kind.name}, {"about", kind.about}, {"attributes", attributes}});
  }
  console.document(document);
  console.result(models::layer_kinds_text());
  return 0;
}

}  // namespace

void add_layers(Commands& commands) {
  commands.add(commands.root(), "layers", "List what a net's text, NET.toml, may be made of",
               [](Console& console) { return run(console); });
}

}  // namespace fovea::cli
