#include "ops/errors.h"
#include "fovea/ops.h"

namespace fovea {
namespace {

TEST_F(Errors, Conv) {
  const Tensor x = value({8, 4, 32, 32}), w = value({64, 3, 7, 7});
  EXPECT_EQ(usage([&] { conv2d(x, w); }),
            "conv2d: input has 4 channels, weight expects 3\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f32[O=64, I=3, H=7, W=7], groups=1\n"
            "  try     a layer with in_channels = 4, or input of 3 channels");
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.groups = 3}); }),
            "conv2d: groups=3 does not divide 4 input and 64 output channels\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f32[O=64, I=3, H=7, W=7], groups=3");
  EXPECT_EQ(usage([&] {
              conv2d(value({8, 4, 32}), w);
            }),
            "conv2d: the input has 3 axes; N, C, H, W are expected\n"
            "  input   f32[8, 4, 32]");
  EXPECT_EQ(usage([&] {
              conv(value({8, 4}), value({4, 4}));
            }),
            "conv: the input has 2 axes; N, C and 1 to 3 spatial ones are expected\n"
            "  input   f32[8, 4]");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3}));
            }),
            "conv2d: the weight has 3 axes, the input 4\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f32[O=4, I=4, L=3], groups=1");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3, 3}, DType::f64));
            }),
            "conv2d: input is f32, weight is f64; both must have the same float type\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f64[O=4, I=4, H=3, W=3], groups=1");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3, 3}), value({5}));
            }),
            "conv2d: bias is f32[5], expected f32[4]\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f32[O=4, I=4, H=3, W=3], groups=1");
  EXPECT_EQ(usage([&] {
              conv2d(value({8, 4, 32, 32}, DType::bf16), value({4, 4, 3, 3}, DType::bf16),
                     value({4}, DType::bf16));
            }),
            "conv2d: bias is bf16[4], expected f32[4]\n"
            "  input   bf16[N=8, C=4, H=32, W=32]\n"
            "  weight  bf16[O=4, I=4, H=3, W=3], groups=1");
  EXPECT_EQ(usage([&] {
              conv2d(value({1, 3, 9, 2}), value({4, 3, 7, 7}), {}, {.padding = 1});
            }),
            "conv2d: the window spans 7, but the padded input only 4 (axis W)\n"
            "  input   f32[N=1, C=3, H=9, W=2]\n"
            "  try     a larger input, more padding, or a smaller kernel or dilation");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3, 3}), {}, {.stride = 0});
            }),
            "conv2d: stride is 0, must be from 1 to 2^31");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3, 3}), {}, {.padding = -1});
            }),
            "conv2d: padding is -1, must be from 0 to 2^31");
  EXPECT_EQ(usage([&] {
              conv2d(x, value({4, 4, 3, 3}), {}, {.stride = {1, 2, 3}});
            }),
            "conv2d: stride has 3 numbers, the input has 2 spatial axes");
}

TEST_F(Errors, SayWhereTheOpIsInTheModel) {
  const auto titled = Graph::make(Mode::train, DType::f32, "resnet18");
  const Tensor x = titled->input("x", {DType::f32, {8, 4, 32, 32}});
  const Tensor w = titled->input("w", {DType::f32, {64, 3, 7, 7}});
  titled->enter("conv1", {});
  EXPECT_EQ(usage([&] { conv2d(x, w); }),
            "conv2d: input has 4 channels, weight expects 3\n"
            "  input   f32[N=8, C=4, H=32, W=32]\n"
            "  weight  f32[O=64, I=3, H=7, W=7], groups=1\n"
            "  at      resnet18.conv1\n"
            "  try     a layer with in_channels = 4, or input of 3 channels");
}

TEST_F(Errors, Activation) {
  EXPECT_EQ(usage([&] {
              relu(value({8, 10}, DType::i64));
            }),
            "relu: the input is i64, must be a float type\n"
            "  input   i64[8, 10]\n"
            "  try     cast(x, DType::f32)");
}

