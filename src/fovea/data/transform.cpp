#include "fovea/data/transform.h"

#include "fovea/core/error.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

ChoiceTable<TransformEntry>& table() {
  static ChoiceTable<TransformEntry> all("transform", {crop_entry(), flip_entry(), mixup_entry()});
  return all;
}

}  // namespace

const std::vector<TransformEntry>& transforms() { return table().rows(); }

void add_transform(TransformEntry entry) {
  const std::string& name = entry.choice.name;
  if (name == "none" || name == "standard" || name == "resize") {
    throw Error(ErrorKind::usage, "transform \"" + name + "\": the name is taken");
  }
  table().add(std::move(entry));
}

AnyTransform make_transform(const ChoiceText& text) {
  const auto [entry, arguments] = table().read(text);
  return entry.make(arguments);
}

void require_image(std::string_view who, const Type& input) {
  if (input.dtype == DType::u8 && input.rank() == 3) return;
  throw Error(ErrorKind::usage, std::string(who) + " is for images u8[H, W, C]")
      .with("found", to_string(input));
}

}  // namespace fovea::data
