#include <algorithm>
#include <cmath>

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

std::vector<Worked> worked_pads() {
  const Data row{{1, 1, 4}, {1, 2, 3, 4}}, column{{1, 1, 1, 2}, {1, 2}};
  const auto padded = [](const Padding& padding, PadMode mode, double value = 0) {
    return [=](const Tensors& in) { return Tensors{pad(in[0], padding, mode, value)}; };
  };
  return {
      {padded(2, PadMode::constant), {row}, {0, 0, 1, 2, 3, 4, 0, 0}},
      {padded(2, PadMode::constant, -5), {row}, {-5, -5, 1, 2, 3, 4, -5, -5}},
      {padded({{2, 3}}, PadMode::reflect), {row}, {3, 2, 1, 2, 3, 4, 3, 2, 1}},
      {padded({{2, 1}}, PadMode::replicate), {row}, {1, 1, 1, 2, 3, 4, 4}},
      {padded({{1, 4}}, PadMode::circular), {row}, {4, 1, 2, 3, 4, 1, 2, 3, 4}},
      // One number per axis, and pairs: H first.
      {padded({1, 0}, PadMode::constant), {column}, {0, 0, 1, 2, 0, 0}},
      {padded({{0, 0}, {1, 0}}, PadMode::constant), {column}, {0, 1, 2}},
  };
}

std::vector<Refused> refused_pads() {
  const Types image{{DType::f32, {1, 3, 4, 8}}};
  const auto padded = [](const Padding& padding, PadMode mode = PadMode::constant) {
    return [=](const Tensors& in) { return Tensors{pad(in[0], padding, mode)}; };
  };
  return {
      {padded(-1), image,
       "pad: padding is -1, must be from 0 to 2^31 (axis H)\n"
       "  input   f32[N=1, C=3, H=4, W=8]"},
      {padded({0, 8}, PadMode::reflect), image,
       "pad: padding is 8, reflect supports at most 7 (axis W)\n"
       "  input   f32[N=1, C=3, H=4, W=8]\n"
       "  try     less padding, a larger input, or another mode"},
      {padded({{0, 5}, {0, 0}}, PadMode::circular), image,
       "pad: padding is 5, circular supports at most 4 (axis H)\n"
       "  input   f32[N=1, C=3, H=4, W=8]\n"
       "  try     less padding, a larger input, or another mode"},
      {padded(1, PadMode::replicate),
       {{DType::f32, {1, 3, 0}}},
       "pad: padding is 1, replicate supports at most 0 (axis L)\n"
       "  input   f32[N=1, C=3, L=0]\n"
       "  try     less padding, a larger input, or another mode"},
      {padded({1, 1, 1}), image, "pad: padding has 3 numbers, the input has 2 spatial axes"},
      {padded("same"), image, "pad: padding is \"same\", but this op takes only numbers"},
      {padded(1),
       {{DType::f32, {3, 4}}},
       "pad: the input has 2 axes; N, C and 1 to 3 spatial ones are expected\n"
       "  input   f32[3, 4]"},
  };
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

/// The first numbers of 0, 1, ... in a different order per channel.
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
           Shape full = x.slice(2);
           for (int a = 0; a < full.rank(); ++a) full.set(a, full[a] + pick(r, 0, 3));
           return Sample{{},
                         MaxUnpool{full},
                         {{{dtype, x}, normal}, {{DType::i64, x}, indices_within(full.numel())}}};
         }));
  return samples;
}

std::vector<Sample> upsamples(DType dtype) {
  return repeat("upsample", shapes_per_op, [&](Random& r) {
    const Shape x = pick_image(r, pick(r, 1, 3), 6);
    const UpsampleMode mode = r.below(2) == 0 ? UpsampleMode::nearest : UpsampleMode::linear;
    Upsample op{pick_dims(r, x.rank() - 2, 1, 8), mode,
                mode == UpsampleMode::linear && r.below(2) == 0};
    if (!op.align_corners && r.below(2) == 0) {  // scales of which the output is rounded down
      for (size_t a = 0; a < op.output.size(); ++a) {
        const auto in = static_cast<double>(x[static_cast<int>(a) + 2]);
        op.scale.push_back((static_cast<double>(op.output[a]) + 0.4) / in);
      }
    }
    return Sample{{}, op, {{{dtype, x}, normal}}};
  });
}

}  // namespace

std::vector<Family> image_families() {
  return {
      {"pad", pads, 1e-8, worked_pads(), refused_pads()},
      {"conv_transpose", transposed_convolutions, 1e-8},
      {"pool_with_indices", pools_with_indices, 1e-8},
      {"upsample", upsamples, 1e-8},
  };
}

}  // namespace fovea::harness
