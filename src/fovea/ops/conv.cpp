#include "fovea/ops/conv.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

std::string type_text(const Type& type) { return to_string(type, image_axes(type.rank())); }

std::string weight_text(const Type& weight, int64_t groups) {
  return fmt::format("{}, groups={}", to_string(weight, weight_axes(weight.rank())), groups);
}

std::string title(int rank) { return fmt::format("conv{}d", rank - 2); }
std::string transposed_title(int rank) { return fmt::format("conv_transpose{}d", rank - 2); }

/// A transposed convolution's weight has its input channels first.
std::string transposed_weight_text(const Type& weight, int64_t groups) {
  std::string axes(weight_axes(weight.rank()));
  if (axes.size() > 1) std::swap(axes[0], axes[1]);
  return fmt::format("{}, groups={}", to_string(weight, axes), groups);
}

/// The spatial shape of a transposed convolution's
/// output. Errors: usage when there is none.
Shape transposed_sizes(const std::string& op, const Type& x, const std::vector<WindowAxis>& axes,
                       const std::vector<int64_t>& output_padding) {
  Shape shape = x.shape.slice(2);
  for (size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& axis = axes[i];
    const int a = static_cast<int>(i);
    const auto fail = [&](const std::string& what) {
      return Error(ErrorKind::usage, fmt::format("{}: {} (axis {})", op, what,
                                                 std::string(1, image_axes(x.rank())[i + 2])))
          .with("input", type_text(x));
    };
    require_window(op, axis);
    const int64_t limit = std::max(axis.stride, axis.dilation);
    if (output_padding[i] < 0 || output_padding[i] >= limit) {
      throw fail(
          fmt::format("output_padding is {}, must be from 0 to {} with stride {} and dilation {}",
                      output_padding[i], limit - 1, axis.stride, axis.dilation));
    }
    if (shape[a] == 0) throw fail("the input has no elements");
    const int64_t full =
        checked_product(shape[a] - 1, axis.stride) + extent(axis) + output_padding[i];
    if (full <= axis.padding_begin + axis.padding_end) {
      throw fail(fmt::format("padding of {} on both sides leaves nothing of the output's {}",
                             axis.padding_begin, full))
          .with("try", "less padding, or a larger input");
    }
    shape.set(a, full - axis.padding_begin - axis.padding_end);
  }
  return shape;
}

/// A convolution leaves at most stride - 1 rows of its input unread, so further rows of
/// output_padding are not part of the adjoint map: they reduce the padding at the end and, once
/// that is 0, are removed from `out` and appended as zeros. Returns the number of these per axis.
std::vector<int64_t> rows_beyond(ConvGeometry& geometry, const std::vector<int64_t>& output_padding,
                                 Shape& out) {
  std::vector<int64_t> beyond(output_padding.size(), 0);
  for (size_t i = 0; i < beyond.size(); ++i) {
    const int64_t unread = std::max<int64_t>(output_padding[i] - (geometry.stride[i] - 1), 0);
    const int64_t within = std::min(unread, geometry.padding_end[i]);
    geometry.padding_end[i] -= within;
    beyond[i] = unread - within;
    const int axis = static_cast<int>(i) + 2;
    if (beyond[i] > 0) out.set(axis, out[axis] - beyond[i]);
  }
  return beyond;
}

