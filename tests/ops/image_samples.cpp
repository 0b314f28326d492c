#include "fovea/ops.h"
#include "ops/draw.h"
#include "ops/samples.h"

namespace fovea::harness {
namespace {

std::vector<Sample> pads(DType dtype) {
  std::vector<Sample> samples;
  for (const PadMode mode :
       {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    append(samples, repeat("pad", shapes_per_op, [&](Random& r) {
             const Shape x = pick_image(r, pick(r, 1, 3), 5);
             const int axes = x.rank() - 2;
             const Pad op{pick_dims(r, axes, 0, 3), pick_dims(r, axes, 0, 3), mode,
                          mode == PadMode::constant ? r.normal() : 0};
             return Sample{{}, op, {{{dtype, x}, normal}}};
           }));
  }
  return samples;
}

std::vector<Sample> transposed_convolutions(DType dtype) {
  return repeat("conv_transpose", shapes_per_op, [&](Random& r) {
    const int64_t groups = pick(r, 1, 3), group_in = pick(r, 1, 2), group_out = pick(r, 1, 2);
    const Shape input =
        pick_image(r, groups * group_out, 7);  // of the convolution: the output here
    const int axes = input.rank() - 2;
    const Shape kernel(std::span<const int64_t>(pick_dims(r, axes, 1, 3)));
    const Shape weight = Shape{groups * group_in, group_out}.concat(kernel);
    const ConvGeometry geometry{pick_dims(r, axes, 1, 3), pick_dims(r, axes, 1, 2),
                                pick_dims(r, axes, 0, 2), pick_dims(r, axes, 0, 2), groups};
    Shape x{input[0], weight[0]};
    for (int a = 0; a < axes; ++a) {
      x = x.concat({std::max<int64_t>(
          output_size(input[a + 2], geometry.axes(weight)[static_cast<size_t>(a)]), 1)});
    }
    return Sample{
        {}, ConvBackwardData{geometry, input}, {{{dtype, weight}, normal}, {{dtype, x}, normal}}};
  });
}

/// The first numbers of 0, 1, ... in another order a channel.
Fill indices_within(int64_t plane) {
  return [=](Random& random, const View& x) {
    const int64_t pooled = x.shape.slice(2).numel();
    for (int64_t first = 0; first < x.numel(); first += pooled) {
      std::vector<double> order(static_cast<size_t>(plane));
      distinct(random, {order.data(), {plane}});
      for (int64_t i = 0; i < pooled; ++i) {
        x[first + i] =
            std::round(order[static_cast<size_t>(i)] * 10) + static_cast<double>(plane / 2);
      }
    }
  };
}

std::vector<Sample> pools_with_indices(DType dtype) {
  std::vector<Sample> samples;
  append(samples, repeat("max_pool_indices", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 8);
           return Sample{{}, MaxPoolIndices{pick_pool(r, x.rank() - 2)}, {{{dtype, x}, distinct}}};
         }));
  append(samples, repeat("adaptive_max_pool", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 8);
           return Sample{
               {}, AdaptiveMaxPool{pick_dims(r, x.rank() - 2, 1, 5)}, {{{dtype, x}, distinct}}};
         }));
  append(samples, repeat("max_unpool", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 5);
           Shape whole = x.slice(2);
           for (int a = 0; a < whole.rank(); ++a) whole.set(a, whole[a] + pick(r, 0, 3));
           return Sample{{},
                         MaxUnpool{whole},
                         {{{dtype, x}, normal}, {{DType::i64, x}, indices_within(whole.numel())}}};
         }));
  return samples;
}

std::vector<Sample> upsamples(DType dtype) {
  return repeat("upsample", shapes_per_op, [&](Random& r) {
    const Shape x = pick_image(r, pick(r, 1, 3), 6);
    const UpsampleMode mode = r.below(2) == 0 ? UpsampleMode::nearest : UpsampleMode::linear;
    const Upsample op{pick_dims(r, x.rank() - 2, 1, 8), mode,
                      mode == UpsampleMode::linear && r.below(2) == 0};
    return Sample{{}, op, {{{dtype, x}, normal}}};
  });
}

}  // namespace

std::vector<Family> image_families() {
  return {
      {"pad", pads, 1e-8},
      {"conv_transpose", transposed_convolutions, 1e-8},
      {"pool_with_indices", pools_with_indices, 1e-8},
      {"upsample", upsamples, 1e-8},
  };
}

}  // namespace fovea::harness