TEST_F(Errors, Arithmetic) {
  EXPECT_EQ(usage([&] {
              value({8, 3}) + value({8, 4});
            }),
            "add: axis 1 is 3 in one operand and 4 in the other\n"
            "  first   f32[8, 3]\n"
            "  second  f32[8, 4]\n"
            "  try     shapes that are equal, or have 1 where they differ");
  EXPECT_EQ(usage([&] {
              value({8, 3}) * value({8, 3}, DType::f64);
            }),
            "mul: one operand is f32, the other f64\n"
            "  first   f32[8, 3]\n"
            "  second  f64[8, 3]\n"
            "  try     cast() on one of them");
  EXPECT_EQ(usage([&] { value({8}, DType::i64) / value({8}, DType::i64); }),
            "div: the first is i64, must be a float type\n"
            "  first   i64[8]\n"
            "  try     cast(x, DType::f32)");
  EXPECT_EQ(usage([&] { value({8}, DType::u8) * 2.0; }),
            "affine: the input is u8, must be a float type\n"
            "  input   u8[8]\n"
            "  try     cast(x, DType::f32)");
  EXPECT_EQ(usage([&] {
              sum_to(value({8, 3}), {2, 3});
            }),
            "sum_to: [2, 3] does not broadcast to [8, 3]\n"
            "  input   f32[8, 3]\n"
            "  try     a shape whose axes, from the last one on, are equal or 1");
  EXPECT_EQ(usage([&] {
              sum_of_products(value({8, 3}), value({8, 1}), {3});
            }),
            "sum_of_products: the factors have different shapes\n"
            "  first   f32[8, 3]\n"
            "  second  f32[8, 1]\n"
            "  try     sum_to(a * b, shape)");
  EXPECT_EQ(usage([&] {
              multiply_add(value({8, 3}), value({2, 3}), value({3}));
            }),
            "multiply_add: [2, 3] does not broadcast to [8, 3]\n"
            "  input   f32[8, 3]\n"
            "  try     a shape whose axes, from the last one on, are equal or 1");
  EXPECT_EQ(usage([&] {
              broadcast_to(value({8, 3}), {3});
            }),
            "broadcast_to: [8, 3] does not broadcast to [3]\n"
            "  input   f32[8, 3]\n"
            "  try     a shape whose axes, from the last one on, are equal or 1");
  EXPECT_EQ(usage([&] { increment(value({})); }),
            "increment: the input is f32, i64 is expected\n"
            "  input   f32[]\n"
            "  try     x + 1.0 for float types");
}

TEST_F(Errors, Pool) {
  const Tensor x = value({1, 3, 8, 8});
  EXPECT_EQ(usage([&] { max_pool2d(x, {.kernel = 2, .padding = 2}); }),
            "max_pool2d: padding is 2, must be at most half of the window's 2\n"
            "  input   f32[N=1, C=3, H=8, W=8]\n"
            "  try     padding of 1, or a larger kernel");
  EXPECT_EQ(usage([&] { avg_pool2d(x, {.kernel = 9}); }),
            "avg_pool2d: the window spans 9, but the padded input only 8 (axis H)\n"
            "  input   f32[N=1, C=3, H=8, W=8]\n"
            "  try     a larger input, more padding, or a smaller kernel or dilation");
  EXPECT_EQ(usage([&] {
              max_pool2d(value({1, 3, 8, 0}), {.kernel = 2, .padding = 1});
            }),
            "max_pool2d: a window contains only padding (axis W)\n"
            "  input   f32[N=1, C=3, H=8, W=0]\n"
            "  try     a larger input, or less padding or dilation");
  EXPECT_EQ(usage([&] {
              max_pool(value({1, 2, 2}), {.kernel = 2, .padding = 1, .dilation = 3});
            }),
            "max_pool1d: a window contains only padding (axis L)\n"
            "  input   f32[N=1, C=2, L=2]\n"
            "  try     a larger input, or less padding or dilation");
  EXPECT_EQ(usage([&] {
              max_pool(value({1, 3}), {.kernel = 2});
            }),
            "max_pool: the input has 2 axes; N, C and 1 to 3 spatial ones are expected\n"
            "  input   f32[1, 3]");
  EXPECT_EQ(usage([&] {
              max_pool2d(value({1, 3, 8}), {.kernel = 2});
            }),
            "max_pool2d: the input has 3 axes; N, C, H, W are expected\n"
            "  input   f32[1, 3, 8]");
  EXPECT_EQ(usage([&] {
              avg_pool2d(value({1, 3, 8, 8}, DType::u8), {.kernel = 2});
            }),
            "avg_pool: the input is u8, must be a float type\n"
            "  input   u8[1, 3, 8, 8]\n"
            "  try     cast(x, DType::f32)");
  EXPECT_EQ(usage([&] {
              adaptive_avg_pool2d(x, {7, 0});
            }),
            "adaptive_avg_pool: an output size is 0\n"
            "  input   f32[N=1, C=3, H=8, W=8]\n"
            "  output  7x0\n"
            "  try     output sizes of 1 to 2^31");
  EXPECT_EQ(usage([&] {
              global_avg_pool(value({1, 3, 0}));
            }),
            "adaptive_avg_pool: a spatial axis has no elements\n"
            "  input   f32[N=1, C=3, L=0]\n"
            "  output  1\n"
            "  try     a larger input");
}

