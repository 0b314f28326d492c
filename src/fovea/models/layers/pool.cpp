#include "fovea/nn/pool.h"
#include "fovea/models/layers/rows.h"

namespace fovea::models::layers {
namespace {

Argument pool_stride() {
  Argument argument = sizes("stride");
  argument.follows = "kernel_size";
  return argument;
}

/// What both kinds of pooling have.
PoolOptions pool_options(const Arguments& a) {
  PoolOptions options{.kernel = dims(a, "kernel_size"),
                      .padding = dims(a, "padding"),
                      .ceil_mode = a.flag("ceil_mode")};
  if (a.has("stride")) options.stride = dims(a, "stride");
  return options;
}

template <class M>
LayerKind adaptive(std::string name, std::string help, LayerExample example) {
  return row<M>(
      {.name = std::move(name), .arguments = {sizes("output_size")}, .help = std::move(help)},
      std::move(example),
      [](const Shape&, const Arguments& a) { return std::tuple(dims(a, "output_size")); });
}

}  // namespace

std::vector<LayerKind> pools() {
  return {
      row<nn::MaxPool2d>(
          {.name = "MaxPool2d",
           .arguments = {sizes("kernel_size"), pool_stride(), sizes("padding", 0, 0),
                         sizes("dilation", 1), flag("ceil_mode", false)},
           .help = "Maximum of each window"},
          {R"({ type = "MaxPool2d", kernel_size = 3, stride = 2, padding = 1 })", {3, 8, 8}},
          [](const Shape&, const Arguments& a) {
            PoolOptions options = pool_options(a);
            options.dilation = dims(a, "dilation");
            return std::tuple(options);
          }),
      row<nn::AvgPool2d>({.name = "AvgPool2d",
                          .arguments = {sizes("kernel_size"), pool_stride(), sizes("padding", 0, 0),
                                        flag("ceil_mode", false), flag("count_include_pad", true)},
                          .help = "Mean of each window"},
                         {R"({ type = "AvgPool2d", kernel_size = 2 })", {3, 8, 8}},
                         [](const Shape&, const Arguments& a) {
                           PoolOptions options = pool_options(a);
                           options.count_include_pad = a.flag("count_include_pad");
                           return std::tuple(options);
                         }),
      adaptive<nn::AdaptiveAvgPool2d>(
          "AdaptiveAvgPool2d",
          "Average pooling to the given output size; 1 is global average pooling",
          {R"({ type = "AdaptiveAvgPool2d", output_size = 1 })", {3, 8, 8}}),
      adaptive<nn::AdaptiveMaxPool2d>(
          "AdaptiveMaxPool2d", "Max pooling to the given output size; 1 is global max pooling",
          {R"({ type = "AdaptiveMaxPool2d", output_size = [2, 4] })", {3, 8, 8}})};
}

}  // namespace fovea::models::layers
