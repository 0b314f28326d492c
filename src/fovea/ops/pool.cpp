#include "fovea/ops/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

std::string title(std::string_view op, int rank) { return fmt::format("{}{}d", op, rank - 2); }

std::string input_text(const Type& x) { return to_string(x, image_axes(x.rank())); }

std::vector<int64_t> spatial(const Shape& shape) { return {shape.begin() + 2, shape.end()}; }

/// Padding must be at most half the window, and no window may lie entirely within it.
void check_padding(const std::string& op, const Type& x, const std::vector<WindowAxis>& axes) {
  for (size_t a = 0; a < axes.size(); ++a) {
    const WindowAxis& axis = axes[a];
    const int64_t padding = std::max(axis.padding_begin, axis.padding_end);
    if (padding > extent(axis) / 2) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: padding is {}, must be at most half of the window's {}", op,
                              padding, extent(axis)))
          .with("input", input_text(x))
          .with("try", fmt::format("padding of {}, or a larger kernel", extent(axis) / 2));
    }
    const int64_t size = x.dim(static_cast<int>(a) + 2);
    for (int64_t start = -axis.padding_begin; start < 0; start += axis.stride) {
      const int64_t first =
          (-start + axis.dilation - 1) / axis.dilation;  // the first tap at 0 or later
      if (first < axis.kernel && start + first * axis.dilation < size) continue;
      throw Error(ErrorKind::usage, fmt::format("{}: a window contains only padding (axis {})", op,
                                                std::string(1, image_axes(x.rank())[a + 2])))
          .with("input", input_text(x))
          .with("try", "a larger input, or less padding or dilation");
    }
  }
}

Types infer_pool(std::string_view name, const PoolGeometry& geometry, const Types& in) {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  require_image(name, x);
  const std::string op = title(name, x.rank());
  const std::vector<WindowAxis> axes = geometry.axes();
  require(axes.size() == static_cast<size_t>(x.rank() - 2), op + " has a different number of axes");
  const Shape out = output_sizes(op, x, axes);
  check_padding(op, x, axes);
  return {{x.dtype, x.shape.slice(0, 2).concat(out)}};
}

/// Calls begin(y offset), then tap(x offset) for each element of the input in that window, then
/// end(y offset, positions in the padded input), window by window in row-major order.
template <class Begin, class Tap, class End>
void for_each_window(const PoolGeometry& geometry, const Shape& x, const Shape& y,
                     const Begin& begin, const Tap& tap, const End& end) {
  if (y.numel() == 0) return;
  const std::vector<WindowAxis> axes = geometry.axes();
  const std::vector<int64_t> xs = spatial(x), ys = spatial(y);
  const int64_t x_plane = x.slice(2).numel();
  int64_t yi = 0;
  for (int64_t plane = 0; plane < x[0] * x[1]; ++plane) {
    std::vector<int64_t> p(ys.size(), 0);
    do {
      begin(yi);
      int64_t padded = 0;
      std::vector<int64_t> k(ys.size(), 0);
      do {
        int64_t at = 0;
        bool inside = true, in_padding = true;
        for (size_t a = 0; a < axes.size(); ++a) {
          const int64_t pos =
              p[a] * axes[a].stride + k[a] * axes[a].dilation - axes[a].padding_begin;
          inside = inside && pos >= 0 && pos < xs[a];
          in_padding = in_padding && pos < xs[a] + axes[a].padding_end;
          at = at * xs[a] + pos;
        }
        if (inside) tap(plane * x_plane + at);
        if (in_padding) ++padded;
      } while (next_index(k, geometry.kernel));
      end(yi++, padded);
    } while (next_index(p, ys));
  }
}

/// `best` becomes xi if that is larger, NaN counting as largest; the first of equal ones stays.
void take_larger(const View& x, int64_t xi, int64_t& best) {
  if (best < 0 || x[xi] > x[best] || (std::isnan(x[xi]) && !std::isnan(x[best]))) best = xi;
}

/// Calls body(y offset, x offset) for the largest element of each window.
template <class Body>
void for_each_maximum(const PoolGeometry& geometry, const View& x, const Shape& y,
                      const Body& body) {
  int64_t best = -1;
  for_each_window(
      geometry, x.shape, y, [&](int64_t) { best = -1; },
      [&](int64_t xi) { take_larger(x, xi, best); }, [&](int64_t yi, int64_t) { body(yi, best); });
}

