#include "fovea/ops/window.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {

template <class Number>
std::vector<Number> PerAxis<Number>::expand(int axes, std::string_view op,
                                            std::string_view what) const {
  if (values_.size() == 1) return std::vector<Number>(static_cast<size_t>(axes), values_[0]);
  if (values_.size() != static_cast<size_t>(axes)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: {} has {} numbers, the input has {} spatial axes", op, what,
                            values_.size(), axes));
  }
  return values_;
}

template class PerAxis<int64_t>;
template class PerAxis<double>;

Padding::Padding(std::span<const Pair> axes) {
  std::vector<int64_t> begin, end;
  for (const auto& [before, after] : axes) {
    begin.push_back(before);
    end.push_back(after);
  }
  begin_ = Dims(std::move(begin));
  end_ = Dims(std::move(end));
}

Padding::Sides Padding::sides(int axes, std::string_view op) const {
  if (!name_.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: padding is \"{}\", but this op takes only numbers", op, name_));
  }
  return {begin_.expand(axes, op, "padding"), end_.expand(axes, op, "padding")};
}

Padding::Sides Padding::sides(const Shape& spatial, const std::vector<WindowAxis>& windows,
                              std::string_view op) const {
  if (name_.empty()) return sides(spatial.rank(), op);
  if (name_ != "valid" && name_ != "same" && name_ != "full") {
    throw Error(ErrorKind::usage, fmt::format("{}: there is no padding \"{}\"", op, name_))
        .with("try", "\"valid\", \"same\", \"full\", or numbers");
  }
  Sides result;
  for (size_t a = 0; a < windows.size(); ++a) {
    // Windows that output_sizes will reject must not overflow here.
    WindowAxis window = windows[a];
    window.stride = std::max<int64_t>(window.stride, 1);
    window.dilation = std::clamp<int64_t>(window.dilation, 1, int64_t{1} << 31);
    const int64_t reach = checked_product(window.dilation, std::max<int64_t>(window.kernel - 1, 0));
    const int64_t size = spatial[static_cast<int>(a)];
    int64_t before = 0, after = 0;
    if (name_ == "full") {
      before = after = reach;
    } else if (name_ == "same" && size > 0) {
      const int64_t last = (size - 1) / window.stride * window.stride;  // start of the last window
      const int64_t total = std::max<int64_t>(last + reach + 1 - size, 0);
      before = total / 2;
      after = total - before;
    }
    result.begin.push_back(before);
    result.end.push_back(after);
  }
  return result;
}

int64_t output_size(int64_t input, const WindowAxis& axis) {
  const int64_t free = input + axis.padding_begin + axis.padding_end - extent(axis);
  if (free < 0) return 0;
  int64_t size = (axis.ceil ? free + axis.stride - 1 : free) / axis.stride + 1;
  if (axis.ceil && (size - 1) * axis.stride >= input + axis.padding_begin) --size;
  return size;
}

void require_window(std::string_view op, const WindowAxis& axis) {
  for (const auto& [what, value, minimum] : {std::tuple{"kernel", axis.kernel, int64_t{1}},
                                             std::tuple{"stride", axis.stride, int64_t{1}},
                                             std::tuple{"dilation", axis.dilation, int64_t{1}},
                                             std::tuple{"padding", axis.padding_begin, int64_t{0}},
                                             std::tuple{"padding", axis.padding_end, int64_t{0}}}) {
    if (value >= minimum && value <= (int64_t{1} << 31)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{}: {} is {}, must be from {} to 2^31", op, what, value, minimum));
  }
}

Shape output_sizes(std::string_view op, const Type& input, const std::vector<WindowAxis>& axes) {
  Shape shape = input.shape.slice(2);
  for (size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& axis = axes[i];
    require_window(op, axis);
    const int64_t size = shape[static_cast<int>(i)];
    const int64_t out = output_size(size, axis);
    if (out < 1) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: the window spans {}, but the padded input only {} (axis {})", op,
                              extent(axis), size + axis.padding_begin + axis.padding_end,
                              std::string(1, image_axes(input.rank())[i + 2])))
          .with("input", to_string(input, image_axes(input.rank())))
          .with("try", "a larger input, more padding, or a smaller kernel or dilation");
    }
    shape.set(static_cast<int>(i), out);
  }
  return shape;
}

bool next_index(std::vector<int64_t>& index, const std::vector<int64_t>& sizes) {
  for (size_t i = sizes.size(); i-- > 0;) {
    if (++index[i] < sizes[i]) return true;
    index[i] = 0;
  }
  return false;
}

}  // namespace fovea