TEST_F(Errors, BatchNorm) {
  const Tensor v64 = value({64}), v32 = value({32});
  const auto norm = [&](const Tensor& x, const Tensor& gamma, const Tensor& rest) {
    batch_norm(x, gamma, rest, rest, rest);
  };
  EXPECT_EQ(usage([&] {
              norm(value({1, 64, 1, 1}), v64, v64);
            }),
            "batch_norm: one value per channel; training needs at least 2 to compute a variance\n"
            "  input   f32[N=1, C=64, H=1, W=1]\n"
            "  try     a larger batch (or no last batch of 1), a larger image, or eval mode");
  EXPECT_EQ(usage([&] {
              norm(value({0, 64, 4, 4}), v64, v64);
            }),
            "batch_norm: no values per channel; training needs at least 2 to compute a variance\n"
            "  input   f32[N=0, C=64, H=4, W=4]\n"
            "  try     a larger batch (or no last batch of 1), a larger image, or eval mode");
  EXPECT_EQ(usage([&] {
              norm(value({8, 64, 4, 4}), v32, v64);
            }),
            "batch_norm: input has 64 channels, gamma has 32\n"
            "  input   f32[N=8, C=64, H=4, W=4]\n"
            "  gamma   f32[C=32]\n"
            "  try     a norm of 64 channels");
  EXPECT_EQ(usage([&] {
              norm(value({8, 64}), value({64}, DType::f64), v64);
            }),
            "batch_norm: gamma is f64[64], expected f32[64]\n"
            "  input   f32[N=8, C=64]");
  EXPECT_EQ(usage([&] { norm(value({64}), v64, v64); }),
            "batch_norm: the input has 1 axis; N, C and at most 3 spatial ones are expected\n"
            "  input   f32[64]");
  EXPECT_NO_THROW(batch_norm_eval(value({1, 64}), v64, v64, v64, v64));  // one value is enough here
}

TEST_F(Errors, LayerNorm) {
  const Tensor x = value({8, 16, 96}), v = value({64});
  EXPECT_EQ(usage([&] { layer_norm(x, v, v); }),
            "layer_norm: gamma is f32[64], expected f32[96]\n"
            "  input   f32[N=8, C=16, L=96]");
  EXPECT_EQ(usage([&] { layer_norm(x, v, v, 4); }),
            "layer_norm: it normalises the last 4 axes, but the input has 3\n"
            "  input   f32[8, 16, 96]");
  EXPECT_EQ(usage([&] {
              layer_norm(value({8, 0}), value({0}), value({0}));
            }),
            "layer_norm: the axes to normalise have no elements\n"
            "  input   f32[8, 0]");
}

