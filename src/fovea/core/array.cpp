#include "fovea/core/array.h"

#include <fmt/format.h>

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "fovea/core/error.h"

namespace fovea {
namespace {

template <class T>
double read(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

template <class T, class V>
void write(std::byte* data, int64_t i, V value) {
  auto typed = static_cast<T>(value);
  std::memcpy(data + static_cast<size_t>(i) * sizeof(T), &typed, sizeof(T));
}

}  // namespace

std::shared_ptr<std::byte> allocate(size_t bytes) {
  // Huge pages spare the TLB with the large buffers of training; small buffers stay small.
  constexpr size_t huge = size_t{2} << 20;
  const size_t alignment = bytes >= 4 * huge ? huge : 64;
  const auto failed = [&] {
    return Error(ErrorKind::memory, fmt::format("cannot allocate {} bytes", bytes))
        .with("try", "a smaller --batch or --input; fovea plan says what a run needs");
  };
  if (bytes > (size_t{1} << 62)) throw failed();
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) throw failed();
  if (alignment == huge) madvise(data, rounded, MADV_HUGEPAGE);
  return {static_cast<std::byte*>(data), [](std::byte* p) { std::free(p); }};
}

Array::Array(DType dtype, const Shape& shape)
    : dtype_(dtype), shape_(shape), numel_(shape.numel()) {
  auto buffer =
      allocate(static_cast<size_t>(checked_product(numel_, static_cast<int64_t>(size_of(dtype)))));
  data_ = buffer.get();
  owner_ = std::move(buffer);
}

Array::Array(DType dtype, const Shape& shape, std::byte* data, std::shared_ptr<void> owner)
    : dtype_(dtype), shape_(shape), numel_(shape.numel()), data_(data), owner_(std::move(owner)) {}

Array Array::zeros(DType dtype, const Shape& shape) {
  Array array(dtype, shape);
  std::memset(array.raw(), 0, array.bytes());
  return array;
}

Array Array::full(DType dtype, const Shape& shape, double value) {
  Array array(dtype, shape);
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, value);
  return array;
}

template <class T>
Array Array::of(const std::vector<T>& values, const Shape& shape) {
  Array array(dtype_of<T>(), shape);
  if (static_cast<int64_t>(values.size()) != array.numel()) {
    throw Error(ErrorKind::usage, fmt::format("array: {} values given, shape {} holds {}",
                                              values.size(), to_string(shape), array.numel()));
  }
  if (!values.empty()) std::memcpy(array.raw(), values.data(), array.bytes());
  return array;
}
template Array Array::of(const std::vector<double>&, const Shape&);
template Array Array::of(const std::vector<float>&, const Shape&);
template Array Array::of(const std::vector<Bf16>&, const Shape&);
template Array Array::of(const std::vector<F16>&, const Shape&);
template Array Array::of(const std::vector<int64_t>&, const Shape&);
template Array Array::of(const std::vector<int32_t>&, const Shape&);
template Array Array::of(const std::vector<uint8_t>&, const Shape&);
template Array Array::of(const std::vector<uint16_t>&, const Shape&);

void Array::check(DType wanted) const {
  require(wanted == dtype_,
          "array of " + std::string(name(dtype_)) + " read as " + std::string(name(wanted)));
}

double Array::item() const {
  if (numel_ != 1) {
    throw Error(ErrorKind::usage, fmt::format("item: the array has {} elements, not 1", numel_))
        .with("array", describe(*this));
  }
  return at(0);
}

double Array::at(int64_t i) const {
  switch (dtype_) {
    case DType::f64:
      return read<double>(data_, i);
    case DType::f32:
      return read<float>(data_, i);
    case DType::bf16:
      return read<Bf16>(data_, i);
    case DType::f16:
      return read<F16>(data_, i);
    case DType::i64:
      return read<int64_t>(data_, i);
    case DType::i32:
      return read<int32_t>(data_, i);
    case DType::i16:
      return read<int16_t>(data_, i);
    case DType::i8:
      return read<int8_t>(data_, i);
    case DType::u8:
    case DType::boolean:
      return read<uint8_t>(data_, i);
    case DType::u16:
      return read<uint16_t>(data_, i);
  }
  return 0;
}

void Array::set(int64_t i, double value) {
  switch (dtype_) {
    case DType::f64:
      write<double>(data_, i, value);
      break;
    case DType::f32:
      write<float>(data_, i, value);
      break;
    case DType::bf16:
      write<Bf16>(data_, i, static_cast<float>(value));
      break;
    case DType::f16:
      write<F16>(data_, i, static_cast<float>(value));
      break;
    case DType::i64:
      write<int64_t>(data_, i, value);
      break;
    case DType::i32:
      write<int32_t>(data_, i, value);
      break;
    case DType::i16:
      write<int16_t>(data_, i, value);
      break;
    case DType::i8:
      write<int8_t>(data_, i, value);
      break;
    case DType::u8:
      write<uint8_t>(data_, i, value);
      break;
    case DType::u16:
      write<uint16_t>(data_, i, value);
      break;
    case DType::boolean:
      write<uint8_t>(data_, i, value != 0);
      break;
  }
}

Array Array::clone() const {
  Array copy(dtype_, shape_);
  if (numel_ > 0) std::memcpy(copy.raw(), data_, bytes());
  return copy;
}

Array Array::astype(DType dtype) const {
  if (dtype == dtype_) return *this;
  Array copy(dtype, shape_);
  for (int64_t i = 0; i < numel_; ++i) copy.set(i, at(i));
  return copy;
}

Array Array::reshaped(const Shape& shape) const {
  if (shape.numel() != numel_) {
    throw Error(ErrorKind::usage,
                fmt::format("reshape: {} has {} elements, {} has {}", to_string(shape_), numel_,
                            to_string(shape), shape.numel()));
  }
  Array view = *this;
  view.shape_ = shape;
  return view;
}

std::string describe(const Array& array) {
  return std::string(name(array.dtype())) + to_string(array.shape());
}

}  // namespace fovea
