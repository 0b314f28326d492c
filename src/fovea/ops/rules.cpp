#include "fovea/ops/rules.h"

#include <fmt/format.h>

#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

Error usage(std::string_view op, const std::string& what) {
  return {ErrorKind::usage, fmt::format("{}: {}", op, what)};
}

}  // namespace

void require_inputs(std::string_view op, const Types& in, size_t count) {
  require(in.size() == count, fmt::format("{} has {} inputs, expected {}", op, in.size(), count));
}

void require_float(std::string_view op, std::string_view what, const Type& type) {
  if (is_float(type.dtype)) return;
  throw usage(op, fmt::format("the {} is {}, must be a float type", what, name(type.dtype)))
      .with(what, to_string(type))
      .with("try", "cast(x, DType::f32)");
}

void require_image(std::string_view op, const Type& type) {
  if (type.rank() < 3 || type.rank() > 5) {
    throw usage(op, fmt::format("the input has {}; N, C and 1 to 3 spatial ones are expected",
                                axis_count(type.rank())))
        .with("input", to_string(type));
  }
  require_float(op, "input", type);
}

void require_spatial(std::string_view op, const Tensor& x, int axes) {
  if (x.rank() == axes + 2) return;
  std::string names;
  for (char axis : image_axes(axes + 2)) names += (names.empty() ? "" : ", ") + std::string{axis};
  throw usage(op, fmt::format("the input has {}; {} are expected", axis_count(x.rank()), names))
      .with("input", to_string(x.type()));
}

Tensor per_channel(const Tensor& vector, const Tensor& x) {
  Shape shape{vector.shape().numel()};
  for (int i = 2; i < x.rank(); ++i) shape = shape.concat({1});
  return cast(reshape(vector, shape), x.dtype());
}

void require_type(std::string_view op, std::string_view what, const Type& type,
                  const Type& expected, const Type& input) {
  if (type.dtype == expected.dtype && type.shape == expected.shape) return;
  throw usage(op, fmt::format("{} is {}, expected {}", what, to_string(type), to_string(expected)))
      .with("input", to_string(input, image_axes(input.rank())));
}

int checked_axis(std::string_view op, int axis, const Type& input) {
  const int rank = input.rank();
  if (axis < -rank || axis >= rank) {
    throw usage(op, fmt::format("there is no axis {}; the input has {}", axis, axis_count(rank)))
        .with("input", to_string(input));
  }
  return axis < 0 ? axis + rank : axis;
}

std::string axis_count(int axes) { return std::to_string(axes) + (axes == 1 ? " axis" : " axes"); }

}  // namespace fovea
