#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

/// Concrete n-d data: a dtype, a shape and a 64-byte aligned buffer, row-major, without gaps. A
/// handle: copies share the buffer (use `clone` for a copy of the data).
class Array {
 public:
  /// An empty f32 array of shape [0].
  Array() = default;
  /// Uninitialised data. Errors: memory when the size overflows or cannot be allocated.
  Array(DType dtype, const Shape& shape);
  /// Data owned elsewhere (a mapped file, for example); `owner` keeps it alive. `data` must be
  /// aligned to its element type.
  Array(DType dtype, const Shape& shape, std::byte* data, std::shared_ptr<void> owner);

  static Array zeros(DType dtype, const Shape& shape);
  /// Every element `value`, converted to `dtype`.
  static Array full(DType dtype, const Shape& shape, double value);
  /// A copy of `values`. Errors: usage when their count is not the shape's.
  template <class T>
  static Array of(const std::vector<T>& values, const Shape& shape);
  /// A 1-d copy of `values`.
  template <class T>
  static Array of(const std::vector<T>& values) {
    return of(values, Shape{static_cast<int64_t>(values.size())});
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t numel() const { return numel_; }
  size_t bytes() const { return static_cast<size_t>(numel_) * size_of(dtype_); }

  std::byte* raw() { return data_; }
  const std::byte* raw() const { return data_; }

  /// The elements. Errors: internal when T is not the array's dtype.
  template <class T>
  std::span<T> data() {
    check(dtype_of<T>());
    return {reinterpret_cast<T*>(data_), static_cast<size_t>(numel_)};
  }
  template <class T>
  std::span<const T> data() const {
    check(dtype_of<T>());
    return {reinterpret_cast<const T*>(data_), static_cast<size_t>(numel_)};
  }

  /// The element of an array with exactly one. Errors: usage when there are more or fewer.
  double item() const;
  /// Element `i` in row-major order, as a double, whatever the dtype.
  double at(int64_t i) const;
  /// Sets element `i`, rounded to the dtype (floats to nearest even, integers truncated).
  void set(int64_t i, double value);

  Array clone() const;
  /// A copy with another dtype, or this array itself if it already has that dtype.
  Array astype(DType dtype) const;
  /// The same data with another shape. Errors: usage when the element counts differ.
  Array reshaped(const Shape& shape) const;

 private:
  void check(DType wanted) const;

  DType dtype_ = DType::f32;
  Shape shape_{0};
  int64_t numel_ = 0;
  std::byte* data_ = nullptr;
  std::shared_ptr<void> owner_;
};

/// An aligned buffer of `bytes`, not initialised; freed with its last handle. Errors: memory when
/// it cannot be allocated.
std::shared_ptr<std::byte> allocate(size_t bytes);

/// Rounds up to a multiple of 64, the alignment of every buffer.
constexpr size_t align_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// "f32[8, 3, 32, 32]".
std::string describe(const Array& array);

}  // namespace fovea
