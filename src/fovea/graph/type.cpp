#include "fovea/graph/type.h"

#include <fmt/format.h>

namespace fovea {

std::span<const std::string_view> enum_names(Layout) {
  static constexpr std::string_view names[] = {"plain", "channels_last", "blocked16"};
  return names;
}

std::string_view name(Layout layout) { return enum_names(layout)[static_cast<size_t>(layout)]; }

bool fits(const Type& type, Layout layout) {
  if (layout == Layout::plain) return true;
  const bool image = type.rank() >= 3 && type.rank() <= 5;
  return image && (layout != Layout::blocked16 || type.dim(1) % 16 == 0);
}

size_t Type::bytes() const {
  return static_cast<size_t>(checked_product(shape.numel(), static_cast<int64_t>(size_of(dtype))));
}

std::string to_string(const Type& type, std::string_view axes) {
  std::string text = std::string(name(type.dtype)) + to_string(type.shape, axes);
  if (type.layout != Layout::plain) text += fmt::format("{{{}}}", name(type.layout));
  return text;
}

std::string_view image_axes(int rank) {
  constexpr std::string_view names[] = {"", "N", "NC", "NCL", "NCHW", "NCDHW"};
  return rank <= 5 ? names[rank] : "";
}

std::string_view weight_axes(int rank) {
  constexpr std::string_view names[] = {"", "O", "OI", "OIL", "OIHW", "OIDHW"};
  return rank <= 5 ? names[rank] : "";
}

}  // namespace fovea
