#include "fovea/models/layers/rows.h"
#include "fovea/nn.h"

namespace fovea::models::layers {
namespace {

std::tuple<double> p_of(const Shape&, const Arguments& a) { return {a.number("p")}; }

LayerKind upsample() {
  return row<nn::Upsample>(
      {.name = "Upsample",
       .arguments = {{.name = "scale_factor",
                      .type = ArgumentType::numbers,
                      .minimum = 1e-3,
                      .maximum = 1e3},
                     word("mode", "nearest", {"nearest", "bilinear"}),
                     flag("align_corners", false),
                     flag("recompute_scale_factor", false)},
       .help = "Feature maps resized by interpolation"},
      {R"({ type = "Upsample", scale_factor = 2, mode = "bilinear" })", {3, 8, 8}},
      [](const Shape&, const Arguments& a) {
        return std::tuple(
            Factors(a.numbers("scale_factor")),
            UpsampleOptions{
                .mode = a.word("mode") == "nearest" ? UpsampleMode::nearest : UpsampleMode::linear,
                .align_corners = a.flag("align_corners"),
                .recompute_scale_factor = a.flag("recompute_scale_factor")});
      });
}

}  // namespace

std::vector<LayerKind> shapes() {
  return {
      row<nn::Flatten>({.name = "Flatten",
                        .arguments = {integer("start_dim", 4, int64_t{1})},
                        .help = "All axes from start_dim on flattened into one"},
                       {R"({ type = "Flatten", start_dim = 2 })", {3, 8, 8}},
                       [](const Shape&, const Arguments& a) {
                         return std::tuple(static_cast<int>(a.integer("start_dim")));
                       }),
      row<nn::Dropout>({.name = "Dropout",
                        .arguments = {probability("p", 0.5)},
                        .help = "In training, zeroes each value with probability p"},
                       {R"({ type = "Dropout", p = 0.2 })", {64}}, p_of),
      row<nn::Dropout2d>({.name = "Dropout2d",
                          .arguments = {probability("p", 0.5)},
                          .help = "In training, zeroes each channel with probability p"},
                         {R"({ type = "Dropout2d", p = 0.2 })", {16, 8, 8}}, p_of),
      row<nn::DropPath>({.name = "DropPath",
                         .arguments = {number("p", 1, 0.1)},
                         .help = "Stochastic depth: in training, zeroes each image with "
                                 "probability p; the last layer of a branch, before Add"},
                        {R"({ type = "DropPath", p = 0.2 })", {16, 8, 8}}, p_of),
      upsample(),
      row<nn::PixelShuffle>(
          {.name = "PixelShuffle",
           .arguments = {integer("upscale_factor", 1024)},
           .help = "Channels rearranged into the pixels of larger feature maps"},
          {R"({ type = "PixelShuffle", upscale_factor = 2 })", {16, 8, 8}},
          [](const Shape&, const Arguments& a) { return std::tuple(a.integer("upscale_factor")); }),
      row<nn::ChannelShuffle>(
          {.name = "ChannelShuffle",
           .arguments = {integer("groups", max_channels)},
           .help = "Channels of all groups interleaved, as in ShuffleNet"},
          {R"({ type = "ChannelShuffle", groups = 4 })", {16, 8, 8}},
          [](const Shape&, const Arguments& a) { return std::tuple(a.integer("groups")); }),
      row<nn::Identity>(
          {.name = "Identity",
           .help = "Returns its input unchanged, for example to give it a name for `from`"},
          {"\"Identity\"", {3, 8, 8}}),
  };
}

}  // namespace fovea::models::layers
