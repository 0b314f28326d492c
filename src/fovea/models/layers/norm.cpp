#include "fovea/nn/norm.h"

#include <fmt/format.h>

#include "fovea/models/layers/rows.h"

namespace fovea::models::layers {
namespace {

Argument eps(double default_value = 1e-5) { return number("eps", 1, default_value); }

template <class Norm>
LayerKind batch_norm(std::string name, std::string help, LayerExample example) {
  Argument momentum = number("momentum", 1, 0.1);
  momentum.words = {"none"};
  return row<Norm>({.name = std::move(name),
                    .arguments = {eps(), momentum, flag("affine", true), inferred("num_features")},
                    .help = std::move(help)},
                   std::move(example), [](const Shape& x, const Arguments& a) {
                     return std::tuple(
                         a.integer("num_features", channels_of(x)),
                         nn::BatchNormOptions{.eps = a.number("eps"),
                                              .momentum = a.optional_number("momentum"),
                                              .affine = a.flag("affine")});
                   });
}

std::vector<Argument> layer_norm_arguments(double default_eps) {
  return {eps(default_eps), flag("elementwise_affine", true), flag("bias", true)};
}
nn::LayerNormOptions layer_norm_options(const Arguments& a) {
  return {.eps = a.number("eps"),
          .elementwise_affine = a.flag("elementwise_affine"),
          .bias = a.flag("bias")};
}

nn::GroupNormOptions group_norm_options(const Arguments& a) {
  return {.eps = a.number("eps"), .affine = a.flag("affine")};
}

template <int Axes>
LayerKind instance_norm(const std::string& whose) {
  const std::string name = fmt::format("InstanceNorm{}d", Axes);
  return row<nn::InstanceNorm>(
      {.name = name,
       .arguments = {eps(), flag("affine", false)},
       .help = "Normalisation of each channel of " + whose},
      {fmt::format("{{ type = \"{}\", affine = true }}", name), maps<Axes>(16)},
      [](const Shape& x, const Arguments& a) {
        return std::tuple(channels_of(x), group_norm_options(a));
      });
}

}  // namespace

std::vector<LayerKind> norms() {
  return {
      batch_norm<nn::BatchNorm1d>(
          "BatchNorm1d", "Batch normalisation of feature vectors, or of the channels of series",
          {R"({ type = "BatchNorm1d", momentum = "none" })", {64}}),
      batch_norm<nn::BatchNorm2d>("BatchNorm2d", "Batch normalisation of feature maps",
                                  {R"({ type = "BatchNorm2d", momentum = 0.01 })", {16, 8, 8}}),
      batch_norm<nn::BatchNorm3d>("BatchNorm3d", "Batch normalisation of volumes and clips",
                                  {R"({ type = "BatchNorm3d", momentum = 0.01 })", maps<3>(16)}),
      row<nn::GroupNorm>(
          {.name = "GroupNorm",
           .arguments = {integer("num_groups", max_channels), eps(), flag("affine", true)},
           .help = "Normalisation over groups of channels, for each image"},
          {R"({ type = "GroupNorm", num_groups = 4 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(a.integer("num_groups"), channels_of(x), group_norm_options(a));
          }),
      instance_norm<1>("each series"),
      instance_norm<2>("each image"),
      instance_norm<3>("each volume"),
      row<nn::LayerNorm>({.name = "LayerNorm",
                          .arguments = layer_norm_arguments(1e-5),
                          .help = "Normalisation over the last axis"},
                         {R"({ type = "LayerNorm", bias = false })", {64}},
                         [](const Shape& x, const Arguments& a) {
                           return std::tuple(Shape{x[-1]}, layer_norm_options(a));
                         }),
      row<nn::LayerNormChannels>(
          {.name = "LayerNormChannels",
           .arguments = layer_norm_arguments(1e-6),
           .help = "Normalisation over the channels of each pixel, as in ConvNeXt"},
          {R"({ type = "LayerNormChannels", eps = 1e-5 })", {16, 8, 8}},
          [](const Shape& x, const Arguments& a) {
            return std::tuple(channels_of(x), layer_norm_options(a));
          }),
      row<nn::GlobalResponseNorm>({.name = "GlobalResponseNorm",
                                   .arguments = {eps(1e-6)},
                                   .help = "Global response normalisation, as in ConvNeXt V2"},
                                  {R"({ type = "GlobalResponseNorm", eps = 1e-5 })", {16, 8, 8}},
                                  [](const Shape& x, const Arguments& a) {
                                    return std::tuple(channels_of(x), a.number("eps"));
                                  }),
      row<nn::LayerScale>({.name = "LayerScale",
                           .arguments = {number("value", 1e6, 1e-6)},
                           .help = "A learned factor per channel, which starts at value"},
                          {R"({ type = "LayerScale", value = 0.1 })", {16, 8, 8}},
                          [](const Shape& x, const Arguments& a) {
                            return std::tuple(channels_of(x), a.number("value"));
                          }),
  };
}

}  // namespace fovea::models::layers