/// Calls body(y offset, x offset, weight) for each element of each window's mean.
template <class Body>
void for_each_share(const PoolGeometry& geometry, bool count_include_pad, const Shape& x,
                    const Shape& y, const Body& body) {
  std::vector<int64_t> taps;
  for_each_window(
      geometry, x, y, [&](int64_t) { taps.clear(); }, [&](int64_t xi) { taps.push_back(xi); },
      [&](int64_t yi, int64_t padded) {
        const auto count = count_include_pad ? padded : static_cast<int64_t>(taps.size());
        for (int64_t xi : taps) body(yi, xi, 1 / static_cast<double>(count));
      });
}

/// Calls begin(y offset, elements), tap(x offset) for each element, then end(y offset), bin by bin.
template <class Begin, class Tap, class End>
void for_each_bin(const Shape& x, const Shape& y, const Begin& begin, const Tap& tap,
                  const End& end) {
  if (y.numel() == 0) return;
  const std::vector<int64_t> xs = spatial(x), ys = spatial(y);
  const int64_t x_plane = x.slice(2).numel();
  int64_t yi = 0;
  for (int64_t plane = 0; plane < x[0] * x[1]; ++plane) {
    std::vector<int64_t> p(ys.size(), 0);
    do {
      std::vector<int64_t> first, size;
      int64_t count = 1;
      for (size_t a = 0; a < xs.size(); ++a) {
        const Bin bin = adaptive_bin(p[a], xs[a], ys[a]);
        first.push_back(bin.begin);
        size.push_back(bin.end - bin.begin);
        count *= size.back();
      }
      begin(yi, count);
      std::vector<int64_t> k(xs.size(), 0);
      do {
        int64_t at = 0;
        for (size_t a = 0; a < xs.size(); ++a) at = at * xs[a] + first[a] + k[a];
        tap(plane * x_plane + at);
      } while (next_index(k, size));
      end(yi++);
    } while (next_index(p, ys));
  }
}

/// Calls body(y offset, x offset, weight) for each element of each bin's mean.
template <class Body>
void for_each_bin_share(const Shape& x, const Shape& y, const Body& body) {
  int64_t at = 0;
  double share = 0;
  for_each_bin(
      x, y,
      [&](int64_t yi, int64_t count) {
        at = yi;
        share = 1 / static_cast<double>(count);
      },
      [&](int64_t xi) { body(at, xi, share); }, [](int64_t) {});
}

/// Calls body(y offset, x offset) for the largest element of each bin.
template <class Body>
void for_each_bin_maximum(const View& x, const Shape& y, const Body& body) {
  int64_t best = -1;
  for_each_bin(
      x.shape, y, [&](int64_t, int64_t) { best = -1; },
      [&](int64_t xi) { take_larger(x, xi, best); }, [&](int64_t yi) { body(yi, best); });
}

/// Checks common to both adaptive poolings; returns the type of their output.
Types infer_adaptive(std::string_view op, const std::vector<int64_t>& output, const Types& in) {
  require_inputs(op, in, 1);
  const Type& x = in[0];
  require_image(op, x);
  require(output.size() == static_cast<size_t>(x.rank() - 2),
          "adaptive pooling has a different rank");
  const auto fail = [&](const std::string& what, const std::string& advice) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
        .with("input", input_text(x))
        .with("output", dims_text(output))
        .with("try", advice);
  };
  Shape shape = x.shape;
  for (size_t a = 0; a < output.size(); ++a) {
    const int axis = static_cast<int>(a) + 2;
    if (output[a] < 1 || output[a] > (int64_t{1} << 31)) {
      throw fail(fmt::format("an output size is {}", output[a]), "output sizes of 1 to 2^31");
    }
    if (x.dim(axis) == 0) throw fail("a spatial axis has no elements", "a larger input");
    shape.set(axis, output[a]);
  }
  return {{x.dtype, shape}};
}

/// Calls body(x offset, y offset) for each pooled value that is kept, the last of equal indices.
/// Errors: data, for an index outside its channel.
template <class Body>
void for_each_unpooled(const View& indices, const Shape& y, const Body& body) {
  const int64_t pooled = indices.shape.slice(2).numel(), plane = y.slice(2).numel();
  std::vector<bool> taken;
  for (int64_t channel = 0; channel < y[0] * y[1]; ++channel) {
    taken.assign(static_cast<size_t>(plane), false);
    for (int64_t i = (channel + 1) * pooled; i-- > channel * pooled;) {
      const double index = indices[i];
      if (!(index >= 0 && index < static_cast<double>(plane))) {
        throw Error(ErrorKind::data,
                    fmt::format("max_unpool: index {} is not within a channel of {} elements",
                                static_cast<int64_t>(index), plane))
            .with("try", "the spatial shape that was pooled");
      }
      const auto at = static_cast<size_t>(index);
      if (!taken[at]) body(i, channel * plane + static_cast<int64_t>(at));
      taken[at] = true;
    }
  }
}