TEST_F(Errors, Linear) {
  EXPECT_EQ(usage([&] {
              linear(value({128, 3136}), value({128, 4096}));
            }),
            "linear: input has 3136 features, weight expects 4096\n"
            "  input   f32[N=128, I=3136]\n"
            "  weight  f32[O=128, I=4096]\n"
            "  try     a layer with in_features = 3136, or an image size that gives 4096 features "
            "here");
  EXPECT_EQ(usage([&] {
              linear(value({8, 4}), value({5, 4}, DType::f64));
            }),
            "linear: input is f32, weight is f64; both must have the same float type\n"
            "  input   f32[N=8, I=4]\n"
            "  weight  f64[O=5, I=4]");
  EXPECT_EQ(usage([&] {
              linear(value({8, 4}), value({5, 4, 1, 1}));
            }),
            "linear: the input has 2 axes, the weight 4; at least 1 and exactly 2 are expected\n"
            "  input   f32[N=8, I=4]\n"
            "  weight  f32[5, 4, 1, 1]");
  EXPECT_EQ(usage([&] {
              linear(value({8, 4}), value({5, 4}), value({4}));
            }),
            "linear: bias is f32[4], expected f32[5]\n"
            "  input   f32[N=8, C=4]");
  EXPECT_EQ(usage([&] {
              matmul(value({2, 3}), value({4, 5}));
            }),
            "matmul: the first has 3 columns, the second has 4 rows\n"
            "  first   f32[2, 3]\n"
            "  second  f32[4, 5]");
  EXPECT_EQ(usage([&] {
              matmul(value({7, 2, 3}), value({3, 5}));
            }),
            "matmul: both operands need two axes, after identical leading axes\n"
            "  first   f32[7, 2, 3]\n"
            "  second  f32[3, 5]");
  EXPECT_EQ(usage([&] {
              matmul(value({2, 3}), value({3, 5}, DType::f64));
            }),
            "matmul: one operand is f32, the other f64; both must have the same float type\n"
            "  first   f32[2, 3]\n"
            "  second  f64[3, 5]");
}

TEST_F(Errors, Dropout) {
  EXPECT_EQ(usage([&] {
              dropout(value({8, 4}), 1.5);
            }),
            "dropout: p is 1.5, must be from 0 to 1\n"
            "  input   f32[8, 4]\n"
            "  try     the fraction of elements to drop: 0.5 for half of them");
  EXPECT_EQ(usage([&] {
              dropout(value({8, 4}, DType::i32));
            }),
            "dropout: the input is i32, must be a float type\n"
            "  input   i32[8, 4]\n"
            "  try     cast(x, DType::f32)");
}

TEST_F(Errors, Loss) {
  const Tensor logits = value({8, 10});
  EXPECT_EQ(usage([&] { cross_entropy(logits, value({7}, DType::i64)); }),
            "cross_entropy: targets do not fit the logits\n"
            "  logits  f32[N=8, K=10]\n"
            "  targets i64[7]\n"
            "  try     labels i64[8], or soft targets f32[8, 10]");
  EXPECT_EQ(usage([&] {
              cross_entropy(value({8, 10, 1, 1}), value({8}, DType::i64));
            }),
            "cross_entropy: targets do not fit the logits\n"
            "  logits  f32[N=8, K=10, H=1, W=1]\n"
            "  targets i64[8]\n"
            "  try     labels i64[8, 1, 1], or soft targets f32[8, 10, 1, 1]");
  EXPECT_EQ(usage([&] {
              cross_entropy(value({0, 10}), value({0}, DType::i64));
            }),
            "cross_entropy: there are no elements to average\n"
            "  logits  f32[N=0, K=10]\n"
            "  targets i64[0]");
  EXPECT_EQ(
      usage([&] { cross_entropy(logits, value({8}, DType::i64), {.label_smoothing = -0.1}); }),
      "cross_entropy: label_smoothing is -0.1, must be from 0 to 1\n"
      "  logits  f32[N=8, K=10]\n"
      "  targets i64[8]");
  EXPECT_EQ(usage([&] { softmax(value({8})); }),
            "softmax: the input has 1 axis; at least N and K are expected\n"
            "  input   f32[8]");

  const auto loss = [](double label) {
    harness::run([](const Tensors& in) { return Tensors{cross_entropy(in[0], in[1])}; },
                 {{{2, 3}, std::vector<double>(6, 0.0)}, {{2}, {0, label}, DType::i64}});
  };
  EXPECT_EQ(error_text(ErrorKind::data, [&] { loss(3); }),
            "cross_entropy: label 3 of sample 1 is not one of 3 classes\n"
            "  try     labels from 0 to 2, or a net with more classes");
  EXPECT_EQ(error_text(ErrorKind::data, [&] { loss(-1); }),
            "cross_entropy: label -1 of sample 1 is not one of 3 classes\n"
            "  try     labels from 0 to 2, or a net with more classes");
}

