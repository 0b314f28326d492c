#include <cmath>

#include "fovea/ops.h"
#include "fovea/ops/likelihood.h"
#include "ops/errors.h"

namespace fovea {
namespace {

/// Checks that many ops share: each op reports them under its own name, and with its own input.
class SharedErrors : public Errors {
 protected:
  struct Row {
    std::string text;
    std::function<void()> action;
  };
  static void expect(const std::vector<Row>& rows) {
    for (const Row& row : rows) EXPECT_EQ(usage(row.action), row.text);
  }

  Tensor integers(const Shape& shape) { return value(shape, DType::i64); }
};

// Integers have no gradient, and few kernels: an op that computes wants floats.
TEST_F(SharedErrors, FloatTypes) {
  const auto row = [](const std::string& op, const Tensor& x, auto f) {
    return Row{op + ": the input is i64, must be a float type\n" + "  input   " +
                   to_string(x.type()) + "\n" + "  try     cast(x, DType::f32)",
               [=] { f(x); }};
  };
  const Tensor image = integers({2, 4, 6, 6}), rows = integers({8, 4}), f = value({4});
  const Tensor weight = value({4, 4});
  expect({
      row("prelu", rows, [=](const Tensor& x) { prelu(x, f); }),
      row("gelu", rows, [](const Tensor& x) { gelu(x); }),
      row("softmax", rows, [](const Tensor& x) { softmax(x); }),
      row("log_softmax", rows, [](const Tensor& x) { log_softmax(x); }),
      row("sum_to", rows, [](const Tensor& x) { sum_to(x, {4}); }),
      row("broadcast_to", rows,
          [](const Tensor& x) {
            broadcast_to(x, {2, 8, 4});
          }),
      row("sum", rows, [](const Tensor& x) { sum(x, {0}); }),
      row("max", rows, [](const Tensor& x) { max(x, {0}); }),
      row("linear", rows, [=](const Tensor& x) { linear(x, weight); }),
      row("batch_norm", rows, [=](const Tensor& x) { batch_norm(x, f, f, f, f); }),
      row("layer_norm", rows, [=](const Tensor& x) { layer_norm(x, f, f); }),
      row("layer_norm_channels", image, [=](const Tensor& x) { layer_norm_channels(x, f, f); }),
      row("group_norm", rows, [](const Tensor& x) { group_norm(x, 2); }),
      row("instance_norm", image, [](const Tensor& x) { instance_norm(x); }),
      row("global_response_norm", image, [=](const Tensor& x) { global_response_norm(x, f, f); }),
      row("layer_scale", rows, [=](const Tensor& x) { layer_scale(x, f); }),
      row("conv_transpose", image, [=](const Tensor& x) { conv_transpose(x, weight); }),
      row("max_pool", image, [](const Tensor& x) { max_pool(x, {.kernel = 2}); }),
      row("adaptive_avg_pool", image, [](const Tensor& x) { adaptive_avg_pool(x, 2); }),
      row("adaptive_max_pool", image, [](const Tensor& x) { adaptive_max_pool(x, 2); }),
      row("max_unpool", image,
          [](const Tensor& x) {
            max_unpool(x, x, {12, 12});
          }),
      row("pad", image, [](const Tensor& x) { pad(x, 1); }),
      row("upsample", image, [](const Tensor& x) { upsample(x, 2); }),
      row("upsample", image, [](const Tensor& x) { upsample_to(x, 2); }),
      row("mse_loss", rows, [](const Tensor& x) { mse_loss(x, x); }),
      row("smooth_l1_loss", rows, [](const Tensor& x) { smooth_l1_loss(x, x); }),
      row("focal_loss", rows, [](const Tensor& x) { focal_loss(x, x); }),
      row("dice_loss", rows, [](const Tensor& x) { dice_loss(x, x); }),
      row("kl_div", rows, [](const Tensor& x) { kl_div(x, x); }),
  });
  expect({
      {"conv2d: input is i64, weight is i64; both must have the same float type\n"
       "  input   i64[N=2, C=4, H=6, W=6]\n"
       "  weight  i64[O=2, I=4, H=6, W=6], groups=1",
       [&] { conv2d(image, image); }},
      {"matmul: one operand is i64, the other i64; both must have the same float type\n"
       "  first   i64[8, 4]\n"
       "  second  i64[8, 4]",
       [&] { matmul(rows, rows); }},
      {"mul: the second is i64, must be a float type\n"
       "  second  i64[8, 4]\n"
       "  try     cast(x, DType::f32)",
       [&] {
         value({8, 4}) * rows;
       }},
      {"cross_entropy: the input is i64, must be a float type\n"
       "  input   i64[8, 4]\n"
       "  try     cast(x, DType::f32)",
       [&] { cross_entropy(rows, integers({8})); }},
  });
}

// One axis too few or too many is the most common slip.
TEST_F(SharedErrors, NumbersOfAxes) {
  const Tensor rows = value({8, 4}), image = value({1, 4, 6, 6}), f = value({4}), line = value({4});
  const auto spatial = [&](const std::string& op, auto f_of) {
    return Row{op + ": the input has 2 axes; N, C and 1 to 3 spatial ones are expected\n"
                    "  input   f32[8, 4]",
               [=] { f_of(rows); }};
  };
  expect({
      spatial("conv_transpose", [=](const Tensor& x) { conv_transpose(x, rows); }),
      spatial("avg_pool", [](const Tensor& x) { avg_pool(x, {.kernel = 2}); }),
      spatial("max_pool", [](const Tensor& x) { max_pool_with_indices(x, {.kernel = 2}); }),
      spatial("max_unpool",
              [](const Tensor& x) {
                max_unpool(x, x, {4, 4});
              }),
      spatial("adaptive_avg_pool", [](const Tensor& x) { adaptive_avg_pool(x, 2); }),
      spatial("adaptive_max_pool", [](const Tensor& x) { adaptive_max_pool(x, 2); }),
      spatial("global_avg_pool", [](const Tensor& x) { global_avg_pool(x); }),
      spatial("layer_norm_channels", [=](const Tensor& x) { layer_norm_channels(x, f, f); }),
      spatial("global_response_norm", [=](const Tensor& x) { global_response_norm(x, f, f); }),
      spatial("upsample", [](const Tensor& x) { upsample(x, 2); }),
      spatial("upsample", [](const Tensor& x) { upsample_to(x, 2); }),
  });
  const auto plane = [&](const std::string& op, auto f_of) {
    return Row{op + ": the input has 2 axes; N, C, H, W are expected\n"
                    "  input   f32[8, 4]",
               [=] { f_of(rows); }};
  };
  expect({
      plane("avg_pool2d", [](const Tensor& x) { avg_pool2d(x, {.kernel = 2}); }),
      plane("adaptive_avg_pool2d", [](const Tensor& x) { adaptive_avg_pool2d(x, 2); }),
      plane("adaptive_max_pool2d", [](const Tensor& x) { adaptive_max_pool2d(x, 2); }),
      plane("pixel_shuffle", [](const Tensor& x) { pixel_shuffle(x, 2); }),
      plane("pixel_unshuffle", [](const Tensor& x) { pixel_unshuffle(x, 2); }),
  });
  expect({
      {"instance_norm: the input has 1 axis; N, C and at most 3 spatial ones are expected\n"
       "  input   f32[4]",
       [&] { instance_norm(line); }},
      {"layer_scale: the input has 1 axis; N, C and at most 3 spatial ones are expected\n"
       "  input   f32[4]",
       [&] { layer_scale(line, f); }},
      {"batch_norm: the input has 6 axes; N, C and at most 3 spatial ones are expected\n"
       "  input   f32[1, 4, 1, 1, 1, 2]",
       [&] {
         batch_norm(value({1, 4, 1, 1, 1, 2}), f, f, f, f);
       }},
      {"layer_norm: it normalises the last 0 axes, but the input has 2\n"
       "  input   f32[8, 4]",
       [&] { layer_norm(rows, f, f, 0); }},
      {"log_softmax: the input has 1 axis; at least N and K are expected\n"
       "  input   f32[4]",
       [&] { log_softmax(line); }},
      {"cross_entropy: logits have 1 axis; N and K are expected\n"
       "  logits  f32[4]\n"
       "  targets i64[]",
       [&] { cross_entropy(line, integers({})); }},
      {"cross_entropy: logits have 6 axes; N, K and at most 3 spatial ones are expected\n"
       "  logits  f32[2, 3, 1, 1, 1, 1]\n"
       "  targets i64[2, 1, 1, 1, 1]",
       [&] {
         cross_entropy(value({2, 3, 1, 1, 1, 1}), integers({2, 1, 1, 1, 1}));
       }},
      {"conv: the input has 6 axes; N, C and 1 to 3 spatial ones are expected\n"
       "  input   f32[1, 1, 1, 1, 1, 1]",
       [&] {
         conv(value({1, 1, 1, 1, 1, 1}), value({1, 1, 1, 1, 1, 1}));
       }},
      {"conv: the input has 1 axis; N, C and 1 to 3 spatial ones are expected\n"
       "  input   f32[4]",
       [&] { conv(line, line); }},
      {"pad: the input has 1 axis; N, C and 1 to 3 spatial ones are expected\n"
       "  input   f32[4]",
       [&] { pad(line, 1); }},
  });
}

TEST_F(SharedErrors, AxesOutOfRange) {
  const Tensor rows = value({8, 4}), line = value({4}), number = value({});
  const auto row = [](const std::string& op, int axis, const Tensor& x, auto f) {
    return Row{op + ": there is no axis " + std::to_string(axis) + "; the input has " +
                   std::to_string(x.rank()) + (x.rank() == 1 ? " axis" : " axes") + "\n  input   " +
                   to_string(x.type()),
               [=] { f(x); }};
  };
  expect({
      row("concat", 2, rows,
          [](const Tensor& x) {
            concat({x, x}, 2);
          }),
      row("split", -3, rows, [](const Tensor& x) { split(x, {4}, -3); }),
      row("mean", 2, rows,
          [](const Tensor& x) {
            mean(x, {0, 2});
          }),
      row("max", -3, rows, [](const Tensor& x) { max(x, {-3}); }),
      row("log_softmax", 2, rows, [](const Tensor& x) { log_softmax(x, 2); }),
      row("channel_shuffle", 1, line, [](const Tensor& x) { channel_shuffle(x, 1); }),
      row("drop_path", 0, number, [](const Tensor& x) { drop_path(x, 0.5); }),
      row("kl_div", 0, number, [](const Tensor& x) { kl_div(x, x); }),
  });
}

// A window of no size, or one beyond all memory, from a file or a flag.
TEST_F(SharedErrors, WindowsOutOfRange) {
  const Tensor image = value({1, 4, 6, 6}), w = value({4, 4, 3, 3});
  const auto row = [](const std::string& what, auto f) { return Row{what + " to 2^31", f}; };
  constexpr int64_t huge = int64_t{1} << 32;
  expect({
      row("conv2d: kernel is 0, must be from 1",
          [&] {
            conv2d(image, value({4, 4, 0, 3}));
          }),
      row("conv2d: dilation is -2, must be from 1",
          [&] { conv2d(image, w, {}, {.dilation = -2}); }),
      row("conv2d: stride is 4294967296, must be from 1",
          [&] { conv2d(image, w, {}, {.stride = huge}); }),
      row("conv2d: padding is -1, must be from 0",
          [&] {
            conv2d(image, w, {}, {.padding = {{0, 0}, {0, -1}}});
          }),
      row("conv_transpose2d: dilation is 0, must be from 1",
          [&] { conv_transpose2d(image, w, {}, {.dilation = 0}); }),
      row("max_pool2d: kernel is 0, must be from 1", [&] { max_pool2d(image, {.kernel = 0}); }),
      row("avg_pool2d: stride is 0, must be from 1",
          [&] { avg_pool2d(image, {.kernel = 2, .stride = 0}); }),
      row("max_pool2d: padding is -1, must be from 0",
          [&] { max_pool2d(image, {.kernel = 2, .padding = -1}); }),
  });
  expect({
      {"conv2d: groups=0 does not divide 4 input and 4 output channels\n"
       "  input   f32[N=1, C=4, H=6, W=6]\n"
       "  weight  f32[O=4, I=4, H=3, W=3], groups=0",
       [&] { conv2d(image, w, {}, {.groups = 0}); }},
      {"conv_transpose2d: groups=0 does not divide 4 input channels\n"
       "  input   f32[N=1, C=4, H=6, W=6]\n"
       "  weight  f32[I=4, O=4, H=3, W=3], groups=0",
       [&] { conv_transpose2d(image, w, {}, {.groups = 0}); }},
      {"pad: padding is 4294967296, must be from 0 to 2^31 (axis H)\n"
       "  input   f32[N=1, C=4, H=6, W=6]",
       [&] { pad(image, huge); }},
      {"adaptive_max_pool: an output size is 4294967296\n"
       "  input   f32[N=1, C=4, H=6, W=6]\n"
       "  output  4294967296\n"
       "  try     output sizes of 1 to 2^31",
       [&] { adaptive_max_pool(image, huge); }},
      {"upsample: an output size is 25769803776, must be from 1 to 2^31\n"
       "  input   f32[N=1, C=4, H=6, W=6]",
       [&] { upsample(image, huge); }},
      {"pixel_shuffle: blocks of 0x0 cannot be made from 4 channels\n"
       "  input   f32[N=1, C=4, H=6, W=6]",
       [&] { pixel_shuffle(image, 0); }},
      {"pixel_unshuffle: 6x6 pixels cannot be cut into blocks of 4294967296x4294967296\n"
       "  input   f32[N=1, C=4, H=6, W=6]",
       [&] { pixel_unshuffle(image, huge); }},
  });
}

TEST_F(SharedErrors, OneNumberPerAxis) {
  const Tensor x = value({1, 4, 6, 6}), w = value({4, 4, 3, 3});
  const auto row = [](const std::string& what, auto f) {
    return Row{what + " has 3 numbers, the input has 2 spatial axes", f};
  };
  const Dims three{1, 1, 1};
  expect({
      row("conv2d: dilation", [&] { conv2d(x, w, {}, {.dilation = three}); }),
      row("conv_transpose2d: stride", [&] { conv_transpose2d(x, w, {}, {.stride = three}); }),
      row("conv_transpose2d: padding", [&] { conv_transpose2d(x, w, {}, {.padding = three}); }),
      row("conv_transpose2d: output_padding",
          [&] { conv_transpose2d(x, w, {}, {.output_padding = three}); }),
      row("conv_transpose2d: dilation", [&] { conv_transpose2d(x, w, {}, {.dilation = three}); }),
      row("max_pool2d: kernel", [&] { max_pool2d(x, {.kernel = three}); }),
      row("max_pool2d: dilation", [&] { max_pool2d(x, {.kernel = 2, .dilation = three}); }),
      row("avg_pool2d: stride", [&] { avg_pool2d(x, {.kernel = 2, .stride = three}); }),
      row("avg_pool2d: padding", [&] { avg_pool2d(x, {.kernel = 2, .padding = three}); }),
      row("adaptive_avg_pool: output", [&] { adaptive_avg_pool(x, three); }),
      row("adaptive_max_pool: output", [&] { adaptive_max_pool(x, three); }),
      row("upsample: scale",
          [&] {
            upsample(x, Factors{1, 2, 3});
          }),
  });
}

// The second of two vectors is looked at too.
TEST_F(SharedErrors, NumbersPerChannel) {
  const Tensor x = value({2, 6, 4}), rows = value({2, 6}), v = value({6}), w = value({4});
  const auto row = [](const std::string& op, const std::string& what, auto f) {
    return Row{op + ": " + what +
                   " is f32[4], expected f32[6]\n"
                   "  input   f32[N=2, C=6, L=4]",
               f};
  };
  expect({
      row("group_norm", "beta", [&] { group_norm(x, 2, v, w); }),
      row("instance_norm", "gamma", [&] { instance_norm(x, w, v); }),
      row("layer_norm_channels", "beta", [&] { layer_norm_channels(x, v, w); }),
      row("global_response_norm", "gamma", [&] { global_response_norm(x, w, v); }),
  });
  const auto norm = [&](const std::string& what, auto f) {
    return Row{"batch_norm: input has 6 channels, " + what +
                   " has 4\n"
                   "  input   f32[N=2, C=6]\n" +
                   "  " + what + std::string(what.size() < 8 ? 8 - what.size() : 1, ' ') +
                   "f32[C=4]\n"
                   "  try     a norm of 6 channels",
               f};
  };
  expect({
      norm("beta", [&] { batch_norm(rows, v, w, v, v); }),
      norm("mean", [&] { batch_norm_eval(rows, v, v, w, v); }),
      norm("var", [&] { batch_norm_eval(rows, v, v, v, w); }),
      {"batch_norm: input has 6 channels, running_var has 4\n"
       "  input       f32[N=2, C=6]\n"
       "  running_var f32[C=4]\n"
       "  try         a norm of 6 channels",
       [&] { batch_norm(rows, v, v, v, w); }},
      {"batch_norm: gamma is f32[6, 1], expected f32[6]\n"
       "  input   f32[N=2, C=6]",
       [&] {
         batch_norm(rows, value({6, 1}), v, v, v);
       }},
      {"layer_norm: beta is f32[4], expected f32[6]\n"
       "  input   f32[N=2, C=6]",
       [&] { layer_norm(rows, v, w); }},
      {"prelu: slope is f32[6], expected f32[1]\n"
       "  input   f32[N=6]",
       [&] { prelu(v, v); }},
      {"dropout: random is f32[6], expected i64[2]\n"
       "  input   f32[N=2, C=6]",
       [&] {
         graph->add_one(Dropout{}, {rows, v});
       }},
  });
}

// Two values that have to agree.
TEST_F(SharedErrors, Pairs) {
  const Tensor a = value({8, 4}), b = value({8, 3});
  const auto row = [](const std::string& op, auto f) {
    return Row{op + ": input and target differ\n"
                    "  input   f32[8, 4]\n"
                    "  target  f32[8, 3]\n"
                    "  try     reshape() or cast() on one of them",
               f};
  };
  expect({
      row("mse_loss", [&] { mse_loss(a, b); }),
      row("smooth_l1_loss", [&] { smooth_l1_loss(a, b); }),
      row("binary_cross_entropy_with_logits", [&] { binary_cross_entropy_with_logits(a, b); }),
      row("focal_loss", [&] { focal_loss(a, b); }),
      row("dice_loss", [&] { dice_loss(a, b); }),
      row("kl_div", [&] { kl_div(a, b); }),
  });
  expect({
      {"concat: inputs may differ only along axis 0, input 1 does not fit input 0\n"
       "  input 0 f32[8, 4]\n"
       "  input 1 f64[8, 4]",
       [&] {
         concat({a, value({8, 4}, DType::f64)}, 0);
       }},
      {"permute: axes [1] must name each of the input's 2 axes once\n"
       "  input   f32[8, 4]",
       [&] { permute(a, {1}); }},
      {"slice: [-1, 2) is not within axis 1, which has 4 elements\n"
       "  input   f32[8, 4]",
       [&] { slice(a, 1, -1, 2); }},
      {"slice: [3, 2) is not within axis 1, which has 4 elements\n"
       "  input   f32[8, 4]",
       [&] { slice(a, 1, 3, 2); }},
      {"dropout: p is -0.5, must be from 0 to 1\n"
       "  input   f32[8, 1]\n"
       "  try     the fraction of elements to drop: 0.5 for half of them",
       [&] {
         drop_path(value({8, 4}), -0.5);
       }},
      {"smooth_l1_loss: beta is nan, must be at least 0",
       [&] { smooth_l1_loss(a, a, std::nan("")); }},
      {"cross_entropy: there are no elements to average\n"
       "  logits  f32[N=0, K=4, L=2]\n"
       "  targets i64[0, 2]",
       [&] {
         cross_entropy(value({0, 4, 2}), integers({0, 2}));
       }},
      {"cross_entropy: targets do not fit the logits\n"
       "  logits  f32[N=8, K=4]\n"
       "  targets i64[7]\n"
       "  try     labels i64[8], or soft targets f32[8, 4]",
       [&] { cross_entropy(a, integers({7}), {.ignore_index = 1}); }},
      {"upsample: size has 3 numbers, the input has 2 spatial axes",
       [&] {
         upsample_to(value({1, 3, 4, 4}), {1, 1, 1});
       }},
  });
  // The checks that cross_entropy gets from log_softmax, on their own.
  EXPECT_EQ(usage([&] {
              graph->add_one(NegativeLogLikelihood{}, {integers({8, 4}), integers({8})});
            }),
            "cross_entropy: the input is i64, must be a float type\n"
            "  input   i64[8, 4]\n"
            "  try     cast(x, DType::f32)");
  EXPECT_EQ(
      error_text(ErrorKind::data,
                 [] {
                   harness::run(
                       [](const Tensors& in) { return Tensors{max_unpool(in[0], in[1], {3})}; },
                       {{{1, 1, 1}, {5}}, {{1, 1, 1}, {-1}, DType::i64}});
                 }),
      "max_unpool: index -1 is not within a channel of 3 elements\n"
      "  try     the spatial shape that was pooled");
}

}  // namespace
}  // namespace fovea