/// Calls body(n, o, c, output offset, input offset, weight offset) for every product of a
/// convolution that falls inside the input; offsets are flat. The three references differ only in
/// which of the three they accumulate.
template <class Body>
void for_each_product(const ConvGeometry& geometry, const Shape& x, const Shape& w, const Shape& y,
                      const Body& body) {
  const std::vector<WindowAxis> axes = geometry.axes(w);
  const Shape xs = x.slice(2), ks = w.slice(2), ys = y.slice(2);
  const std::vector<int64_t> ksizes(ks.begin(), ks.end()), ysizes(ys.begin(), ys.end());
  const int64_t x_plane = xs.numel(), k_plane = ks.numel(), y_plane = ys.numel();
  const int64_t group_in = w[1], group_out = w[0] / geometry.groups;
  if (y.numel() == 0 || w.numel() == 0) return;
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t o = 0; o < w[0]; ++o) {
      std::vector<int64_t> p(ysizes.size(), 0);
      int64_t yi = (n * w[0] + o) * y_plane;
      do {
        std::vector<int64_t> k(ksizes.size(), 0);
        int64_t ki = 0;
        do {
          int64_t at = 0;
          bool inside = true;
          for (size_t a = 0; a < axes.size() && inside; ++a) {
            const int64_t pos =
                p[a] * axes[a].stride + k[a] * axes[a].dilation - axes[a].padding_begin;
            inside = pos >= 0 && pos < xs[static_cast<int>(a)];
            at = at * xs[static_cast<int>(a)] + pos;
          }
          if (inside) {
            for (int64_t c = 0; c < group_in; ++c) {
              const int64_t channel = o / group_out * group_in + c;
              body(yi, (n * x[1] + channel) * x_plane + at, (o * group_in + c) * k_plane + ki);
            }
          }
          ++ki;
        } while (next_index(k, ksizes));
        ++yi;
      } while (next_index(p, ysizes));
    }
  }
}

double product_flops(const Shape& weight, const Shape& y) {
  return 2.0 * static_cast<double>(weight.slice(1).numel()) * static_cast<double>(y.numel());
}

}  // namespace

std::vector<WindowAxis> ConvGeometry::axes(const Shape& weight) const {
  std::vector<WindowAxis> result;
  for (size_t i = 0; i < stride.size(); ++i) {
    result.push_back({weight[static_cast<int>(i) + 2], stride[i], dilation[i], padding_begin[i],
                      padding_end[i]});
  }
  return result;
}

Types Conv::infer(const Types& in) const {
  require_inputs(name, in, 2 + (bias ? 1u : 0u) + epilogue.residuals());
  const Type &x = in[0], &w = in[1];
  const std::string op = title(x.rank());
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
        .with("input", type_text(x))
        .with("weight", weight_text(w, geometry.groups));
  };
  if (x.rank() < 3 || x.rank() > 5) {
    throw Error(ErrorKind::usage,
                fmt::format("conv: the input has {}; N, C and 1 to 3 spatial ones are expected",
                            axis_count(x.rank())))
        .with("input", to_string(x));
  }
  if (w.rank() != x.rank()) {
    throw fail(fmt::format("the weight has {}, the input {}", axis_count(w.rank()), x.rank()));
  }
  if (!is_float(x.dtype) || w.dtype != x.dtype) {
    throw fail(fmt::format("input is {}, weight is {}; both must have the same float type",
                           fovea::name(x.dtype), fovea::name(w.dtype)));
  }
  const int64_t channels = x.dim(1), groups = geometry.groups;
  if (groups < 1 || w.dim(0) % groups != 0 || channels % groups != 0) {
    throw fail(fmt::format("groups={} does not divide {} input and {} output channels", groups,
                           channels, w.dim(0)));
  }
  if (channels != w.dim(1) * groups) {
    throw fail(fmt::format("input has {}, weight expects {}", counted(channels, "channel"),
                           w.dim(1) * groups))
        .with("try", fmt::format("a layer with in_channels = {}, or input of {}", channels,
                                 counted(w.dim(1) * groups, "channel")));
  }
  const Shape out = Shape{x.dim(0), w.dim(0)}.concat(output_sizes(op, x, geometry.axes(w.shape)));
  require(kernel == w.shape.slice(2), "conv and its weight have different kernel sizes");
  const Type vector{accumulate_dtype(x.dtype), {w.dim(0)}};
  if (bias && (in[2].shape != vector.shape || in[2].dtype != vector.dtype))
    throw fail(fmt::format("bias is {}, expected {}", to_string(in[2]), to_string(vector)));
  epilogue.check(name, in, {x.dtype, out});
  return {{x.dtype, out}};
}

