#include "fovea/explain/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/core/text.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/layers.h"
#include "fovea/nn/trace.h"
#include "fovea/ops/reduce.h"
#include "fovea/runtime/eval.h"

namespace fovea::explain {
namespace {

ConvLayer chosen_layer(const std::vector<ConvLayer>& layers, std::string_view name) {
  if (name.empty()) return layers.front();
  const auto found = std::ranges::find(layers, name, &ConvLayer::name);
  if (found != layers.end()) return *found;
  std::vector<std::string> names;
  for (const ConvLayer& layer : layers) names.push_back(layer.name);
  throw unknown_name("convolution", name, names).with("convolutions", join(names));
}

/// Any [O, C, spatial...] as [O, C, H, W].
Array flat(const Array& weight) {
  const Shape& s = weight.shape();
  const int64_t width = s[s.rank() - 1];
  const int64_t height = weight.numel() / std::max<int64_t>(s[0] * s[1] * width, 1);
  return weight.reshaped({s[0], s[1], height, width});
}

Array filter(const Array& values, int64_t i) {
  Array one(DType::f32, values.shape().slice(1));
  std::memcpy(one.raw(), values.raw() + static_cast<size_t>(i) * one.bytes(), one.bytes());
  return one;
}

int columns_for(int64_t count) {
  constexpr int64_t few = 8, many = 256;
  if (count <= many) return static_cast<int>(few);
  return static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count))));
}

}  // namespace

Filters filters(const nn::Module& model, State& state, const Shape& input, std::string_view layer) {
  const auto graph = nn::trace(model, Shape{1}.concat(input));
  const std::vector<ConvLayer> layers = convolutions(*graph);
  if (layers.empty()) throw no_convolution("filters", model.name());
  const ConvLayer chosen = chosen_layer(layers, layer);
  Array values = flat(state.get(chosen.weight).astype(DType::f32));
  const int64_t inputs = values.dim(1);
  if (inputs != 1 && inputs != 3) {
    values = eval([](const Tensors& t) { return Tensors{mean(t[0], {1}, true)}; }, {values})[0];
  }
  return {chosen.name, values, inputs};
}

Image filters_picture(const Filters& filters, const FiltersStyle& style) {
  const bool colored = filters.values.dim(1) == 3 && style.colormap.empty();
  const draw::Colormap& colors = draw::colormap(!style.colormap.empty() ? style.colormap
                                                : filters.inputs == 1   ? "gray"
                                                                        : "viridis");
  const draw::Range all = draw::min_max(filters.values.data<float>());
  const int64_t count = filters.values.dim(0);
  std::vector<draw::Tile> tiles;
  for (int64_t i = 0; i < count; ++i) {
    const Array one = filter(filters.values, i);
    const draw::Range range = style.scale_each ? draw::min_max(one.data<float>()) : all;
    tiles.push_back(
        {colored ? draw::rgb_image(one, range) : draw::channel_images(one, &range, colors)[0]});
  }
  constexpr int64_t side = 64, smallest = 4;
  const int64_t largest = std::max(filters.values.dim(2), filters.values.dim(3));
  const int64_t wanted = count > 256 ? side / 4 : side;
  return draw::grid(
      tiles, {.columns = columns_for(count),
              .scale = static_cast<int>(std::max<int64_t>(wanted / largest, 1)),
              .margin = static_cast<int>(smallest),
              .title = fmt::format("{}: {} filters{}", filters.layer, count,
                                   filters.values.dim(1) == filters.inputs
                                       ? ""
                                       : fmt::format(", mean of {} inputs", filters.inputs))});
}

}  // namespace fovea::explain