TEST_F(Errors, ShapeOps) {
  const Tensor x = value({2, 3, 4});
  EXPECT_EQ(usage([&] {
              reshape(x, {5, 5});
            }),
            "reshape: the input has 24 elements, [5, 5] has 25\n"
            "  input   f32[2, 3, 4]");
  EXPECT_EQ(usage([&] { flatten(x, 3); }),
            "flatten: there is no axis 3; the input has 3 axes\n"
            "  input   f32[2, 3, 4]");
  EXPECT_EQ(usage([&] {
              permute(x, {0, 2, 2});
            }),
            "permute: axes [0, 2, 2] must name each of the input's 3 axes once\n"
            "  input   f32[2, 3, 4]");
  EXPECT_EQ(usage([&] {
              concat({x, value({2, 5, 4}), value({2, 3, 5})}, 1);
            }),
            "concat: inputs may differ only along axis 1, input 2 does not fit input 0\n"
            "  input 0 f32[2, 3, 4]\n"
            "  input 2 f32[2, 3, 5]");
  EXPECT_EQ(usage([&] { concat({}, 1); }),
            "concat: there are no tensors to join\n"
            "  try     at least one tensor");
  EXPECT_EQ(usage([&] { slice(x, -1, 2, 5); }),
            "slice: [2, 5) is not within axis 2, which has 4 elements\n"
            "  input   f32[2, 3, 4]");
  EXPECT_EQ(usage([&] { slice(x, -4, 0, 1); }),
            "slice: there is no axis -4; the input has 3 axes\n"
            "  input   f32[2, 3, 4]");
}

TEST_F(Errors, Images) {
  const Tensor images = value({8, 28, 28, 1}, DType::u8);
  EXPECT_EQ(usage([&] {
              normalize_images(images, {0.5f, 0.5f, 0.5f}, {1, 1, 1});
            }),
            "normalize_images: images have 1 channel, mean has 3 and std 3\n"
            "  input   u8[N=8, H=28, W=28, C=1]\n"
            "  try     one number per channel, or images converted to 3 channels");
  EXPECT_EQ(usage([&] { normalize_images(images, {0.5f}, {0}); }),
            "normalize_images: std is 0, must be above 0\n"
            "  input   u8[N=8, H=28, W=28, C=1]");
  EXPECT_EQ(
      usage([&] {
        normalize_images(value({8, 28, 28}), {0.5f}, {1});
      }),
      "normalize_images: the input is f32 with 3 axes; u8 or u16 with N, H, W, C is expected\n"
      "  input   f32[8, 28, 28]");
}

TEST_F(Errors, MixedGraphs) {
  const auto other = Graph::make(Mode::train);
  const Tensor a = value({2}), b = other->input("b", {DType::f32, {2}});
  EXPECT_EQ(usage([&] { a + b; }),
            "add: its inputs belong to different graphs\n"
            "  try     trace the entire computation in one graph");
}

}  // namespace
}  // namespace fovea
