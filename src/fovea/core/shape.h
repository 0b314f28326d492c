#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace fovea {

/// The dimensions of an n-d value, outermost first: at most 8, each at least 0. A scalar has none.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  /// Errors: usage when there are more than 8 dimensions or one is negative.
  Shape(std::initializer_list<int64_t> dims)
      : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  /// Dimension `i`; negative counts from the end: s[-1] is the innermost.
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i < 0 ? i + rank_ : i)]; }
  void set(int i, int64_t value) { dims_[static_cast<size_t>(i < 0 ? i + rank_ : i)] = value; }

  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }

  /// The dimensions from `from` up to `to` (not included; by default all that follow).
  Shape slice(int from, int to = max_rank) const;
  /// This shape followed by `tail`.
  Shape concat(const Shape& tail) const;

  /// Number of elements: the product, 1 for a scalar. Errors: memory when it exceeds 2^62.
  int64_t numel() const;

  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, max_rank> dims_{};
  int rank_ = 0;
};

/// a * b. Errors: memory when it exceeds 2^62 (every size in Fovea goes through here).
int64_t checked_product(int64_t a, int64_t b);

/// "[8, 3, 32, 32]", or with axis names "[N=8, C=3, H=32, W=32]" (one for each letter of `axes`).
std::string to_string(const Shape& shape, std::string_view axes = {});

}  // namespace fovea