Tensors Conv::gradient(const Node& node, const Tensors& dy) const {
  require(epilogue.empty(), "conv: the gradient is taken before fusion");
  Graph& graph = *node.graph;
  const Tensor x = node.input(0), w = node.input(1);
  const Tensor dx = graph.add_one(ConvBackwardData{geometry, x.shape()}, {w, dy[0]});
  Tensors result = graph.add(ConvBackwardWeights{geometry, w.shape(), bias}, {x, dy[0]});
  result.insert(result.begin(), dx);
  return result;
}

void Conv::reference(const Views& v) const {
  const View &x = v.in[0], &w = v.in[1], &y = v.out[0];
  const int64_t plane = y.shape.slice(2).numel();
  for (int64_t i = 0; i < y.numel(); ++i) y[i] = bias ? v.in[2][i / plane % w.dim(0)] : 0;
  for_each_product(geometry, x.shape, w.shape, y.shape,
                   [&](int64_t yi, int64_t xi, int64_t wi) { y[yi] += x[xi] * w[wi]; });
  epilogue.reference(v);
}

double Conv::flops(const Types& in, const Types& out) const {
  return product_flops(in[1].shape, out[0].shape);
}

std::optional<Window> Conv::window() const {
  return Window{{kernel.begin(), kernel.end()},
                geometry.stride,
                geometry.dilation,
                geometry.padding_begin,
                geometry.padding_end};
}

/// Only a transposed convolution can fail here: a gradient's shapes come from its convolution.
Types ConvBackwardData::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &w = in[0], &dy = in[1];
  const std::string op = transposed_title(dy.rank());
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
        .with("input", type_text(dy))
        .with("weight", transposed_weight_text(w, geometry.groups));
  };
  if (w.rank() != dy.rank()) {
    throw fail(fmt::format("the weight has {}, the input {}", axis_count(w.rank()), dy.rank()));
  }
  if (!is_float(dy.dtype) || w.dtype != dy.dtype) {
    throw fail(fmt::format("input is {}, weight is {}; both must have the same float type",
                           fovea::name(dy.dtype), fovea::name(w.dtype)));
  }
  if (dy.dim(1) != w.dim(0)) {
    throw fail(
        fmt::format("input has {}, weight expects {}", counted(dy.dim(1), "channel"), w.dim(0)));
  }
  if (geometry.groups < 1 || w.dim(0) % geometry.groups != 0) {
    throw fail(
        fmt::format("groups={} does not divide {} input channels", geometry.groups, w.dim(0)));
  }
  require(dy.rank() >= 3 && dy.rank() <= 5 && input.rank() == dy.rank(),
          op + ": its output and input have different ranks");
  require(input[1] == w.dim(1) * geometry.groups && input[0] == dy.dim(0),
          op + ": its output and weight have different channel counts");
  const Type out{dy.dtype, input};
  require(output_sizes(op, out, geometry.axes(w.shape)) == dy.shape.slice(2),
          op + ": the convolution does not map the output's shape to the input's");
  return {out};
}

Tensors ConvBackwardData::gradient(const Node& node, const Tensors& dy) const {
  const Tensor w = node.input(0), x = node.input(1);
  return {
      node.graph->add_one(ConvBackwardWeights{geometry, w.shape()}, {dy[0], x}),
      node.graph->add_one(Conv{.geometry = geometry, .kernel = w.shape().slice(2)}, {dy[0], w})};
}

void ConvBackwardData::reference(const Views& v) const {
  const View &w = v.in[0], &dy = v.in[1], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_product(geometry, dx.shape, w.shape, dy.shape,
                   [&](int64_t yi, int64_t xi, int64_t wi) { dx[xi] += dy[yi] * w[wi]; });
}

double ConvBackwardData::flops(const Types& in, const Types&) const {
  return product_flops(in[0].shape, in[1].shape);
}

Types ConvBackwardWeights::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const DType dtype = accumulate_dtype(in[1].dtype);
  Types out{{dtype, weight}};
  if (bias) out.push_back({dtype, Shape{weight[0]}});
  return out;
}

