#include "kernels/convolutions.h"

#include "fovea/core/random.h"
#include "fovea/ops/conv.h"

namespace fovea::kernel_test {

Problem random_convolution(Random& random, int axes, const RandomConvolution& options) {
  const DType dtype = options.dtype;
  const int64_t groups = !options.blocks && random.below(3) == 0 ? pick(random, 2, 9) : 1;
  const auto channels = [&] {  // of a group of several 2 or more
    if (groups > 1) return groups * (random.below(3) == 0 ? 16 : pick(random, 2, 24));
    const bool blocks = options.blocks || random.below(2) == 0;
    return blocks ? 16 * pick(random, 1, 5) : pick(random, 1, 70);
  };
  const auto layout = [&](int64_t count) {
    if (count % 16 == 0 && random.below(2) == 0) return Layout::blocked16;
    return Layout::channels_last;
  };
  const bool pixels = random.below(3) == 0;  // 1x1, no padding: planes become rows
  // tiny: maps of a few positions, often a single one, where a stride must have no effect.
  const bool tiny = random.below(4) == 0, strided = !pixels || random.below(3) == 0;
  Conv op;
  Type x{dtype, {pick(random, 1, 4), channels()}}, y{dtype, {x.dim(0), channels()}};
  Type weight{dtype, {y.dim(1), x.dim(1) / groups}};
  op.geometry.groups = groups;
  for (int axis = 0; axis < axes; ++axis) {
    const int64_t kernel = pixels ? 1 : pick(random, 1, 4), dilation = pick(random, 1, 2);
    const int64_t stride = strided ? pick(random, 1, 3) : 1, reach = (kernel - 1) * dilation + 1;
    const int64_t before = pixels ? 0 : pick(random, 0, 3), after = pixels ? 0 : pick(random, 0, 3);
    const int64_t size = pick(random, reach, reach + (tiny ? 1 : 20));
    op.geometry.stride.push_back(stride), op.geometry.dilation.push_back(dilation);
    op.geometry.padding_begin.push_back(before), op.geometry.padding_end.push_back(after);
    op.kernel = op.kernel.concat({kernel}), weight.shape = weight.shape.concat({kernel});
    x.shape = x.shape.concat({size});
    y.shape = y.shape.concat({(size + before + after - reach) / stride + 1});
  }
  x.layout = random.below(4) == 0 ? Layout::plain : layout(x.dim(1));
  y.layout = layout(y.dim(1));
  Types in{x, weight};
  op.bias = random.below(2) == 0;
  if (op.bias) in.push_back({DType::f32, {y.dim(1)}});
  // Between two steps, the reference rounds bf16 once more.
  for (int64_t steps = pick(random, 0, dtype == DType::f32 ? 3 : 1); steps > 0; --steps) {
    if (random.below(2) == 0) {
      op.epilogue.append({});
    } else {
      const auto kind =
          static_cast<UnaryKind>(random.below(static_cast<size_t>(UnaryKind::hardswish) + 1));
      op.epilogue.append({.activation = kind, .alpha = 0.5});
    }
  }
  in.insert(in.end(), op.epilogue.residuals(), y);
  return {.op = op, .in = in, .out = {y}, .threads = 1};
}

Problem random_gradient(Random& random, int axes, bool weights, const RandomConvolution& options) {
  const DType dtype = options.dtype;
  const Problem forward = random_convolution(random, axes, {.blocks = options.blocks});
  const ConvGeometry& g = forward.op.get<Conv>().geometry;
  Type x = forward.in[0], w = forward.in[1], y = forward.out[0];
  if (x.layout == Layout::plain) x.layout = Layout::channels_last;
  x.dtype = w.dtype = y.dtype = dtype;
  if (!weights) return {.op = ConvBackwardData{g, x.shape}, .in = {w, y}, .out = {x}, .threads = 1};
  const ConvBackwardWeights op{g, w.shape, random.below(2) == 0};
  Types out{{DType::f32, w.shape}};
  if (op.bias) out.push_back({DType::f32, {w.dim(0)}});
  return {.op = op, .in = {x, y}, .out = out, .threads = 1};
}

}  // namespace fovea::kernel_test