PoolGeometry geometry_of(std::string_view name, const Tensor& x, const PoolOptions& options) {
  require_image(name, x.type());
  const int axes = x.rank() - 2;
  const std::string op = title(name, x.rank());
  const auto padding = options.padding.expand(axes, op, "padding");
  return {.kernel = options.kernel.expand(axes, op, "kernel"),
          .stride = options.stride.value_or(options.kernel).expand(axes, op, "stride"),
          .padding_begin = padding,
          .padding_end = padding,
          .dilation = options.dilation.expand(axes, op, "dilation"),
          .ceil_mode = options.ceil_mode};
}

}  // namespace

std::vector<WindowAxis> PoolGeometry::axes() const {
  std::vector<WindowAxis> result;
  for (size_t i = 0; i < kernel.size(); ++i) {
    result.push_back(
        {kernel[i], stride[i], dilation[i], padding_begin[i], padding_end[i], ceil_mode});
  }
  return result;
}

std::optional<Window> PoolGeometry::window() const {
  return Window{kernel, stride, dilation, padding_begin, padding_end};
}

Types MaxPool::infer(const Types& in) const { return infer_pool(name, *this, in); }

Tensors MaxPool::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(MaxPoolBackward{*this}, {node.input(0), node.output(0), dy[0]});
}

void MaxPool::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  for_each_maximum(*this, x, y.shape, [&](int64_t yi, int64_t xi) { y[yi] = x[xi]; });
}

Types MaxPoolBackward::infer(const Types& in) const {
  require_inputs(name, in, 3);
  return like(in, 0);
}

void MaxPoolBackward::reference(const Views& v) const {
  const View &x = v.in[0], &dy = v.in[2], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_maximum(*this, x, dy.shape, [&](int64_t yi, int64_t xi) { dx[xi] += dy[yi]; });
}

Types MaxPoolIndices::infer(const Types& in) const {
  Types out = infer_pool(MaxPool::name, *this, in);
  out.push_back({DType::i64, out[0].shape});
  return out;
}

Tensors MaxPoolIndices::gradient(const Node& node, const Tensors& dy) const {
  if (!dy[0]) return {};
  return node.graph->add(MaxPoolBackward{*this}, {node.input(0), node.output(0), dy[0]});
}

void MaxPoolIndices::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  const int64_t plane = x.shape.slice(2).numel();
  for_each_maximum(*this, x, y.shape, [&](int64_t yi, int64_t xi) {
    y[yi] = x[xi];
    v.out[1][yi] = static_cast<double>(xi % plane);
  });
}

Types AvgPool::infer(const Types& in) const { return infer_pool(name, *this, in); }

Tensors AvgPool::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(AvgPoolBackward{*this, count_include_pad, node.input(0).shape()}, {dy[0]});
}

void AvgPool::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  for_each_share(*this, count_include_pad, x.shape, y.shape,
                 [&](int64_t yi, int64_t xi, double share) { y[yi] += x[xi] * share; });
}

Types AvgPoolBackward::infer(const Types& in) const {
  require_inputs(name, in, 1);
  return {{in[0].dtype, input}};
}

void AvgPoolBackward::reference(const Views& v) const {
  const View &dy = v.in[0], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_share(*this, count_include_pad, dx.shape, dy.shape,
                 [&](int64_t yi, int64_t xi, double share) { dx[xi] += dy[yi] * share; });
}

Types AdaptiveAvgPool::infer(const Types& in) const { return infer_adaptive(name, output, in); }

Tensors AdaptiveAvgPool::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(AdaptiveAvgPoolBackward{node.input(0).shape()}, {dy[0]});
}

void AdaptiveAvgPool::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  for_each_bin_share(x.shape, y.shape,
                     [&](int64_t yi, int64_t xi, double share) { y[yi] += x[xi] * share; });
}

Types AdaptiveAvgPoolBackward::infer(const Types& in) const {
  require_inputs(name, in, 1);
  return {{in[0].dtype, input}};
}

