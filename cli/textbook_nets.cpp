#include <algorithm>
#include <cmath>

#include "fovea/kernels/winograd.h"
#include "fovea/nn.h"
#include "fovea/optim/schedule.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/receptive_field.h"
#include "fovea/runtime/eval.h"
#include "textbook.h"

namespace fovea::cli {
namespace {

/// The number of parameters of an M with these arguments.
template <class M, class... Arguments>
int64_t parameters(Arguments... arguments) {
  const M module(nn::Scope("block"), arguments...);
  int64_t count = 0;
  for (const nn::Variable* v : module.parameters()) count += v->shape().numel();
  return count;
}

int64_t convolution(int64_t in, int64_t out, int64_t kernel) {
  return parameters<nn::Conv2d>(in, out, nn::ConvOptions{.kernel = kernel});
}

int64_t convnext(int64_t channels, std::optional<double> layer_scale) {
  return parameters<nn::ConvNeXtBlock>(channels, nn::ConvNeXtOptions{.layer_scale = layer_scale});
}

struct Layer {
  int64_t kernel, stride = 1, dilation = 1;
};

/// The receptive field after each of these windows, and the jump after the last.
Json chain(const std::vector<Layer>& layers) {
  auto graph = Graph::make(Mode::eval);
  const Tensor image = graph->input("image", {DType::f32, {1, 1, 512, 512}});
  Tensors values{image};
  for (const Layer& l : layers) {
    const PoolOptions options{.kernel = l.kernel, .stride = l.stride, .dilation = l.dilation};
    values.push_back(max_pool2d(values.back(), options));
  }
  const std::vector<ReceptiveField> fields = receptive_fields(*graph, image);
  Json sizes = Json::array();
  for (size_t i = 1; i < values.size(); ++i) {
    sizes.push_back(fields[static_cast<size_t>(values[i].id())][0].size);
  }
  return {{"sizes", sizes}, {"jump", fields[static_cast<size_t>(values.back().id())][0].jump}};
}

Json chain_json(const std::vector<int64_t>& sizes, int64_t jump) {
  return {{"sizes", sizes}, {"jump", jump}};
}

/// The gradient of one position of f's output, summed over channels, for an image of one channel:
/// its absolute values, [H, W].
template <class F>
Array position_gradient(const Array& image, int64_t y, int64_t x, const F& f) {
  const WinogradScope exact(Winograd::never);  // whose zeros are zeros
  const auto traced = [&](const Tensors& t) {
    const Tensor row = slice(f(t[0]), 2, y, y + 1);
    return gradients(sum(slice(row, 3, x, x + 1)), {t[0]});
  };
  return eval(traced, {image})[0];
}

Array random_array(const Shape& shape, std::string_view purpose, double low) {
  Array array(DType::f32, shape);
  Random random(42, purpose);
  for (float& value : array.data<float>()) value = static_cast<float>(low + random.uniform());
  return array;
}

/// The first and last row and column of nonzero values.
Json extent_json(const Array& gradient) {
  const int64_t height = gradient.dim(2), width = gradient.dim(3);
  int64_t top = height, bottom = -1, left = width, right = -1;
  for (int64_t i = 0; i < gradient.numel(); ++i) {
    if (gradient.at(i) == 0) continue;
    top = std::min(top, i / width);
    bottom = std::max(bottom, i / width);
    left = std::min(left, i % width);
    right = std::max(right, i % width);
  }
  return {{"rows", std::vector<int64_t>{top, bottom}},
          {"columns", std::vector<int64_t>{left, right}}};
}

Json gradient_picture() {
  const auto net = [](const Tensor& x) {
    Graph& graph = x.graph();
    const Tensor w1 = graph.constant(random_array({8, 1, 3, 3}, "w1", 0.1));
    const Tensor w2 = graph.constant(random_array({8, 8, 3, 3}, "w2", 0.1));
    const Tensor w3 = graph.constant(random_array({8, 8, 3, 3}, "w3", 0.1));
    Tensor y = relu(conv2d(x, w1, {}, {.padding = 1}));
    y = max_pool2d(relu(conv2d(y, w2, {}, {.padding = 1})), {.kernel = 2});
    return relu(conv2d(y, w3, {}, {.padding = 1}));
  };
  return extent_json(position_gradient(random_array({1, 1, 32, 32}, "image", 0), 8, 8, net));
}

/// The side of the smallest centred square that contains 95% of the gradient's energy.
int64_t effective_side(const Array& gradient) {
  const int64_t size = gradient.dim(2), middle = size / 2;
  const auto energy = [&](int64_t reach) {
    double total = 0;
    for (int64_t i = middle - reach; i <= middle + reach; ++i) {
      for (int64_t j = middle - reach; j <= middle + reach; ++j) {
        total += std::pow(gradient.at(i * size + j), 2);
      }
    }
    return total;
  };
  int64_t reach = 0;
  while (reach < middle && energy(reach) < 0.95 * energy(middle)) ++reach;
  return 2 * reach + 1;
}

Json effective_field() {
  constexpr int64_t size = 41;
  const auto net = [](Tensor x) {
    const Tensor mean = x.graph().constant(Array::full(DType::f32, {1, 1, 3, 3}, 1.0 / 9));
    for (int i = 0; i < 10; ++i) x = conv2d(x, mean, {}, {.padding = 1});
    return x;
  };
  const Array gradient =
      position_gradient(Array::zeros(DType::f32, {1, 1, size, size}), size / 2, size / 2, net);
  const Json extent = extent_json(gradient);
  return {{"theoretical", extent["rows"][1].get<int64_t>() - extent["rows"][0].get<int64_t>() + 1},
          {"effective", effective_side(gradient)}};
}

Json rates(const optim::Schedule& schedule, double base, const std::vector<double>& epochs) {
  Json list = Json::array();
  for (double epoch : epochs) list.push_back(base * schedule.factor(epoch));
  return list;
}

Json cosine_rates() {
  std::vector<double> epochs;
  for (int epoch = 1; epoch <= 20; ++epoch) epochs.push_back(epoch);
  return rates(optim::Schedule("cosine", 20), 0.1, epochs);
}

}  // namespace

std::vector<Example> block_examples() {
  using nn::ConvNormActOptions, nn::DepthwiseSeparableOptions, nn::MBConvOptions;
  return {
      {"D1", "convolution, norm, relu: 3 to 64", 1856,
       [] { return Json(parameters<nn::ConvNormAct<>>(3, 64)); }},
      {"D2", "the same with a bias before the norm", 1920,
       [] { return Json(parameters<nn::ConvNormAct<>>(3, 64, ConvNormActOptions{.bias = true})); },
       "The norm cancels the bias; it is only useful for nets that were published with it."},
      {"D3",
       "multi-scale block",
       {{"3 to 4 x 64", 7168}, {"192 to 4 x 64", 442624}},
       [] {
         return Json{{"3 to 4 x 64", parameters<nn::MultiScale>(3, 64)},
                     {"192 to 4 x 64", parameters<nn::MultiScale>(192, 64)}};
       }},
      {"D4",
       "depthwise separable convolution, 64 to 128",
       {{"bare", 8960}, {"with norms", 9152}, {"standard", 73856}, {"standard / bare", 8.24}},
       [] {
         const int64_t bare =
             parameters<nn::DepthwiseSeparable>(64, 128, DepthwiseSeparableOptions{.norm = false});
         const int64_t standard = convolution(64, 128, 3);
         return Json{
             {"bare", bare},
             {"with norms", parameters<nn::DepthwiseSeparable>(64, 128)},
             {"standard", standard},
             {"standard / bare", static_cast<double>(standard) / static_cast<double>(bare)}};
       },
       "A course says about 9 times fewer: 9 is the limit for many channels.",
       5e-3},
      {"D5",
       "basic residual block",
       {{"64 to 64", 73984}, {"64 to 128, stride 2", 230144}},
       [] {
         return Json{{"64 to 64", parameters<nn::BasicBlock>(64, 64)},
                     {"64 to 128, stride 2", parameters<nn::BasicBlock>(64, 128, 2)}};
       },
       "A course's MiniResNet cannot run: its blocks keep their channel count where the skip "
       "widens."},
      {"D6",
       "bottleneck",
       {{"64, width 64", 75008}, {"256, width 64", 70400}},
       [] {
         return Json{{"64, width 64", parameters<nn::Bottleneck>(64, 64)},
                     {"256, width 64", parameters<nn::Bottleneck>(256, 64)}};
       }},
      {"D7",
       "squeeze and excitation",
       {{"64 channels, reduction 16", 512}, {"8 channels, reduction 16", 16}},
       [] {
         return Json{{"64 channels, reduction 16", parameters<nn::SqueezeExcite>(64, 16)},
                     {"8 channels, reduction 16", parameters<nn::SqueezeExcite>(8, 16)}};
       },
       "With fewer channels than the reduction a course's block has no hidden unit and halves "
       "every channel."},
      {"D8", "residual block with squeeze and excitation", 74496,
       [] { return Json(parameters<nn::SEBasicBlock>(64, 64)); }},
      {"D9", "MBConv, 32 to 32, expansion 4", 18112,
       [] { return Json(parameters<nn::MBConv>(32, 32)); }},
      {"D9b", "MBConv, 32 to 32, expansion 1", 1952,
       [] { return Json(parameters<nn::MBConv>(32, 32, MBConvOptions{.expansion = 1})); }},
      {"D10",
       "dense layers and their block, 64 channels, growth 32",
       {{"layers", {45440, 49600, 53760, 57920}}, {"block", 206720}},
       [] {
         Json layers = Json::array();
         for (int i = 0; i < 4; ++i) layers.push_back(parameters<nn::DenseLayer>(64 + 32 * i, 32));
         return Json{{"layers", layers}, {"block", parameters<nn::DenseBlock>(4, 64, 32)}};
       }},
      {"D11",
       "ConvNeXt block without layer scale, 64, 96, 128 channels",
       {36416, 79200, 138368},
       [] {
         return Json{convnext(64, std::nullopt), convnext(96, std::nullopt),
                     convnext(128, std::nullopt)};
       }},
      {"D12",
       "ConvNeXt block, 64, 96, 128 channels",
       {36480, 79296, 138496},
       [] {
         return Json{convnext(64, 1e-6), convnext(96, 1e-6), convnext(128, 1e-6)};
       }},
      {"D13", "four convolutions 3 to 64: three 3x3, one 7x7", 14848,
       [] { return Json(3 * convolution(3, 64, 3) + convolution(3, 64, 7)); }},
  };
}

std::vector<Example> receptive_field_examples() {
  const std::vector<Layer> vgg{{3}, {3}, {2, 2}, {3}, {3}, {2, 2}, {3}, {3}, {3}};
  return {
      {"G1",
       "receptive fields layer by layer",
       {{"VGG-like", chain_json({3, 5, 6, 10, 14, 16, 24, 32, 40}, 4)},
        {"ResNet-50's start", chain_json({7, 11, 11, 19, 19}, 4)},
        {"two convolutions, pooling, convolution", chain_json({3, 5, 6, 10}, 2)},
        {"three convolutions", chain_json({3, 5, 7}, 1)},
        {"two stages", chain_json({3, 5, 6, 10, 14, 16}, 4)},
        {"dilation 1, 2, 4", chain_json({3, 7, 15}, 1)}},
       [vgg] {
         return Json{{"VGG-like", chain(vgg)},
                     {"ResNet-50's start", chain({{7, 2}, {3, 2}, {1}, {3}, {1}})},
                     {"two convolutions, pooling, convolution", chain({{3}, {3}, {2, 2}, {3}})},
                     {"three convolutions", chain({{3}, {3}, {3}})},
                     {"two stages", chain({{3}, {3}, {2, 2}, {3}, {3}, {2, 2}})},
                     {"dilation 1, 2, 4", chain({{3}, {3, 1, 2}, {3, 1, 4}})}};
       },
       "A course gives 180 for five convolutions and poolings: it is 94, or 156 with two "
       "convolutions each. A function without dilation would say 7 for the last."},
      {"G2",
       "one dilated 3x3 kernel",
       {{"dilation 2", chain_json({5}, 1)}, {"dilation 4", chain_json({9}, 1)}},
       [] {
         return Json{{"dilation 2", chain({{3, 1, 2}})}, {"dilation 4", chain({{3, 1, 4}})}};
       }},
      {"G3",
       "pixels that one position's gradient reaches, two convolutions, pooling, convolution",
       {{"rows", {12, 21}}, {"columns", {12, 21}}},
       gradient_picture,
       "On the course's image of zeros all maxima tie, and only 12 to 20 are visible."},
      {"G4",
       "ten 3x3 means: the square that contains 95% of the gradient's energy",
       {{"theoretical", 21}, {"effective", 9}},
       effective_field,
       "The effective field is smaller than the theoretical one; \"a quarter\" is a rule of "
       "thumb."},
      {"G5",
       "fields and map sizes of four 3x3 convolutions of stride 2 on 64 pixels",
       {{"field", chain_json({3, 7, 15, 31}, 16)},
        {"map", {32, 16, 8, 4}},
        {"with pooling instead", chain_json({3, 4, 8, 10, 18, 22, 38, 46}, 16)}},
       [] {
         Json maps = Json::array();
         int64_t size = 64;
         for (int i = 0; i < 4; ++i) {
           size =
               output_size(size, {.kernel = 3, .stride = 2, .padding_begin = 1, .padding_end = 1});
           maps.push_back(size);
         }
         return Json{
             {"field", chain({{3, 2}, {3, 2}, {3, 2}, {3, 2}})},
             {"map", maps},
             {"with pooling instead", chain({{3}, {2, 2}, {3}, {2, 2}, {3}, {2, 2}, {3}, {2, 2}})}};
       },
       "A course labels this chart convolution and pooling: those would give 4, 10, 22, 46."},
  };
}

std::vector<Example> schedule_examples() {
  return {
      {"I2",
       "cosine learning rates from 0.1 over 20 epochs, after each",
       {.0994, .0976, .0946, .0905, .0854, .0794, .0727, .0655, .0578, .0500,
        .0422, .0345, .0273, .0206, .0146, .0095, .0054, .0024, .0006, .0000},
       cosine_rates,
       "A course prints each rate one epoch early, as the next epoch's.",
       5.1e-5},
      {"I2b",
       "from 0.001 to 0.000001 over 100 epochs: at 50, 100 and past the end",
       {.0005005, .000001, .000001},
       [] {
         return rates(optim::Schedule("cosine:0.001", 100), 0.001, {50, 100, 199});
       },
       "Past its end PyTorch's schedule climbs again, to 0.00099975 at 199; here it holds.",
       1e-12},
  };
}

}  // namespace fovea::cli
