#include <algorithm>

#include "fovea/models/layers/rows.h"
#include "fovea/nn.h"

namespace fovea::models::layers {
namespace {

Argument stride() { return integer("stride", max_size, int64_t{1}); }
Argument kernel_size(int64_t default_value) { return integer("kernel_size", 1023, default_value); }
Argument groups() { return integer("groups", max_channels, int64_t{1}); }
Argument reduction(int64_t default_value) { return integer("reduction", 65536, default_value); }
Argument factor(std::string name, int64_t default_value) {
  return integer(std::move(name), 1024, default_value);
}

std::tuple<int64_t, int64_t> in_and_out_channels(const Shape& x, const Arguments& a) {
  return {channels_of(x), a.integer("out_channels")};
}

template <class Activation>
std::unique_ptr<nn::Module> make_conv_norm_act(const nn::Scope& s, int64_t in, int64_t out,
                                               const nn::ConvNormActOptions& options) {
  return std::make_unique<nn::ConvNormAct<Activation>>(s, in, out, options);
}

LayerKind conv_norm_act() {
  using Make = std::unique_ptr<nn::Module> (*)(const nn::Scope&, int64_t, int64_t,
                                               const nn::ConvNormActOptions&);
  static const std::vector<std::pair<std::string, Make>> known{
      {"ReLU", make_conv_norm_act<nn::ReLU>},
      {"ReLU6", make_conv_norm_act<nn::ReLU6>},
      {"LeakyReLU", make_conv_norm_act<nn::LeakyReLU>},
      {"ELU", make_conv_norm_act<nn::ELU>},
      {"GELU", make_conv_norm_act<nn::GELU>},
      {"SiLU", make_conv_norm_act<nn::SiLU>},
      {"Mish", make_conv_norm_act<nn::Mish>},
      {"Hardswish", make_conv_norm_act<nn::Hardswish>},
      {"Sigmoid", make_conv_norm_act<nn::Sigmoid>},
      {"Tanh", make_conv_norm_act<nn::Tanh>},
      {"Identity", make_conv_norm_act<nn::Identity>},
  };
  std::vector<std::string> names;
  for (const auto& [name, make] : known) names.push_back(name);
  return {
      .choice = {.name = "ConvNormAct",
                 .arguments = {channels("out_channels"), kernel_size(3), stride(), groups(),
                               flag("bias", false), word("activation", "ReLU", names)},
                 .help = "Convolution, BatchNorm2d and an activation, padded so that stride 1 "
                         "keeps the size"},
      .example = {R"({ type = "ConvNormAct", out_channels = 32, activation = "SiLU" })", {3, 8, 8}},
      .build = [](const nn::Scope& s, const Shape& x, const Arguments& a) {
        using Pair = std::pair<std::string, Make>;
        return std::ranges::find(known, a.word("activation"), &Pair::first)
            ->second(s, channels_of(x), a.integer("out_channels"),
                     {.kernel = a.integer("kernel_size"),
                      .stride = a.integer("stride"),
                      .groups = a.integer("groups"),
                      .bias = a.flag("bias")});
      }};
}

std::vector<LayerKind> convolution_blocks() {
  return {
      conv_norm_act(),
      row<nn::MultiScale>({.name = "MultiScale",
                           .arguments = {channels("out_channels")},
                           .help = "Inception block: parallel 1x1, 3x3 and 5x5 convolutions and "
                                   "max pooling, out_channels each, concatenated"},
                          {R"({ type = "MultiScale", out_channels = 16 })", {8, 8, 8}},
                          in_and_out_channels),
      row<nn::DepthwiseSeparable>(
          {.name = "DepthwiseSeparable",
           .arguments = {channels("out_channels"), kernel_size(3), stride(), flag("norm", true)},
           .help = "Depthwise and 1x1 convolution, each followed by BatchNorm2d and ReLU unless "
                   "norm = false"},
          {R"({ type = "DepthwiseSeparable", out_channels = 32, stride = 2 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(channels_of(x), a.integer("out_channels"),
                              nn::DepthwiseSeparableOptions{.kernel = a.integer("kernel_size"),
                                                            .stride = a.integer("stride"),
                                                            .norm = a.flag("norm")});
          }),
      row<nn::ChannelMixer>({.name = "ChannelMixer",
                             .arguments = {channels("out_channels")},
                             .help = "1x1 convolution"},
                            {R"({ type = "ChannelMixer", out_channels = 32 })", {16, 8, 8}},
                            in_and_out_channels),
  };
}

std::vector<LayerKind> residual_blocks() {
  return {
      row<nn::BasicBlock>({.name = "BasicBlock",
                           .arguments = {channels("width"), stride()},
                           .help = "Residual block of ResNet-18 and 34: two 3x3 convolutions"},
                          {R"({ type = "BasicBlock", width = 32, stride = 2 })", {16, 8, 8}},
                          [](const Shape& x, const Arguments& a) {
                            return std::tuple(channels_of(x), a.integer("width"),
                                              a.integer("stride"));
                          }),
      row<nn::Bottleneck>(
          {.name = "Bottleneck",
           .arguments = {channels("width"), stride(), groups(),
                         integer("group_width", max_channels, int64_t{64})},
           .help = "Residual block of ResNet-50 and deeper: 1x1, 3x3 and 1x1 convolutions, "
                   "4 * width output channels"},
          {R"({ type = "Bottleneck", width = 8 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(channels_of(x), a.integer("width"), a.integer("stride"),
                              nn::BottleneckOptions{.groups = a.integer("groups"),
                                                    .group_width = a.integer("group_width")});
          }),
      row<nn::SEBasicBlock>({.name = "SEBasicBlock",
                             .arguments = {channels("width"), stride(), reduction(16)},
                             .help = "BasicBlock with SqueezeExcite"},
                            {R"({ type = "SEBasicBlock", width = 32, reduction = 8 })", {16, 8, 8}},
                            [](const Shape& x, const Arguments& a) {
                              return std::tuple(channels_of(x), a.integer("width"),
                                                a.integer("stride"), a.integer("reduction"));
                            }),
      row<nn::SqueezeExcite>(
          {.name = "SqueezeExcite",
           .arguments = {reduction(16)},
           .help = "Channels weighted by a two-layer network on their global averages"},
          {R"({ type = "SqueezeExcite", reduction = 4 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(channels_of(x), a.integer("reduction"));
          }),
      row<nn::MBConv>(
          {.name = "MBConv",
           .arguments = {channels("out_channels"), factor("expansion", 4), stride(), reduction(4)},
           .help = "Inverted residual block: 1x1 convolution to expansion times the channels, "
                   "depthwise 3x3, SqueezeExcite, 1x1"},
          {R"({ type = "MBConv", out_channels = 16, expansion = 6 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(channels_of(x), a.integer("out_channels"),
                              nn::MBConvOptions{.expansion = a.integer("expansion"),
                                                .stride = a.integer("stride"),
                                                .reduction = a.integer("reduction")});
          }),
  };
}

