#include "fovea/core/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  if (dims.size() > static_cast<size_t>(max_rank)) {
    throw Error(ErrorKind::usage, fmt::format("a shape has {} dimensions, at most {} are supported",
                                              dims.size(), max_rank));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("dimension {} of a shape is {}, below 0", i, dims[i]));
    }
    dims_[i] = dims[i];
  }
}

Shape Shape::slice(int from, int to) const {
  to = std::min(to, rank_);
  from = std::min(from, to);
  return Shape(std::span<const int64_t>(dims_.data() + from, dims_.data() + to));
}

Shape Shape::concat(const Shape& tail) const {
  std::array<int64_t, 2 * max_rank> all{};
  auto mid = std::copy(begin(), end(), all.begin());
  auto last = std::copy(tail.begin(), tail.end(), mid);
  return Shape(std::span<const int64_t>(all.begin(), last));
}

int64_t Shape::numel() const {
  int64_t product = 1;
  for (int64_t d : *this) {
    if (d == 0) return 0;
  }
  for (int64_t d : *this) product = checked_product(product, d);
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

int64_t checked_product(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > (int64_t{1} << 62)) {
    throw Error(ErrorKind::memory, fmt::format("a size is too large: {} x {} exceeds 2^62", a, b));
  }
  return product;
}

std::string to_string(const Shape& shape, std::string_view axes) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    if (static_cast<size_t>(i) < axes.size())
      text += std::string(1, axes[static_cast<size_t>(i)]) + "=";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace fovea
