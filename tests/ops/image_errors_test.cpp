#include "fovea/ops.h"
#include "ops/errors.h"

namespace fovea {
namespace {

using ImageErrors = Errors;

TEST_F(ImageErrors, ConvPadding) {
  const Tensor x = value({1, 3, 8, 8}), w = value({4, 3, 3, 3});
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.padding = "equal"}); }),
            "conv2d: there is no padding \"equal\"\n"
            "  try     \"valid\", \"same\", \"full\", or numbers");
  EXPECT_EQ(usage([&] {
              conv2d(x, w, {}, {.padding = {{1, 1}, {1, 1}, {1, 1}}});
            }),
            "conv2d: padding has 3 numbers, the input has 2 spatial axes");
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.stride = 0, .padding = "same"}); }),
            "conv2d: stride is 0, must be from 1 to 2^31");
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.padding = 8, .padding_mode = PadMode::reflect}); }),
            "pad: padding is 8, reflect supports at most 7 (axis H)\n"
            "  input   f32[N=1, C=3, H=8, W=8]\n"
            "  try     less padding, a larger input, or another mode");
}

TEST_F(ImageErrors, ConvTranspose) {
  const Tensor x = value({1, 4, 8, 8}), w = value({4, 6, 3, 3});
  EXPECT_EQ(usage([&] {
              conv_transpose2d(value({1, 5, 8, 8}), w);
            }),
            "conv_transpose2d: input has 5 channels, weight expects 4\n"
            "  input   f32[N=1, C=5, H=8, W=8]\n"
            "  weight  f32[I=4, O=6, H=3, W=3], groups=1");
  EXPECT_EQ(usage([&] { conv_transpose(x, w, {}, {.groups = 3}); }),
            "conv_transpose2d: groups=3 does not divide 4 input channels\n"
            "  input   f32[N=1, C=4, H=8, W=8]\n"
            "  weight  f32[I=4, O=6, H=3, W=3], groups=3");
  EXPECT_EQ(usage([&] {
              conv_transpose2d(x, value({4, 6, 3}));
            }),
            "conv_transpose2d: the weight has 3 axes, the input 4\n"
            "  input   f32[N=1, C=4, H=8, W=8]\n"
            "  weight  f32[I=4, O=6, L=3], groups=1");
  EXPECT_EQ(usage([&] {
              conv_transpose2d(x, value({4, 6, 3, 3}, DType::f64));
            }),
            "conv_transpose2d: input is f32, weight is f64; both must have the same float type\n"
            "  input   f32[N=1, C=4, H=8, W=8]\n"
            "  weight  f64[I=4, O=6, H=3, W=3], groups=1");
  EXPECT_EQ(usage([&] { conv_transpose2d(x, w, value({4})); }),
            "conv_transpose2d: bias is f32[4], expected f32[6]\n"
            "  input   f32[N=1, C=4, H=8, W=8]");
  EXPECT_EQ(
      usage([&] {
        conv_transpose2d(x, w, {}, {.stride = 2, .output_padding = {1, 2}});
      }),
      "conv_transpose2d: output_padding is 2, must be from 0 to 1 with stride 2 and dilation 1 "
      "(axis W)\n"
      "  input   f32[N=1, C=4, H=8, W=8]");
  EXPECT_EQ(usage([&] { conv_transpose2d(x, w, {}, {.padding = 5}); }),
            "conv_transpose2d: padding of 5 on both sides leaves nothing of the output's 10 (axis "
            "H)\n"
            "  input   f32[N=1, C=4, H=8, W=8]\n"
            "  try     less padding, or a larger input");
  EXPECT_EQ(usage([&] { conv_transpose2d(x, w, {}, {.stride = 0}); }),
            "conv_transpose2d: stride is 0, must be from 1 to 2^31");
  EXPECT_EQ(usage([&] {
              conv_transpose(value({1, 4, 0}), value({4, 6, 3}));
            }),
            "conv_transpose1d: the input has no elements (axis L)\n"
            "  input   f32[N=1, C=4, L=0]");
  EXPECT_EQ(usage([&] {
              conv_transpose2d(value({1, 4, 8}), value({4, 6, 3}));
            }),
            "conv_transpose2d: the input has 3 axes; N, C, H, W are expected\n"
            "  input   f32[1, 4, 8]");
}

TEST_F(ImageErrors, PoolsWithIndices) {
  const Tensor x = value({1, 3, 4, 4});
  EXPECT_EQ(usage([&] { max_pool_with_indices(x, {.kernel = 5}); }),
            "max_pool2d: the window spans 5, but the padded input only 4 (axis H)\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  try     a larger input, more padding, or a smaller kernel or dilation");
  EXPECT_EQ(usage([&] {
              max_unpool(x, x, {8, 8});
            }),
            "max_unpool: indices is f32[1, 3, 4, 4], expected i64[1, 3, 4, 4]\n"
            "  input   f32[N=1, C=3, H=4, W=4]");
  EXPECT_EQ(usage([&] {
              max_unpool(x, value({1, 3, 4, 4}, DType::i64), {8});
            }),
            "max_unpool: the spatial shape has 1 axis, the input 2\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  spatial [8]");
  EXPECT_EQ(
      error_text(ErrorKind::data,
                 [] {
                   harness::run(
                       [](const Tensors& in) { return Tensors{max_unpool(in[0], in[1], {3})}; },
                       {{{1, 1, 1}, {5}}, {{1, 1, 1}, {3}, DType::i64}});
                 }),
      "max_unpool: index 3 is not within a channel of 3 elements\n"
      "  try     the spatial shape that was pooled");
  EXPECT_EQ(usage([&] {
              adaptive_max_pool2d(x, {7, 0});
            }),
            "adaptive_max_pool: an output size is 0\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  output  7x0\n"
            "  try     output sizes of 1 to 2^31");
  EXPECT_EQ(usage([&] {
              global_max_pool(value({1, 3}));
            }),
            "global_max_pool: the input has 2 axes; N, C and 1 to 3 spatial ones are expected\n"
            "  input   f32[1, 3]");
}

