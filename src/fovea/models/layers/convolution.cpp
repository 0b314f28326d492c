#include <fmt/format.h>

#include "fovea/models/layers/rows.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/linear.h"

namespace fovea::models::layers {
namespace {

Argument padding_or_word() {
  Argument argument = sizes("padding", 0, 0);
  argument.words = {"same", "valid", "full"};
  return argument;
}

Padding padding(const Arguments& a) {
  if (const auto* word = std::get_if<std::string>(&a.value("padding"))) return {*word};
  return {dims(a, "padding")};
}

/// "2-D".
template <int Axes>
std::string dimensions() {
  return std::to_string(Axes) + "-D";
}

template <int Axes>
LayerKind convolution() {
  const std::string name = fmt::format("Conv{}d", Axes);
  return row<nn::Conv<Axes>>(
      {.name = name,
       .arguments = {channels("out_channels"), sizes("kernel_size"), sizes("stride", 1),
                     padding_or_word(), sizes("dilation", 1),
                     integer("groups", max_channels, int64_t{1}), flag("bias", true),
                     inferred("in_channels")},
       .help = dimensions<Axes>() + " convolution"},
      {fmt::format("{{ type = \"{}\", out_channels = 32, kernel_size = 3, padding = 1 }}", name),
       maps<Axes>(3)},
      [](const Shape& x, const Arguments& a) {
        return std::tuple(a.integer("in_channels", channels_of(x)), a.integer("out_channels"),
                          nn::ConvOptions{.kernel = dims(a, "kernel_size"),
                                          .stride = dims(a, "stride"),
                                          .padding = padding(a),
                                          .dilation = dims(a, "dilation"),
                                          .groups = a.integer("groups"),
                                          .bias = a.flag("bias")});
      });
}

template <int Axes>
LayerKind transposed_convolution() {
  const std::string name = fmt::format("ConvTranspose{}d", Axes);
  return row<nn::ConvTranspose<Axes>>(
      {.name = name,
       .arguments = {channels("out_channels"), sizes("kernel_size"), sizes("stride", 1),
                     sizes("padding", 0, 0), sizes("output_padding", 0, 0), sizes("dilation", 1),
                     integer("groups", max_channels, int64_t{1}), flag("bias", true),
                     inferred("in_channels")},
       .help = dimensions<Axes>() + " transposed convolution, for learned upsampling"},
      {fmt::format("{{ type = \"{}\", out_channels = 16, kernel_size = 2, stride = 2 }}", name),
       maps<Axes>(32, 4)},
      [](const Shape& x, const Arguments& a) {
        return std::tuple(a.integer("in_channels", channels_of(x)), a.integer("out_channels"),
                          nn::ConvTransposeOptions{.kernel = dims(a, "kernel_size"),
                                                   .stride = dims(a, "stride"),
                                                   .padding = dims(a, "padding"),
                                                   .output_padding = dims(a, "output_padding"),
                                                   .dilation = dims(a, "dilation"),
                                                   .groups = a.integer("groups"),
                                                   .bias = a.flag("bias")});
      });
}

}  // namespace

std::vector<LayerKind> convolutions() {
  return {convolution<1>(),
          convolution<2>(),
          convolution<3>(),
          transposed_convolution<1>(),
          transposed_convolution<2>(),
          transposed_convolution<3>(),
          row<nn::Linear>(
              {.name = "Linear",
               .arguments = {channels("out_features"), flag("bias", true), inferred("in_features")},
               .help = "Fully connected layer over the last axis, usually after Flatten"},
              {R"({ type = "Linear", out_features = 128 })", {64}},
              [](const Shape& x, const Arguments& a) {
                return std::tuple(a.integer("in_features", x[-1]), a.integer("out_features"),
                                  nn::LinearOptions{.bias = a.flag("bias")});
              })};
}

}  // namespace fovea::models::layers
