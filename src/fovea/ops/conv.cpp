#include "fovea/ops/conv.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {
namespace {

std::string type_text(const Type& type) { return to_string(type, image_axes(type.rank())); }

std::string weight_text(const Type& weight, int64_t groups) {
  return to_string(weight, weight_axes(weight.rank())) + ", groups=" + std::to_string(groups);
}

std::string title(int rank) { return "conv" + std::to_string(rank - 2) + "d"; }

/// Calls body(n, o, c, output offset, input offset, weight offset) for every product of a
/// convolution that meets the input; offsets are flat. The three references differ only in which of
/// the three they add to.
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

std::string ConvGeometry::attributes(const Shape& weight) const {
  const Shape k = weight.slice(2);
  std::string text = "kernel=" + dims_text({k.begin(), k.end()}) + " stride=" + dims_text(stride) +
                     " padding=" + dims_text(padding_begin);
  if (padding_end != padding_begin) text += ".." + dims_text(padding_end);
  if (std::any_of(dilation.begin(), dilation.end(), [](int64_t d) { return d != 1; })) {
    text += " dilation=" + dims_text(dilation);
  }
  if (groups != 1) text += " groups=" + std::to_string(groups);
  return text;
}

Types Conv::infer(const Types& in) const {
  const Type &x = in[0], &w = in[1];
  const std::string op = title(x.rank());
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, op + ": " + what)
        .with("input", type_text(x))
        .with("weight", weight_text(w, geometry.groups));
  };
  if (x.rank() < 3 || x.rank() > 5) {
    throw Error(ErrorKind::usage, "conv: the input has " + std::to_string(x.rank()) +
                                      " axes, N, C and 1 to 3 spatial ones are expected")
        .with("input", to_string(x));
  }
  if (w.rank() != x.rank()) {
    throw fail("the weight has " + std::to_string(w.rank()) + " axes, the input " +
               std::to_string(x.rank()));
  }
  if (!is_float(x.dtype) || w.dtype != x.dtype) {
    throw fail("input is " + std::string(fovea::name(x.dtype)) + ", weight is " +
               std::string(fovea::name(w.dtype)) + ", both should be one float type");
  }
  const int64_t channels = x.dim(1), groups = geometry.groups;
  if (groups < 1 || w.dim(0) % groups != 0 || channels % groups != 0) {
    throw fail("groups=" + std::to_string(groups) + " does not divide " + std::to_string(channels) +
               " input and " + std::to_string(w.dim(0)) + " output channels");
  }
  if (channels != w.dim(1) * groups) {
    throw fail("input has " + std::to_string(channels) + " channels, weight expects " +
               std::to_string(w.dim(1) * groups))
        .with("try", "a layer with in_channels = " + std::to_string(channels) + ", or input of " +
                         std::to_string(w.dim(1) * groups) + " channels");
  }
  const Shape out = Shape{x.dim(0), w.dim(0)}.concat(output_sizes(op, x, geometry.axes(w.shape)));
  const size_t expected = 2u + (bias ? 1 : 0) + (residual ? 1 : 0);
  require(in.size() == expected, "conv has " + std::to_string(in.size()) + " inputs");
  if (bias && (in[2].shape != Shape{w.dim(0)} || in[2].dtype != x.dtype)) {
    throw fail("bias is " + to_string(in[2]) + ", expected " + std::string(fovea::name(x.dtype)) +
               to_string(Shape{w.dim(0)}));
  }
  require(!residual || in.back().shape == out, "conv's residual has another shape than its output");
  return {{x.dtype, out}};
}

Tensors Conv::gradient(const Node& node, const Tensors& dy) const {
  require(!residual && !relu, "conv: the gradient is taken before fusion");
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
  if (residual) {
    for (int64_t i = 0; i < y.numel(); ++i) y[i] += v.in.back()[i];
  }
  if (relu) {
    for (int64_t i = 0; i < y.numel(); ++i) y[i] = y[i] > 0 ? y[i] : 0;
  }
}

std::string Conv::attributes() const {
  std::string text = geometry.attributes(Shape{1, 1}.concat(kernel));
  if (bias) text += " bias";
  if (residual) text += " residual";
  if (relu) text += " relu";
  return text;
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

Types ConvBackwardData::infer(const Types& in) const { return {{in[1].dtype, input}}; }

void ConvBackwardData::reference(const Views& v) const {
  const View &w = v.in[0], &dy = v.in[1], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_product(geometry, dx.shape, w.shape, dy.shape,
                   [&](int64_t yi, int64_t xi, int64_t wi) { dx[xi] += dy[yi] * w[wi]; });
}

std::string ConvBackwardData::attributes() const {
  const std::string text =
      geometry.attributes(input);  // its kernel is the weight's, not known here
  return text.substr(text.find("stride")) + " input=" + to_string(input);
}

double ConvBackwardData::flops(const Types& in, const Types&) const {
  return product_flops(in[0].shape, in[1].shape);
}

Types ConvBackwardWeights::infer(const Types& in) const {
  Types out{{in[1].dtype, weight}};
  if (bias) out.push_back({in[1].dtype, Shape{weight[0]}});
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

std::string ConvBackwardWeights::attributes() const {
  return geometry.attributes(weight) + " weight=" + to_string(weight) + (bias ? " bias" : "");
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
  if (x.rank() >= 3 && weight.rank() == x.rank()) {  // else infer says what is wrong
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
  if (x.rank() != 4) {
    throw Error(ErrorKind::usage, "conv2d: the input has " + std::to_string(x.rank()) +
                                      " axes, N, C, H, W are expected")
        .with("input", to_string(x.type()));
  }
  return conv(x, weight, bias, options);
}

}  // namespace fovea
