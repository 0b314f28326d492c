#include "fovea/ops/pad.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Calls body(y offset, x offset) for each element of y; the x offset is -1 for the constant.
template <class Body>
void for_each_copy(const Pad& pad, const Shape& x, const Shape& y, const Body& body) {
  if (y.numel() == 0) return;
  const std::vector<int64_t> sizes(y.begin() + 2, y.end());
  const int64_t x_plane = x.slice(2).numel();
  int64_t yi = 0;
  for (int64_t plane = 0; plane < y[0] * y[1]; ++plane) {
    std::vector<int64_t> index(sizes.size(), 0);
    do {
      int64_t at = 0;
      bool copied = true;
      for (size_t a = 0; a < sizes.size(); ++a) {
        const int64_t size = x[static_cast<int>(a) + 2];
        const int64_t from = pad_source(pad.mode, index[a] - pad.begin[a], size);
        copied = copied && from >= 0;
        at = at * size + from;
      }
      body(yi++, copied ? plane * x_plane + at : -1);
    } while (next_index(index, sizes));
  }
}

}  // namespace

std::span<const std::string_view> enum_names(PadMode) {
  static constexpr std::string_view names[] = {"constant", "reflect", "replicate", "circular"};
  return names;
}

int64_t pad_source(PadMode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case PadMode::constant:
      return -1;
    case PadMode::reflect:
      return at < 0 ? -at : 2 * (size - 1) - at;
    case PadMode::replicate:
      return at < 0 ? 0 : size - 1;
    case PadMode::circular:
      return at < 0 ? at + size : at - size;
  }
  return -1;
}

Types Pad::infer(const Types& in) const {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  require_image(name, x);
  require(begin.size() == static_cast<size_t>(x.rank() - 2) && end.size() == begin.size(),
          "pad has a different number of axes");
  const auto fail = [&](int64_t padding, size_t axis, const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("pad: padding is {}, {} (axis {})", padding, what,
                                               std::string(1, image_axes(x.rank())[axis + 2])))
        .with("input", to_string(x, image_axes(x.rank())));
  };
  Shape shape = x.shape;
  for (size_t a = 0; a < begin.size(); ++a) {
    const int axis = static_cast<int>(a) + 2;
    const int64_t smallest = std::min(begin[a], end[a]), largest = std::max(begin[a], end[a]);
    if (smallest < 0 || largest > (int64_t{1} << 31)) {
      throw fail(smallest < 0 ? smallest : largest, a, "must be from 0 to 2^31");
    }
    const int64_t size = x.dim(axis), available = mode == PadMode::reflect ? size - 1 : size;
    const bool copies = mode == PadMode::reflect || mode == PadMode::circular;
    if ((copies && largest > available) ||
        (mode == PadMode::replicate && largest > 0 && size == 0)) {
      throw fail(largest, a,
                 fmt::format("{} supports at most {}", enum_names(mode)[static_cast<size_t>(mode)],
                             std::max<int64_t>(available, 0)))
          .with("try", "less padding, a larger input, or another mode");
    }
    shape.set(axis, size + begin[a] + end[a]);
  }
  return {{x.dtype, shape}};
}

Tensors Pad::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(PadBackward{*this, node.input(0).shape()}, {dy[0]});
}

void Pad::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  for_each_copy(*this, x.shape, y.shape,
                [&](int64_t yi, int64_t xi) { y[yi] = xi < 0 ? value : x[xi]; });
}

std::optional<Window> Pad::window() const {
  const std::vector<int64_t> ones(begin.size(), 1);
  return Window{ones, ones, ones, begin, end};
}

Types PadBackward::infer(const Types& in) const {
  require_inputs(name, in, 1);
  return {{in[0].dtype, input}};
}

void PadBackward::reference(const Views& v) const {
  const View &dy = v.in[0], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_copy(pad, dx.shape, dy.shape, [&](int64_t yi, int64_t xi) {
    if (xi >= 0) dx[xi] += dy[yi];
  });
}

Tensor pad(const Tensor& x, const Padding& padding, PadMode mode, double value) {
  require_image(Pad::name, x.type());
  Padding::Sides sides = padding.sides(x.rank() - 2, Pad::name);
  return x.graph().add_one(Pad{std::move(sides.begin), std::move(sides.end), mode, value}, {x});
}

}  // namespace fovea