TEST_F(ImageErrors, ChannelNorms) {
  const Tensor x = value({2, 6, 4}), v = value({6}), w = value({4});
  EXPECT_EQ(usage([&] { group_norm(x, 4); }),
            "group_norm: groups=4 does not divide 6 channels\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { group_norm(x, 2, w); }),
            "group_norm: gamma is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { instance_norm(x, v, w); }),
            "instance_norm: beta is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] {
              instance_norm(value({2, 6, 0}));
            }),
            "instance_norm: a group has no elements\n"
            "  input   f32[N=2, C=6, L=0]");
  EXPECT_EQ(usage([&] { group_norm(v, 2); }),
            "group_norm: the input has 1 axis; N, C and at most 3 spatial ones are expected\n"
            "  input   f32[6]");
  EXPECT_EQ(usage([&] { layer_norm_channels(x, w, v); }),
            "layer_norm_channels: gamma is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { global_response_norm(x, v, w); }),
            "global_response_norm: beta is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { layer_scale(x, w); }),
            "layer_scale: gamma is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { prelu(x, w); }),
            "prelu: slope is f32[4], expected f32[6]\n"
            "  input   f32[N=2, C=6, L=4]");
  EXPECT_EQ(usage([&] { spatial_dropout(v, 0.5); }),
            "spatial_dropout: there is no axis 1; the input has 1 axis\n"
            "  input   f32[6]");
  EXPECT_EQ(usage([&] { softmax(x, 3); }),
            "softmax: there is no axis 3; the input has 3 axes\n"
            "  input   f32[2, 6, 4]");
}

TEST_F(ImageErrors, Upsample) {
  const Tensor x = value({1, 3, 4, 4});
  EXPECT_EQ(usage([&] {
              upsample(x, {2, 0});
            }),
            "upsample: scale is 0, which gives no valid size from 4 (axis W)\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  try     scales above 0 that give at least 1 pixel");
  EXPECT_EQ(usage([&] { upsample(x, 0.2); }),
            "upsample: scale is 0.2, which gives no valid size from 4 (axis H)\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  try     scales above 0 that give at least 1 pixel");
  EXPECT_EQ(usage([&] {
              upsample_to(x, {8, 0});
            }),
            "upsample: an output size is 0, must be from 1 to 2^31\n"
            "  input   f32[N=1, C=3, H=4, W=4]");
  EXPECT_EQ(usage([&] {
              upsample_to(x, {8, 8, 8});
            }),
            "upsample: size has 3 numbers, the input has 2 spatial axes");
  EXPECT_EQ(usage([&] { upsample(x, 2, {.align_corners = true}); }),
            "upsample: align_corners does not apply to nearest\n"
            "  input   f32[N=1, C=3, H=4, W=4]\n"
            "  try     UpsampleMode::linear");
  EXPECT_EQ(usage([&] {
              upsample(value({1, 3, 0}), 2);
            }),
            "upsample: a spatial axis has no elements\n"
            "  input   f32[N=1, C=3, L=0]");
}

TEST_F(ImageErrors, Shuffles) {
  const Tensor x = value({1, 6, 4, 5});
  EXPECT_EQ(usage([&] { pixel_shuffle(x, 2); }),
            "pixel_shuffle: blocks of 2x2 cannot be made from 6 channels\n"
            "  input   f32[N=1, C=6, H=4, W=5]");
  EXPECT_EQ(usage([&] { pixel_unshuffle(x, 2); }),
            "pixel_unshuffle: 4x5 pixels cannot be cut into blocks of 2x2\n"
            "  input   f32[N=1, C=6, H=4, W=5]");
  EXPECT_EQ(usage([&] { channel_shuffle(x, 0); }),
            "channel_shuffle: groups=0 does not divide 6 channels\n"
            "  input   f32[N=1, C=6, H=4, W=5]");
}

TEST_F(ImageErrors, SplitAndReduce) {
  const Tensor x = value({2, 4});
  EXPECT_EQ(usage([&] {
              split(x, {1, 2}, 1);
            }),
            "split: the parts leave out 1 of the 4 elements of axis 1\n"
            "  input   f32[2, 4]");
  EXPECT_EQ(usage([&] {
              split(x, {3, 2}, 1);
            }),
            "split: the parts are longer than axis 1, which has 4 elements\n"
            "  input   f32[2, 4]");
  EXPECT_EQ(usage([&] {
              split(x, {5, -1}, 1);
            }),
            "split: the parts are longer than axis 1, which has 4 elements\n"
            "  input   f32[2, 4]");
  EXPECT_EQ(usage([&] {
              split(x, {-1, 5}, 1);
            }),
            "split: a part has -1 elements\n"
            "  input   f32[2, 4]");
  EXPECT_EQ(usage([&] { sum(x, {2}); }),
            "sum: there is no axis 2; the input has 2 axes\n"
            "  input   f32[2, 4]");
  EXPECT_EQ(usage([&] {
              max(value({2, 0}), {1});
            }),
            "max: there are no elements to take the maximum of\n"
            "  input   f32[2, 0]");
  EXPECT_EQ(usage([&] {
              mean(value({2, 2}, DType::i64), {1});
            }),
            "mean: the input is i64, must be a float type\n"
            "  input   i64[2, 2]\n"
            "  try     cast(x, DType::f32)");
}

}  // namespace
}  // namespace fovea
