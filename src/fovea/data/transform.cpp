#include "fovea/data/transform.h"

#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

std::vector<TransformEntry>& table() {
  static std::vector<TransformEntry> all{crop_entry(), flip_entry(), mixup_entry()};
  return all;
}

}  // namespace

const std::vector<TransformEntry>& transforms() { return table(); }

void add_transform(TransformEntry entry) {
  bool taken = entry.name == "none" || entry.name == "standard" || entry.name == "resize";
  for (const TransformEntry& known : table()) taken = taken || known.name == entry.name;
  if (taken) {
    throw Error(ErrorKind::usage, "transform \"" + entry.name + "\": the name is taken");
  }
  table().push_back(std::move(entry));
}

double number_argument(std::string_view argument, bool given, double usual, double low, double high,
                       bool integer, std::string_view expected) {
  if (!given) return usual;
  const std::optional<double> value = parse_number(argument);
  if (value && *value >= low && *value <= high && (!integer || *value == std::floor(*value)))
    return *value;
  throw Error(ErrorKind::usage, std::string(expected) + ", not \"" + std::string(argument) + "\"");
}

void require_image(std::string_view who, const Type& input) {
  if (input.dtype == DType::u8 && input.rank() == 3) return;
  throw Error(ErrorKind::usage, std::string(who) + " is for images u8[H, W, C]")
      .with("found", to_string(input));
}

}  // namespace fovea::data