void AdaptiveAvgPoolBackward::reference(const Views& v) const {
  const View &dy = v.in[0], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_bin_share(dx.shape, dy.shape,
                     [&](int64_t yi, int64_t xi, double share) { dx[xi] += dy[yi] * share; });
}

Types AdaptiveMaxPool::infer(const Types& in) const { return infer_adaptive(name, output, in); }

Tensors AdaptiveMaxPool::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(AdaptiveMaxPoolBackward{}, {node.input(0), dy[0]});
}

void AdaptiveMaxPool::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  for_each_bin_maximum(x, y.shape, [&](int64_t yi, int64_t xi) { y[yi] = x[xi]; });
}

Types AdaptiveMaxPoolBackward::infer(const Types& in) const {
  require_inputs(name, in, 2);
  return like(in, 0);
}

void AdaptiveMaxPoolBackward::reference(const Views& v) const {
  const View &x = v.in[0], &dy = v.in[1], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_bin_maximum(x, dy.shape, [&](int64_t yi, int64_t xi) { dx[xi] += dy[yi]; });
}

Types MaxUnpool::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type& x = in[0];
  require_image(name, x);
  require_type(name, "indices", in[1], {DType::i64, x.shape}, x);
  if (output.rank() != x.rank() - 2) {
    throw Error(ErrorKind::usage, fmt::format("max_unpool: the spatial shape has {}, the input {}",
                                              axis_count(output.rank()), x.rank() - 2))
        .with("input", input_text(x))
        .with("spatial", to_string(output));
  }
  return {{x.dtype, x.shape.slice(0, 2).concat(output)}};
}

Tensors MaxUnpool::gradient(const Node& node, const Tensors& dy) const {
  return {node.graph->add_one(MaxUnpoolBackward{}, {node.input(1), dy[0]}), Tensor{}};
}

void MaxUnpool::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  for_each_unpooled(v.in[1], y.shape, [&](int64_t xi, int64_t yi) { y[yi] = x[xi]; });
}

Types MaxUnpoolBackward::infer(const Types& in) const {
  require_inputs(name, in, 2);
  return {{in[1].dtype, in[0].shape}};
}

void MaxUnpoolBackward::reference(const Views& v) const {
  const View &dy = v.in[1], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_unpooled(v.in[0], dy.shape, [&](int64_t xi, int64_t yi) { dx[xi] = dy[yi]; });
}

Tensor max_pool(const Tensor& x, const PoolOptions& options) {
  return x.graph().add_one(MaxPool{geometry_of(MaxPool::name, x, options)}, {x});
}

Tensor avg_pool(const Tensor& x, const PoolOptions& options) {
  return x.graph().add_one(
      AvgPool{geometry_of(AvgPool::name, x, options), options.count_include_pad}, {x});
}

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) {
  require_spatial("max_pool2d", x, 2);
  return max_pool(x, options);
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options) {
  require_spatial("avg_pool2d", x, 2);
  return avg_pool(x, options);
}

Tensors max_pool_with_indices(const Tensor& x, const PoolOptions& options) {
  return x.graph().add(MaxPoolIndices{geometry_of(MaxPool::name, x, options)}, {x});
}

Tensor max_unpool(const Tensor& x, const Tensor& indices, const Shape& spatial) {
  return x.graph().add_one(MaxUnpool{spatial}, {x, indices});
}

Tensor adaptive_avg_pool(const Tensor& x, const Dims& output) {
  require_image(AdaptiveAvgPool::name, x.type());
  return x.graph().add_one(
      AdaptiveAvgPool{output.expand(x.rank() - 2, AdaptiveAvgPool::name, "output")}, {x});
}

Tensor adaptive_max_pool(const Tensor& x, const Dims& output) {
  require_image(AdaptiveMaxPool::name, x.type());
  return x.graph().add_one(
      AdaptiveMaxPool{output.expand(x.rank() - 2, AdaptiveMaxPool::name, "output")}, {x});
}

Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& output) {
  require_spatial("adaptive_avg_pool2d", x, 2);
  return adaptive_avg_pool(x, output);
}

Tensor adaptive_max_pool2d(const Tensor& x, const Dims& output) {
  require_spatial("adaptive_max_pool2d", x, 2);
  return adaptive_max_pool(x, output);
}

Tensor global_avg_pool(const Tensor& x) {
  require_image("global_avg_pool", x.type());
  return adaptive_avg_pool(x, 1);
}

Tensor global_max_pool(const Tensor& x) {
  require_image("global_max_pool", x.type());
  return adaptive_max_pool(x, 1);
}

}  // namespace fovea
