#include <algorithm>

#include "fovea/images/filters.h"
#include "fovea/nn.h"
#include "fovea/runtime/eval.h"
#include "textbook.h"

namespace fovea::cli {
namespace {

using Rows = std::vector<std::vector<double>>;

/// Rows as one image of one channel, or as a kernel.
Array image(const Rows& rows) {
  Array x(DType::f32,
          {1, 1, static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  int64_t i = 0;
  for (const auto& row : rows) {
    for (double value : row) x.set(i++, value);
  }
  return x;
}

/// 1, 2, 3, ... row by row.
Array ramp(int64_t side) {
  Array x(DType::f32, {1, 1, side, side});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(i + 1));
  return x;
}

Array kernel(std::string_view name) {
  return filter_kernel(name).astype(DType::f32).reshaped({1, 1, 3, 3});
}

/// The first image's first channel, as rows.
Json rows_json(const Array& y) {
  Json rows = Json::array();
  for (int64_t i = 0; i < y.dim(2); ++i) {
    Json row = Json::array();
    for (int64_t j = 0; j < y.dim(3); ++j) row.push_back(y.at(i * y.dim(3) + j));
    rows.push_back(row);
  }
  return rows;
}

Json all(int64_t side, double value) {
  return Json(
      Rows(static_cast<size_t>(side), std::vector<double>(static_cast<size_t>(side), value)));
}

template <class F>
Array apply(const Array& x, const F& f) {
  return eval([&](const Tensors& t) { return Tensors{f(t[0])}; }, {x})[0];
}

Json convolved(const Array& x, const Array& weight, const ConvOptions& options = {}) {
  return rows_json(eval([&](const Tensors& t) { return Tensors{conv2d(t[0], t[1], {}, options)}; },
                        {x, weight})[0]);
}

Json max_pooled(const Array& x, const PoolOptions& options) {
  return rows_json(apply(x, [&](const Tensor& t) { return max_pool2d(t, options); }));
}

Json mean_pooled(const Array& x, const PoolOptions& options) {
  return rows_json(apply(x, [&](const Tensor& t) { return avg_pool2d(t, options); }));
}

int64_t parameters(const nn::Module& module) {
  int64_t count = 0;
  for (const nn::Variable* v : module.parameters()) count += v->shape().numel();
  return count;
}

Array flipped(const Array& weight) {
  Array result = weight.clone();
  std::ranges::reverse(result.data<float>());
  return result;
}

const Rows digits{
    {1, 2, 3, 0, 1}, {0, 1, 2, 3, 0}, {1, 0, 1, 2, 3}, {0, 1, 0, 1, 2}, {1, 2, 1, 0, 1}};
const Rows edges{{1, 0, -1}, {1, 0, -1}, {1, 0, -1}};
const Rows digits2{
    {1, 2, 3, 0, 1}, {0, 1, 2, 3, 1}, {1, 2, 1, 0, 0}, {2, 1, 0, 1, 1}, {1, 0, 1, 2, 1}};
const Rows pool_digits{{1, 3, 2, 4}, {5, 6, 1, 2}, {3, 2, 4, 1}, {1, 2, 3, 4}};

Json output_sizes_of_the_course() {
  const auto too_large = [] {
    try {
      (void)convolved(ramp(2), kernel("box"));
      return "accepted";
    } catch (const Error& e) {
      return e.kind() == ErrorKind::usage ? "refused" : "broken";
    }
  };
  const auto size = [](int64_t in, const WindowAxis& axis) { return output_size(in, axis); };
  return {
      {"32 k3", size(32, {.kernel = 3})},
      {"32 k3 p1", size(32, {.kernel = 3, .padding_begin = 1, .padding_end = 1})},
      {"32 k3 s2 p1", size(32, {.kernel = 3, .stride = 2, .padding_begin = 1, .padding_end = 1})},
      {"32 k3 d2 p2", size(32, {.kernel = 3, .dilation = 2, .padding_begin = 2, .padding_end = 2})},
      {"224 k7 s2 p3", size(224, {.kernel = 7, .stride = 2, .padding_begin = 3, .padding_end = 3})},
      {"224 k3", size(224, {.kernel = 3})},
      {"2 k3", too_large()}};
}

Json dense_counts() {
  const nn::Scope s("fc");
  constexpr int64_t pixels = 224 * 224 * 3, channels = 64;
  const nn::Conv2d three(s, channels, channels, {.kernel = 3, .bias = false});
  const nn::Conv2d five(s, channels, channels, {.kernel = 5, .bias = false});
  return {
      {"pixels", pixels},
      {"weights to 1000", parameters(nn::Linear(s, pixels, 1000, {.bias = false}))},
      {"with bias", parameters(nn::Linear(s, pixels, 1000))},
      {"weights to 64 maps", parameters(nn::Linear(s, pixels, 64 * 224 * 224, {.bias = false}))},
      {"two 3x3, 64 channels", 2 * parameters(three)},
      {"one 5x5, 64 channels", parameters(five)}};
}

Json adaptive_bins() {
  const auto bins = [](int64_t in) {
    Json list = Json::array();
    for (int64_t i = 0; i < 7; ++i) {
      const Bin bin = adaptive_bin(i, in, 7);
      list.push_back(std::vector<int64_t>{bin.begin, bin.end});
    }
    return list;
  };
  const Array means = apply(ramp(4), [](const Tensor& x) { return adaptive_avg_pool2d(x, 3); });
  const Array maxima = apply(ramp(4), [](const Tensor& x) { return adaptive_max_pool2d(x, 3); });
  return {{"37 in 7", bins(37)},
          {"41 in 7", bins(41)},
          {"means of 4x4 to 3x3", rows_json(means)},
          {"maxima", rows_json(maxima)}};
}

Json activations() {
  const auto at = [](double x, Tensor (*f)(const Tensor&)) {
    return apply(Array::full(DType::f32, {1}, x), f).item();
  };
  return {{"gelu(1)", at(1, gelu)},
          {"gelu_tanh(1)", at(1, gelu_tanh)},
          {"silu(1)", at(1, silu)},
          {"relu6(7)", at(7, relu6)},
          {"relu(-2)", at(-2, relu)},
          {"leaky_relu(-2)", at(-2, [](const Tensor& x) { return leaky_relu(x); })},
          {"sigmoid(0)", at(0, sigmoid)},
          {"tanh(1)", at(1, tanh)}};
}

}  // namespace

std::vector<Example> convolution_examples() {
  return {
      {"A1",
       "convolution in a net is cross-correlation; true convolution flips the kernel",
       {{"cross-correlation", Rows{{-4, -2, 2}, {-2, -4, -2}, {0, 0, -4}}},
        {"true convolution", Rows{{4, 2, -2}, {2, 4, 2}, {0, 0, 4}}}},
       [] {
         return Json{{"cross-correlation", convolved(image(digits), image(edges))},
                     {"true convolution", convolved(image(digits), flipped(image(edges)))}};
       },
       "A course prints 6 at the top left: that is the answer for A3's image."},
      {"A2",
       "3x3 filters on a 5x5 ramp",
       {{"sobel_x", all(3, 8)},
        {"sobel_y", all(3, 40)},
        {"sharpen", Rows{{7, 8, 9}, {12, 13, 14}, {17, 18, 19}}}},
       [] {
         return Json{{"sobel_x", convolved(ramp(5), kernel("sobel_x"))},
                     {"sobel_y", convolved(ramp(5), kernel("sobel_y"))},
                     {"sharpen", convolved(ramp(5), kernel("sharpen"))}};
       },
       "The course's own script stops with an error: its kernel has one axis too many."},
      {"A3", "convolution by hand", Rows{{6, 0, -5}, {0, -2, -2}, {-4, 0, 1}},
       [] { return convolved(image(digits2), kernel("sobel_x")); }},
      {"A4",
       "weights of a convolution",
       {{"3 to 16, 3x3", 448}, {"3 to 64, 3x3", 1792}, {"3 to 64, no bias", 1728}},
       [] {
         const nn::Scope s("conv");
         return Json{
             {"3 to 16, 3x3", parameters(nn::Conv2d(s, 3, 16, {.kernel = 3}))},
             {"3 to 64, 3x3", parameters(nn::Conv2d(s, 3, 64, {.kernel = 3}))},
             {"3 to 64, no bias", parameters(nn::Conv2d(s, 3, 64, {.kernel = 3, .bias = false}))}};
       }},
      {"A5",
       "output sizes",
       {{"32 k3", 30},
        {"32 k3 p1", 32},
        {"32 k3 s2 p1", 16},
        {"32 k3 d2 p2", 32},
        {"224 k7 s2 p3", 112},
        {"224 k3", 222},
        {"2 k3", "refused"}},
       output_sizes_of_the_course,
       "One course's formula lacks the rounding down, two lack dilation, and two helpers take "
       "padding and stride in opposite order."},
      {"A6",
       "padding by name",
       {{"valid", Rows{{-4, -2, 2}, {-2, -4, -2}, {0, 0, -4}}},
        {"same, first row", std::vector<double>{-3, -4, 0, 4, 3}},
        {"full, size", 7}},
       [] {
         const Array x = image(digits), k = image(edges);
         return Json{{"valid", convolved(x, k, {.padding = "valid"})},
                     {"same, first row", convolved(x, k, {.padding = "same"}).values()[0]},
                     {"full, size", convolved(x, k, {.padding = "full"}).size()}};
       },
       "\"(K - 1) / 2\" keeps the size only for odd kernels and stride 1."},
      {"A7",
       "stride",
       {{"56 to", 28}, {"stride 2", Rows{{-4, 2}, {0, -4}}}},
       [] {
         const WindowAxis axis{.kernel = 3, .stride = 2, .padding_begin = 1, .padding_end = 1};
         return Json{{"56 to", output_size(56, axis)},
                     {"stride 2", convolved(image(digits), image(edges), {.stride = 2})}};
       }},
      {"A8",
       "dilation",
       {{"weights of three branches", 5376}, {"sobel_x, dilation 2", Rows{{16}}}},
       [] {
         const nn::Conv2d branch(nn::Scope("branch"), 3, 64, {.kernel = 3});
         return Json{
             {"weights of three branches", 3 * parameters(branch)},
             {"sobel_x, dilation 2", convolved(ramp(5), kernel("sobel_x"), {.dilation = 2})}};
       }},
      {"A10",
       "1x1 convolutions mix channels",
       {{"1x1", 16448}, {"3x3", 147520}},
       [] {
         const nn::Scope s("mixer");
         return Json{{"1x1", parameters(nn::ChannelMixer(s, 256, 64))},
                     {"3x3", parameters(nn::Conv2d(s, 256, 64, {.kernel = 3}))}};
       }},
      {"A16",
       "fully connected layers against convolutions",
       {{"pixels", 150528},
        {"weights to 1000", 150528000},
        {"with bias", 150529000},
        {"weights to 64 maps", 483385147392},
        {"two 3x3, 64 channels", 18 * 64 * 64},
        {"one 5x5, 64 channels", 25 * 64 * 64}},
       dense_counts},
  };
}

std::vector<Example> pooling_examples() {
  const Rows ramp_maxima{{7, 9, 10}, {17, 19, 20}, {22, 24, 25}};
  return {
      {"B1",
       "2x2 pooling",
       {{"max", Rows{{6, 8}, {14, 16}}},
        {"mean", Rows{{3.5, 5.5}, {11.5, 13.5}}},
        {"max of digits", Rows{{6, 4}, {3, 4}}},
        {"mean of digits", Rows{{3.75, 2.25}, {2, 3}}}},
       [] {
         const Array digits4 = image(pool_digits);
         return Json{{"max", max_pooled(ramp(4), {.kernel = 2})},
                     {"mean", mean_pooled(ramp(4), {.kernel = 2})},
                     {"max of digits", max_pooled(digits4, {.kernel = 2})},
                     {"mean of digits", mean_pooled(digits4, {.kernel = 2})}};
       },
       "A course prints [4, 4] and [2.75, 2.5] as the lower rows for these digits."},
      {"B2",
       "global pooling",
       {{"mean", Rows{{8.5}}}, {"max", Rows{{16}}}},
       [] {
         return Json{{"mean", rows_json(apply(ramp(4), global_avg_pool))},
                     {"max", rows_json(apply(ramp(4), global_max_pool))}};
       },
       "Both keep [N, C]: squeezing every axis of size 1 loses the batch axis of a single image."},
      {"B3",
       "adaptive pooling",
       {{"37 in 7", {{0, 6}, {5, 11}, {10, 16}, {15, 22}, {21, 27}, {26, 32}, {31, 37}}},
        {"41 in 7", {{0, 6}, {5, 12}, {11, 18}, {17, 24}, {23, 30}, {29, 36}, {35, 41}}},
        {"means of 4x4 to 3x3", Rows{{3.5, 4.5, 5.5}, {7.5, 8.5, 9.5}, {11.5, 12.5, 13.5}}},
        {"maxima", Rows{{6, 7, 8}, {10, 11, 12}, {14, 15, 16}}}},
       adaptive_bins},
      {"B4",
       "indices of the maxima, and max unpooling by them",
       {{"indices", Rows{{5, 7}, {13, 15}}},
        {"unpooled", Rows{{0, 0, 0, 0}, {0, 6, 0, 8}, {0, 0, 0, 0}, {0, 14, 0, 16}}}},
       [] {
         const std::vector<Array> results = eval(
             [](const Tensors& t) {
               const Tensors pooled = max_pool_with_indices(t[0], {.kernel = 2});
               return Tensors{pooled[1], max_unpool(pooled[0], pooled[1], {4, 4})};
             },
             {ramp(4)});
         return Json{{"indices", rows_json(results[0])}, {"unpooled", rows_json(results[1])}};
       }},
      {"B5",
       "max pooling pads with minus infinity",
       {{"of -1", all(2, -1)}, {"ramp", ramp_maxima}},
       [] {
         const Array minus = Array::full(DType::f32, {1, 1, 2, 2}, -1);
         return Json{{"of -1", max_pooled(minus, {.kernel = 3, .stride = 1, .padding = 1})},
                     {"ramp", max_pooled(ramp(5), {.kernel = 3, .stride = 2, .padding = 1})}};
       }},
      {"B6",
       "mean pooling counts padded zeros unless told otherwise",
       {{"counted", all(2, 4.0 / 9)}, {"excluded", all(2, 1)}},
       [] {
         const Array ones = Array::full(DType::f32, {1, 1, 2, 2}, 1);
         PoolOptions options{.kernel = 3, .stride = 1, .padding = 1};
         const Json counted = mean_pooled(ones, options);
         options.count_include_pad = false;
         return Json{{"counted", counted}, {"excluded", mean_pooled(ones, options)}};
       },
       "",
       1e-6},
      {"B7",
       "rounding sizes up",
       {{"floor", Rows{{7, 9}, {17, 19}}}, {"ceil", ramp_maxima}},
       [] {
         return Json{{"floor", max_pooled(ramp(5), {.kernel = 2})},
                     {"ceil", max_pooled(ramp(5), {.kernel = 2, .ceil_mode = true})}};
       }},
  };
}

std::vector<Example> function_examples() {
  return {
      {"C4",
       "activations",
       {{"gelu(1)", 0.8413447},
        {"gelu_tanh(1)", 0.8411920},
        {"silu(1)", 0.7310586},
        {"relu6(7)", 6},
        {"relu(-2)", 0},
        {"leaky_relu(-2)", -0.02},
        {"sigmoid(0)", 0.5},
        {"tanh(1)", 0.7615942}},
       activations,
       "A course gives \"max(0, x)\" as GELU: that is ReLU.",
       5e-7},
      {"C8", "loss of an untrained net, 10 classes", 2.302585,
       [] {
         const Array logits = Array::zeros(DType::f32, {4, 10});
         const Array labels = Array::of<int64_t>({0, 3, 5, 9});
         return Json(eval([](const Tensors& t) { return Tensors{cross_entropy(t[0], t[1])}; },
                          {logits, labels})[0]
                         .item());
       },
       "", 1e-6},
      {"C9",
       "gaussian 5x5, sigma 1; an even size is symmetric",
       {{"centre", 0.162103}, {"corner", 0.002969}, {"sum", 1}, {"4x4, corner less corner", 0}},
       [] {
         const Array five = filter_kernel("gaussian:5,1"), four = filter_kernel("gaussian:4,1");
         double sum = 0;
         for (double value : five.data<double>()) sum += value;
         return Json{{"centre", five.at(12)},
                     {"corner", five.at(0)},
                     {"sum", sum},
                     {"4x4, corner less corner", four.at(0) - four.at(15)}};
       },
       "A course's kernel of even size is off centre: it uses -1, 0, 1, 2 for size 4.",
       5e-7},
  };
}

}  // namespace fovea::cli
