#include <fmt/format.h>

#include <algorithm>

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
                     word("mode", "nearest", {"nearest", "linear", "bilinear", "trilinear"}),
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

/// What lies before and after each of so many axes.
Padding border(const Dims& begin, const Dims& end, int axes) {
  if (axes < 1) return begin;  // pad itself says what is wrong
  const std::vector<int64_t> before = begin.expand(axes, "pad", "padding"),
                             after = end.expand(axes, "pad", "padding_end");
  const auto side = [&](size_t i) { return Padding::Pair{before[i], after[i]}; };
  if (axes == 1) return {side(0)};
  if (axes == 2) return {side(0), side(1)};
  return {side(0), side(1), side(2)};
}

LayerKind padded() {
  Argument end = sizes("padding_end");
  end.minimum = 0;
  end.follows = "padding";
  Argument value = number("value", 1e6, 0);
  value.minimum = -1e6;
  return row<nn::Pad>(
      {.name = "Pad",
       .arguments = {sizes("padding", 0, 0), end,
                     word("mode", "constant", {"constant", "reflect", "replicate", "circular"}),
                     value},
       .help = "A border of padding before each spatial axis and padding_end after it; padding = 4 "
               "and padding_end = 0 make a convolution causal"},
      {R"({ type = "Pad", padding = 2, mode = "reflect" })", {3, 8, 8}},
      [](const Shape& x, const Arguments& a) {
        const Dims begin = dims(a, "padding");
        const Padding padding =
            border(begin, a.has("padding_end") ? dims(a, "padding_end") : begin, x.rank() - 2);
        const auto names = enum_names(PadMode::constant);
        const auto mode = std::ranges::find(names, a.word("mode")) - names.begin();
        return std::tuple(padding, static_cast<PadMode>(mode), a.number("value"));
      });
}

template <int Axes>
LayerKind spatial_dropout() {
  const std::string name = fmt::format("Dropout{}d", Axes);
  return row<nn::SpatialDropout>(
      {.name = name,
       .arguments = {probability("p", 0.5)},
       .help = "In training, zeroes each channel with probability p"},
      {fmt::format("{{ type = \"{}\", p = 0.2 }}", name), maps<Axes>(16)}, p_of);
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
      spatial_dropout<1>(),
      spatial_dropout<2>(),
      spatial_dropout<3>(),
      row<nn::DropPath>({.name = "DropPath",
                         .arguments = {number("p", 1, 0.1)},
                         .help = "Stochastic depth: in training, zeroes each image with "
                                 "probability p; the last layer of a branch, before Add"},
                        {R"({ type = "DropPath", p = 0.2 })", {16, 8, 8}}, p_of),
      upsample(),
      padded(),
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