void ConvBackwardWeights::reference(const Views& v) const {
  const View &x = v.in[0], &dy = v.in[1], &dw = v.out[0];
  std::fill_n(dw.data, dw.numel(), 0.0);
  for_each_product(geometry, x.shape, dw.shape, dy.shape,
                   [&](int64_t yi, int64_t xi, int64_t wi) { dw[wi] += x[xi] * dy[yi]; });
  if (!bias) return;
  const View& db = v.out[1];
  const int64_t plane = dy.shape.slice(2).numel();
  std::fill_n(db.data, db.numel(), 0.0);
  for (int64_t i = 0; i < dy.numel(); ++i) db[i / plane % weight[0]] += dy[i];
}

double ConvBackwardWeights::flops(const Types& in, const Types&) const {
  return product_flops(weight, in[1].shape);
}

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  const int axes = std::max(x.rank() - 2, 1);
  const std::string op = title(axes + 2);
  ConvGeometry geometry{.stride = options.stride.expand(axes, op, "stride"),
                        .dilation = options.dilation.expand(axes, op, "dilation"),
                        .padding_begin = std::vector<int64_t>(static_cast<size_t>(axes), 0),
                        .padding_end = std::vector<int64_t>(static_cast<size_t>(axes), 0),
                        .groups = options.groups};
  Tensor padded = x;
  if (x.rank() >= 3 && weight.rank() == x.rank()) {  // else infer reports the mistake
    const Padding::Sides sides =
        options.padding.sides(x.shape().slice(2), geometry.axes(weight.shape()), op);
    if (options.padding_mode == PadMode::constant && options.padding_value == 0) {
      geometry.padding_begin = sides.begin;
      geometry.padding_end = sides.end;
    } else {
      padded = x.graph().add_one(
          Pad{sides.begin, sides.end, options.padding_mode, options.padding_value}, {x});
    }
  }
  Conv node{.geometry = std::move(geometry),
            .kernel = weight.shape().slice(2),
            .bias = static_cast<bool>(bias)};
  return x.graph().add_one(std::move(node), {padded, weight, bias});
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  require_spatial("conv2d", x, 2);
  return conv(x, weight, bias, options);
}

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const ConvTransposeOptions& options) {
  require_image("conv_transpose", x.type());
  const int axes = x.rank() - 2;
  const std::string op = transposed_title(x.rank());
  const std::vector<int64_t> padding = options.padding.expand(axes, op, "padding");
  ConvGeometry geometry{.stride = options.stride.expand(axes, op, "stride"),
                        .dilation = options.dilation.expand(axes, op, "dilation"),
                        .padding_begin = padding,
                        .padding_end = padding,
                        .groups = options.groups};
  const std::vector<int64_t> output_padding =
      options.output_padding.expand(axes, op, "output_padding");
  Shape out = x.shape();  // if the ranks differ, infer reports it
  if (weight.rank() == x.rank()) {
    const int64_t channels = checked_product(weight.dim(1), std::max<int64_t>(options.groups, 0));
    out = Shape{x.dim(0), channels}.concat(
        transposed_sizes(op, x.type(), geometry.axes(weight.shape()), output_padding));
  }
  const std::vector<int64_t> beyond = rows_beyond(geometry, output_padding, out);
  Tensor y = x.graph().add_one(ConvBackwardData{std::move(geometry), out}, {weight, x});
  if (std::ranges::any_of(beyond, [](int64_t rows) { return rows > 0; })) {
    y = x.graph().add_one(Pad{std::vector<int64_t>(beyond.size(), 0), beyond}, {y});
  }
  if (!bias) return y;
  require_type(op, "bias", bias.type(), {accumulate_dtype(x.dtype()), {out[1]}}, x.type());
  return y + per_channel(bias, y);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  require_spatial("conv_transpose2d", x, 2);
  return conv_transpose(x, weight, bias, options);
}

}  // namespace fovea