LayerKind convnext_block() {
  return row<nn::ConvNeXtBlock>(
      {.name = "ConvNeXtBlock",
       .arguments = {kernel_size(7), factor("expansion", 4), number("layer_scale", 1e6, 1e-6),
                     number("drop_path", 1, 0)},
       .help = "Residual block of ConvNeXt: depthwise convolution, LayerNormChannels and an MLP at "
               "each pixel; layer_scale = 0 leaves LayerScale out"},
      {R"({ type = "ConvNeXtBlock", drop_path = 0.1 })", {16, 8, 8}},
      [](const Shape& x, const Arguments& a) {
        nn::ConvNeXtOptions options{.kernel = a.integer("kernel_size"),
                                    .expansion = a.integer("expansion"),
                                    .layer_scale = a.number("layer_scale"),
                                    .drop_path = a.number("drop_path")};
        if (options.layer_scale == 0) options.layer_scale.reset();
        return std::tuple(channels_of(x), options);
      });
}

std::vector<LayerKind> dense_blocks() {
  return {
      row<nn::DenseLayer>({.name = "DenseLayer",
                           .arguments = {integer("growth", max_channels), factor("bottleneck", 4)},
                           .help = "Layer of a DenseNet; outputs growth new channels"},
                          {R"({ type = "DenseLayer", growth = 8 })", {16, 8, 8}},
                          [](const Shape& x, const Arguments& a) {
                            return std::tuple(channels_of(x), a.integer("growth"),
                                              a.integer("bottleneck"));
                          }),
      row<nn::DenseBlock>({.name = "DenseBlock",
                           .arguments = {integer("num_layers", 128),
                                         integer("growth", max_channels), factor("bottleneck", 4)},
                           .help = "num_layers DenseLayers, each of which receives all previous "
                                   "outputs; outputs its input and theirs, concatenated"},
                          {R"({ type = "DenseBlock", num_layers = 3, growth = 8 })", {16, 8, 8}},
                          [](const Shape& x, const Arguments& a) {
                            return std::tuple(static_cast<int>(a.integer("num_layers")),
                                              channels_of(x), a.integer("growth"),
                                              a.integer("bottleneck"));
                          }),
  };
}

}  // namespace

std::vector<LayerKind> blocks() {
  std::vector<LayerKind> rows;
  for (auto group : {convolution_blocks, residual_blocks, dense_blocks}) {
    for (LayerKind& kind : group()) rows.push_back(std::move(kind));
  }
  rows.push_back(convnext_block());
  return rows;
}

}  // namespace fovea::models::layers
