#include "fovea/ops/window.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {

std::vector<int64_t> Dims::expand(int axes, std::string_view op, std::string_view what) const {
  if (values_.size() == 1) return std::vector<int64_t>(static_cast<size_t>(axes), values_[0]);
  if (values_.size() != static_cast<size_t>(axes)) {
    throw Error(ErrorKind::usage, std::string(op) + ": " + std::string(what) + " has " +
                                      std::to_string(values_.size()) + " numbers, the input has " +
                                      std::to_string(axes) + " spatial axes");
  }
  return values_;
}

int64_t output_size(int64_t input, const WindowAxis& axis) {
  const int64_t room = input + axis.padding_begin + axis.padding_end - extent(axis);
  if (room < 0) return 0;
  int64_t size = (axis.ceil ? room + axis.stride - 1 : room) / axis.stride + 1;
  if (axis.ceil && (size - 1) * axis.stride >= input + axis.padding_begin) --size;
  return size;
}

Shape output_sizes(std::string_view op, const Type& input, const std::vector<WindowAxis>& axes) {
  Shape shape = input.shape.slice(2);
  for (size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& axis = axes[i];
    const std::string prefix = std::string(op) + ": ";
    for (const auto& [what, value, least] : {std::tuple{"kernel", axis.kernel, int64_t{1}},
                                             std::tuple{"stride", axis.stride, int64_t{1}},
                                             std::tuple{"dilation", axis.dilation, int64_t{1}},
                                             std::tuple{"padding", axis.padding_begin, int64_t{0}},
                                             std::tuple{"padding", axis.padding_end, int64_t{0}}}) {
      if (value < least || value > (int64_t{1} << 31)) {
        throw Error(ErrorKind::usage, prefix + what + " is " + std::to_string(value) +
                                          ", at least " + std::to_string(least) +
                                          " and at most 2^31 is allowed");
      }
    }
    const int64_t size = shape[static_cast<int>(i)];
    const int64_t out = output_size(size, axis);
    if (out < 1) {
      throw Error(ErrorKind::usage,
                  prefix + "the window spans " + std::to_string(extent(axis)) +
                      ", the padded input only " +
                      std::to_string(size + axis.padding_begin + axis.padding_end) + " (axis " +
                      std::string(1, image_axes(input.rank())[i + 2]) + ")")
          .with("input", to_string(input, image_axes(input.rank())))
          .with("try", "a larger input, more padding, or a smaller kernel or dilation");
    }
    shape.set(static_cast<int>(i), out);
  }
  return shape;
}

std::string dims_text(const std::vector<int64_t>& values) {
  if (!values.empty() &&
      std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == values[0]; })) {
    return std::to_string(values[0]);
  }
  std::string text;
  for (int64_t v : values) text += (text.empty() ? "" : "x") + std::to_string(v);
  return text;
}

bool next_index(std::vector<int64_t>& index, const std::vector<int64_t>& sizes) {
  for (size_t i = sizes.size(); i-- > 0;) {
    if (++index[i] < sizes[i]) return true;
    index[i] = 0;
  }
  return false;
}

}  // namespace fovea
