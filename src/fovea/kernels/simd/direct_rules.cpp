// Which problems are direct convolutions, and their price.
#include <algorithm>
#include <optional>

#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/rules.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/linear.h"

namespace fovea::simd::direct {

Place place_of(const Type& type) {
  const int64_t channels = type.dim(1), width = type.dim(-1);
  const int64_t plane = type.numel() / std::max<int64_t>(1, type.dim(0) * channels);
  Place p{.layout = type.layout, .image = channels * plane};
  switch (type.layout) {
    case Layout::plain:
      p.column = 1, p.channel = plane, p.block = block * plane;
      break;
    case Layout::channels_last:
      p.column = channels, p.block = block;
      break;
    case Layout::blocked16:
      p.column = block, p.block = block * plane;
      break;
  }
  p.row = p.column * width;
  return p;
}

namespace {

/// A matrix as an image of one row, whose channels are the columns.
Place matrix(int64_t rows, int64_t columns) {
  return {.layout = Layout::channels_last,
          .image = rows * columns,
          .block = block,
          .row = rows * columns,
          .column = columns};
}

/// Where windows are single pixels of all of x, a plane is one row; and a batch is, where images
/// follow each other like pixels.
void join_rows(Convolution& c) {
  if (c.padded || c.taps() != 1 || c.height != c.rows || c.width != c.columns ||
      c.y.row != c.y.column * c.columns)
    return;
  c.width = c.columns = c.rows * c.columns;
  c.height = c.rows = 1;
  const auto follows = [&](const Place& p) {
    return p.layout == Layout::channels_last && p.image == p.column * c.columns;
  };
  if (!follows(c.x) || !follows(c.y)) return;
  c.width = c.columns = c.images * c.columns;
  c.images = 1;
}

/// Which of two axes the spatial axis `axis` of a value is: a single one is the second.
int position_of(size_t axis, const ConvGeometry& g) {
  return static_cast<int>(axis + 2 - g.stride.size());
}

Convolution convolution_of(const ConvGeometry& g, const Shape& weight, const Type& x,
                           const Type& y) {
  Convolution c{.dtype = x.dtype, .images = x.dim(0), .in = x.dim(1), .out = y.dim(1)};
  c.width = x.dim(-1), c.columns = y.dim(-1);
  if (x.rank() == 4) c.height = x.dim(2), c.rows = y.dim(2);
  for (size_t axis = 0; axis < g.stride.size(); ++axis) {
    const int to = position_of(axis, g);
    c.kernel[to] = weight[static_cast<int>(axis) + 2];
    // Between single positions there is no step, but there is one when several are joined.
    const int at = static_cast<int>(axis) + 2;
    c.stride[to] = x.dim(at) == 1 && y.dim(at) == 1 ? 1 : g.stride[axis];
    c.dilation[to] = g.dilation[axis];
    c.padding[to] = g.padding_begin[axis];
    c.padded = c.padded || g.padding_begin[axis] > 0 || g.padding_end[axis] > 0;
  }
  c.x = place_of(x), c.y = place_of(y);
  c.groups = g.groups;
  c.weights = {.out = c.group_in() * c.taps(), .in = c.taps(), .tap = {c.kernel[1], 1}};
  c.weights.group = c.group_out() * c.weights.out;
  join_rows(c);
  return c;
}

/// Along one axis, the elements phase, phase + stride, ... of the gradient with respect to the
/// data: a convolution of dy with every so many of the taps, in reverse.
struct Phase {
  int64_t outputs = 0, kernel = 0, dilation = 1, padding = 0;
  int64_t first_tap = 0, tap_step = 0;
};

Phase phase_of(int64_t phase, int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
               int64_t padding) {
  Phase p{.outputs = (size - phase + stride - 1) / stride};
  for (int64_t k = kernel - 1; k >= 0; --k) {
    const int64_t at = phase + padding - k * dilation;
    if (at % stride != 0) continue;
    if (p.kernel == 0) p.first_tap = k, p.padding = -at / stride;
    if (p.kernel == 1) p.tap_step = k - p.first_tap, p.dilation = at / stride + p.padding;
    ++p.kernel;
  }
  return p;
}

/// The gradient with respect to the data: strides divide dx into phases, some of which may get
/// nothing but zeros.
std::vector<Convolution> gradient_of(const ConvGeometry& g, const Shape& weight, const Type& dx,
                                     const Type& dy) {
  const Convolution forward = convolution_of(g, weight, dx, dy);
  Convolution base{.dtype = dy.dtype, .images = dy.dim(0), .in = dy.dim(1), .out = dx.dim(1)};
  base.width = dy.dim(-1), base.height = dy.rank() == 4 ? dy.dim(2) : 1;
  base.x = place_of(dy), base.y = place_of(dx);
  base.groups = g.groups;
  const int64_t size[2] = {dx.rank() == 4 ? dx.dim(2) : 1, dx.dim(-1)};
  const int64_t given[2] = {base.height, base.width};
  const int64_t taps = forward.taps();
  std::vector<Convolution> parts;
  for (int64_t i = 0; i < forward.stride[0] * forward.stride[1]; ++i) {
    const int64_t phase[2] = {i / forward.stride[1], i % forward.stride[1]};
    Convolution c = base;
    c.weights = {.out = taps, .in = taps * c.group_out(), .group = forward.weights.group};
    int64_t outputs[2];
    for (const int axis : {0, 1}) {
      const Phase p = phase_of(phase[axis], size[axis], forward.kernel[axis], forward.stride[axis],
                               forward.dilation[axis], forward.padding[axis]);
      const int64_t step = axis == 0 ? forward.kernel[1] : 1;
      outputs[axis] = p.outputs;
      c.kernel[axis] = p.kernel, c.dilation[axis] = p.dilation, c.padding[axis] = p.padding;
      c.weights.first += p.first_tap * step, c.weights.tap[axis] = p.tap_step * step;
      const int64_t last = p.outputs - 1 + (p.kernel - 1) * p.dilation - p.padding;
      c.padded = c.padded || p.padding > 0 || last >= given[axis];
    }
    c.rows = outputs[0], c.columns = outputs[1];
    if (c.rows <= 0 || c.columns <= 0) continue;
    c.offset = phase[0] * base.y.row + phase[1] * base.y.column;
    c.y.row *= forward.stride[0], c.y.column *= forward.stride[1];
    if (c.taps() == 0) {
      c.padded = false;
      c.kernel[0] = c.kernel[1] = 0, c.padding[0] = c.padding[1] = 0;
    }
    join_rows(c);
    parts.push_back(c);
  }
  return parts;
}

/// Nothing if the values have one of these types; biases are f32.
std::optional<Refusal> unless_f32_or_bf16(const Problem& problem) {
  const DType dtype = problem.in[0].dtype;
  const auto fits = [&](const Type& type) { return type.dtype == dtype || type.rank() == 1; };
  if (dtype != DType::f32 && dtype != DType::bf16) return Refusal{"only f32 and bf16"};
  if (!std::ranges::all_of(problem.in, fits) || problem.out[0].dtype != dtype)
    return Refusal{"only values of one type"};
  return std::nullopt;
}

std::optional<Refusal> refuse(const Problem& problem) {
  for (const Types* types : {&problem.in, &problem.out}) {
    for (const Type& type : *types) {
      if (type.numel() == 0) return Refusal{"nothing to compute for empty values"};
    }
  }
  return std::nullopt;
}

std::optional<Refusal> refuse(const Problem& problem, const ConvGeometry& g, const Type& y) {
  if (auto refusal = refuse(problem)) return refusal;
  if (y.rank() > 4) return Refusal{"only one or two axes"};
  if (g.groups > 1 && y.dim(1) == g.groups) return Refusal{"not a single output for each group"};
  if (y.layout == Layout::plain) return Refusal{"only channels-last and blocked16 outputs"};
  return std::nullopt;
}

/// The times below are in multiples of oneDNN's for the same problem, measured with two threads.
/// faster, slower: by a tenth or more; where nothing else is known, oneDNN stays.
constexpr double faster = direct_share, slower = 1.2;

/// Whether windows are single pixels, without steps between them.
bool reads_pixels(const Problem& problem) {
  return weight_shape(problem).slice(2).numel() == 1 &&
         std::ranges::all_of(conv_pass(problem.op).geometry.stride,
                             [](int64_t stride) { return stride == 1; });
}

/// Of a convolution, its gradient with respect to the data, or a product: `in` and `out` are the
/// channels that are read and written.
double share(const Problem& problem, int64_t in, int64_t out, const Type& y) {
  const auto* conv = problem.op.as<Conv>();
  const auto* data = problem.op.as<ConvBackwardData>();
  const bool f32 = y.dtype == DType::f32;
  if (conv != nullptr && weights_fixed) return faster;
  if (conv == nullptr && data == nullptr) {
    // oneDNN loses half of its speed where the rows of the second matrix are a multiple of 4 KB
    // apart; these kernels copy the first one then.
    const auto* product = problem.op.as<MatMul>();
    const bool few = y.numel() / out <= 64;
    if (few) return weights_fixed ? faster : slower;
    if (product != nullptr && !product->transpose_b && out % 1024 == 0) return faster;
    return has_avx512() && (!f32 || in % 1024 != 0) ? faster : slower;
  }
  const ConvGeometry& g = conv != nullptr ? conv->geometry : data->geometry;
  const Shape& weight = problem.in[conv != nullptr ? 1 : 0].shape;
  const bool pixels = weight.slice(2).numel() == 1, strided = g.stride.back() > 1;
  if (!has_avx512()) {
    const bool narrows = out <= 40 && in >= 6 * out, few_inputs = in <= few_products;
    return (f32 && pixels && !strided && (narrows || few_inputs)) || cuts_patches(g, weight)
               ? faster
               : slower;
  }
  // oneDNN has no kernel that reads one layout and writes another.
  const Type& x = problem.in[conv != nullptr ? 0 : 1];
  if (pixels && !strided && x.layout != y.layout && x.layout != Layout::plain) return faster;
  if (!f32) return pixels && strided ? slower : faster;
  // For sequences of few channels oneDNN has no kernel of its own.
  if (conv != nullptr && y.rank() == 3 && in < block && !pixels) return faster;
  // Outputs that are written around the caches cost oneDNN more where little is computed for each.
  if (!pixels || strided) return slower;
  const int64_t positions = y.numel() / (y.dim(0) * out);
  const bool few_inputs = in <= 24, narrows = in >= 2 * out && in <= 512 && positions >= 512;
  const bool between = y.layout == Layout::channels_last && data != nullptr;
  return few_inputs || narrows || between ? faster : slower;
}

/// oneDNN adds up a copy of the gradient for each part of the batch, and loses half of its speed
/// where there are many weights, or few positions for them.
double share_of_weights(const Type& dw, int64_t columns, bool product) {
  const bool many = dw.numel() >= 1 << 18;
  if (product && columns % 1024 != 0) return slower;
  return has_avx512() || many ? faster : slower;
}
double share_of_weights(const Problem& problem) {
  const Type &x = problem.in[0], &dy = problem.in[1];
  // oneDNN's kernels for images of few channels need no copies.
  if (x.layout == Layout::plain && x.rank() > 3) return slower;
  const int64_t positions = dy.numel() / dy.dim(1);
  const bool few = positions <= 4096 || std::min(x.dim(1), dy.dim(1)) <= 32;
  if (reads_pixels(problem) && x.dtype == DType::f32 && few) return faster;
  return share_of_weights(problem.out[0], dy.dim(1), false);
}

/// With AVX2, oneDNN computes groups of 4 channels forward as products of matrices, a third as
/// fast; its kernel for groups of 8 is the best one. Not measured with AVX-512.
double share_of_groups(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const int64_t channels = image_type(problem, pass.x).dim(1) / pass.geometry.groups;
  if (has_avx512()) return slower;
  if (problem.op.as<Conv>() != nullptr)
    return channels % 8 != 0 || channels >= 16 ? faster : slower;
  return problem.op.as<ConvBackwardWeights>() != nullptr && channels >= 32 ? faster : slower;
}

int64_t groups(const Problem& problem) {
  if (problem.op.as<Linear>() != nullptr || problem.op.as<MatMul>() != nullptr) return 1;
  return conv_pass(problem.op).geometry.groups;
}

double share(const Problem& problem) {
  if (refuse(problem)) return slower;
  if (groups(problem) > 1) return share_of_groups(problem);
  const Type &first = problem.in[0], &second = problem.in[1], &y = problem.out[0];
  const bool bf16 = first.dtype == DType::bf16;
  if (const auto* op = problem.op.as<ConvBackwardWeights>()) {
    const int64_t taps = op->weight.slice(2).numel(), positions = second.shape.slice(2).numel();
    return (bf16 ? bf16_speedup_of_weights(taps, positions) : 1) * share_of_weights(problem);
  }
  const double speedup = bf16 ? bf16_speedup() : 1;
  if (problem.op.as<ConvBackwardData>() != nullptr)
    return speedup * share(problem, second.dim(1), y.dim(1), y);
  if (problem.op.as<Conv>() != nullptr) return speedup * share(problem, first.dim(1), y.dim(1), y);
  const auto* product = problem.op.as<MatMul>();
  if (product != nullptr && product->transpose_a)
    return speedup * share_of_weights(y, second.dim(-1), true);
  return speedup * share(problem, first.dim(-1), y.dim(-1), y);
}

/// What a convolution, its gradient with respect to the data, a linear layer or a product computes.
Derived<Pass> pass_of_convolution(const Problem& problem) {
  const Conv& op = problem.op.get<Conv>();
  const Type &x = problem.in[0], &y = problem.out[0];
  if (auto refusal = refuse(problem, op.geometry, y)) return *refusal;
  for (size_t i = problem.in.size() - op.epilogue.residuals(); i < problem.in.size(); ++i) {
    if (problem.in[i].layout != y.layout) return Refusal{"residuals need the output's layout"};
  }
  return Pass{.parts = {convolution_of(op.geometry, problem.in[1].shape, x, y)},
              .bias = op.bias,
              .epilogue = op.epilogue.steps()};
}

Derived<Pass> pass_of_gradient(const Problem& problem) {
  const auto& op = problem.op.get<ConvBackwardData>();
  if (auto refusal = refuse(problem, op.geometry, problem.out[0])) return *refusal;
  return Pass{.parts = gradient_of(op.geometry, problem.in[0].shape, problem.out[0], problem.in[1]),
              .x = 1,
              .weights = 0};
}

Derived<Pass> pass_of_linear(const Problem& problem) {
  const Type& w = problem.in[1];
  Convolution c{.dtype = w.dtype, .in = w.dim(1), .out = w.dim(0)};
  c.width = c.columns = problem.in[0].numel() / c.in;
  c.x = matrix(c.columns, c.in), c.y = matrix(c.columns, c.out);
  c.weights = {.out = c.in, .in = 1};
  const auto& op = problem.op.get<Linear>();
  return Pass{.parts = {c}, .bias = op.bias, .epilogue = op.epilogue.steps(), .sums = op.sums};
}

Derived<Pass> pass_of_product(const Problem& problem) {
  const auto& op = problem.op.get<MatMul>();
  const Type& a = problem.in[0];
  if (a.rank() != 2) return Refusal{"only two matrices"};
  if (op.transpose_a) return Refusal{"no sums over rows"};
  Convolution c{.dtype = a.dtype, .in = a.dim(1), .out = problem.out[0].dim(1)};
  c.width = c.columns = a.dim(0);
  c.x = matrix(c.columns, c.in), c.y = matrix(c.columns, c.out);
  c.weights = op.transpose_b ? Weights{.out = c.in, .in = 1} : Weights{.out = 1, .in = c.out};
  Pass pass{.parts = {c}, .value = op.value};
  if (op.slope) pass.slope = {.activation = op.slope, .alpha = op.alpha};
  return pass;
}

}  // namespace

bool cuts_patches(const ConvGeometry& g, const Shape& weight) {
  return weight.slice(2).numel() > 1 &&
         std::ranges::equal(g.stride, std::span(weight.begin() + 2, weight.end()));
}

Derived<Pass> pass_of(const Problem& problem) {
  if (auto refusal = unless_f32_or_bf16(problem)) return *refusal;
  if (auto refusal = refuse(problem)) return *refusal;
  if (problem.op.as<Conv>() != nullptr) return pass_of_convolution(problem);
  if (problem.op.as<ConvBackwardData>() != nullptr) return pass_of_gradient(problem);
  if (problem.op.as<Linear>() != nullptr) return pass_of_linear(problem);
  return pass_of_product(problem);
}

Derived<WeightGradient> weight_gradient_of(const Problem& problem) {
  if (auto refusal = refuse(problem)) return *refusal;
  if (!is_simd_float(problem.in[0].dtype) || problem.out[0].dtype != DType::f32)
    return Refusal{simd_floats()};
  if (const auto* op = problem.op.as<ConvBackwardWeights>()) {
    const Type &x = problem.in[0], &dy = problem.in[1];
    if (auto refusal = refuse(problem, op->geometry, dy)) return *refusal;
    return WeightGradient{
        .c = convolution_of(op->geometry, op->weight, x, dy), .x = 0, .dy = 1, .bias = op->bias};
  }
  const auto& op = problem.op.get<MatMul>();
  const Type &a = problem.in[0], &b = problem.in[1];
  if (a.rank() != 2) return Refusal{"only two matrices"};
  if (op.slope) return Refusal{"no slope in sums over rows"};
  if (op.transpose_b) return Refusal{"only one transposed matrix"};
  Convolution c{
      .dtype = a.dtype, .in = b.dim(1), .out = a.dim(1), .width = a.dim(0), .columns = a.dim(0)};
  c.x = matrix(c.columns, c.in), c.y = matrix(c.columns, c.out);
  return WeightGradient{.c = c, .x = 1, .dy = 0, .bias = op.sums};
}

}  // namespace fovea::simd::direct

namespace fovea::simd {

Offer make_direct(const Problem& problem) {
  auto pass = direct::pass_of(problem);
  if (const auto* refusal = std::get_if<Refusal>(&pass)) return *refusal;
  return direct::make_kernel(std::get<direct::Pass>(std::move(pass)), problem.threads);
}

Offer make_direct_weight_gradient(const Problem& problem) {
  const auto gradient = direct::weight_gradient_of(problem);
  if (const auto* refusal = std::get_if<Refusal>(&gradient)) return *refusal;
  const direct::Convolution& c = std::get<direct::WeightGradient>(gradient).c;
  if (c.x.layout == Layout::plain && !direct::joins_taps(c))
    return Refusal{"plain inputs only of fewer than 16 channels, with windows"};
  return direct::make_kernel(std::get<direct::WeightGradient>(gradient), problem.threads);
}

Offer make_direct_product(const Problem& problem) {
  return problem.op.get<MatMul>().transpose_a ? make_direct_weight_gradient(problem)
                                              : make_direct(problem);
}

/// Weights that change are packed in each run, at about a nanosecond each; gradients of weights
/// need positions enough for their sums to stay in registers.
double direct_price(const Problem& problem) {
  const double seconds = direct::share(problem) * nominal_seconds(problem);
  const auto* product = problem.op.as<MatMul>();
  const bool weights = problem.op.as<ConvBackwardWeights>() != nullptr;
  if (weights || (product != nullptr && product->transpose_a)) {
    const Type& dy = problem.in[weights ? 1 : 0];
    const int64_t positions = dy.numel() / std::max<int64_t>(1, dy.dim(1));
    return seconds * (1 + 32 / static_cast<double>(std::max<int64_t>(1, positions)));
  }
  if (weights_fixed) return seconds;
  const bool data = problem.op.as<ConvBackwardData>() != nullptr;
  return seconds + 1e-9 * static_cast<double>(problem.in[data ? 0 : 1].numel());
}

std::vector<Layouts> direct_layouts(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const Type &x = image_type(problem, pass.x), &y = image_type(problem, pass.y);
  if (x.rank() > 4 || pass.geometry.groups != 1) return {};
  const Layout before = preferred_layout(x), after = preferred_layout(y);
  if (weights_fixed && problem.op.as<Conv>() != nullptr)
    return {
        conv_layouts(problem, x.layout, after == Layout::plain ? Layout::channels_last : after)};
  const bool mixed = before != after && before != Layout::plain && after != Layout::plain;
  if (!mixed || !direct::reads_pixels(problem)) return {};
  return {conv_layouts(problem, before, after)};
}

}  // namespace fovea::simd
