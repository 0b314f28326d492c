#include "fovea/explain/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "fovea/core/text.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/layers.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/runtime/eval.h"

namespace fovea::explain {
namespace {

constexpr int tile_side = 112;

std::vector<std::string> chosen_patterns(Predictor& predictor, const Array& input,
                                         std::string_view layers) {
  const auto graph = predictor.inference().trace({input.dtype(), input.shape()});
  if (!layers.empty()) {
    tap_layers(*graph, layers);  // reports what matches nothing
    return split(layers, ',');
  }
  constexpr size_t maximum = 8;
  const std::vector<ConvLayer> all = convolutions(*graph);
  if (all.empty()) return layer_names(*graph);
  const size_t count = std::min(all.size(), maximum);
  std::vector<std::string> chosen;
  for (size_t i = 0; i < count; ++i)
    chosen.push_back(all[count == 1 ? 0 : i * (all.size() - 1) / (count - 1)].name);
  return chosen;
}

Array channel(const Array& maps, int64_t c) {
  Array one(DType::f32, maps.shape().slice(1));
  std::memcpy(one.raw(), maps.raw() + static_cast<size_t>(c) * one.bytes(), one.bytes());
  return one;
}

Image tile(const Array& map, const draw::Colormap& colors) {
  return draw::scaled_to(draw::heat_image(map, draw::min_max(map.data<float>()), colors),
                         tile_side);
}

}  // namespace

std::string FeatureMaps::shape_text() const {
  return fmt::format("{}", fmt::join(values.shape().begin(), values.shape().end(), "x"));
}

std::vector<FeatureMaps> features(Predictor& predictor, const Array& input,
                                  std::string_view layers) {
  const auto patterns = chosen_patterns(predictor, input, layers);
  if (patterns.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("features: {} has no layer", predictor.model().name()));
  }
  std::vector<FeatureMaps> found;
  for (const auto& [name, values] : predictor.inference().tapped(input, patterns).taps) {
    const Array copy = values.clone().astype(DType::f32);
    found.push_back({name, copy.reshaped(copy.shape().slice(1))});
  }
  return found;
}

Array as_maps(const Array& values) {
  const Shape& shape = values.shape();
  if (shape.rank() == 3) return values;
  if (shape.rank() > 3) {
    const int64_t width = shape[shape.rank() - 1];
    return values.reshaped(
        {shape[0], values.numel() / std::max<int64_t>(shape[0] * width, 1), width});
  }
  if (shape.rank() == 2) return values.reshaped({shape[0], 1, shape[1]});
  const auto width =
      static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(values.numel()))));
  const int64_t height = (values.numel() + width - 1) / std::max<int64_t>(width, 1);
  Array folded = Array::full(DType::f32, {1, height, width}, std::nan(""));
  std::memcpy(folded.raw(), values.raw(), values.bytes());
  return folded;
}

std::vector<int64_t> strongest_channels(const Array& maps) {
  const Array strength = eval(
      [](const Tensors& t) {
        return Tensors{mean(maximum(t[0], -t[0]), {1, 2})};
      },
      {maps})[0];
  std::vector<int64_t> order(static_cast<size_t>(maps.dim(0)));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order,
                           [&](int64_t a, int64_t b) { return strength.at(a) > strength.at(b); });
  return order;
}

Image features_picture(const FeatureMaps& layer, const FeaturesStyle& style) {
  const Array maps = as_maps(layer.values);
  const draw::Colormap& colors = draw::colormap(style.colormap);
  std::vector<int64_t> order = strongest_channels(maps);
  const auto count = std::ssize(order);
  order.resize(static_cast<size_t>(std::clamp<int64_t>(style.channels, 1, count)));
  if (!style.by_strength) std::ranges::sort(order);
  std::vector<draw::Tile> tiles;
  for (const int64_t c : order)
    tiles.push_back({tile(channel(maps, c), colors), count == 1 ? "" : fmt::format("{}", c)});
  const std::string title = fmt::format(
      "{}: {}{}", layer.layer, layer.shape_text(),
      std::ssize(tiles) < count ? fmt::format(", the {} strongest channels", tiles.size()) : "");
  return draw::grid(
      tiles, {.columns = std::min(8, static_cast<int>(tiles.size())), .scale = 1, .title = title});
}

Image features_overview(const Image& picture, const std::vector<FeatureMaps>& layers,
                        const std::string& colormap) {
  constexpr int side = 2 * tile_side;
  const draw::Colormap& colors = draw::colormap(colormap);
  std::vector<draw::Tile> tiles{{draw::scaled_to(picture, side), "input"}};
  for (const FeatureMaps& layer : layers) {
    const Array maps = as_maps(layer.values);
    const Array map = eval([](const Tensors& t) { return Tensors{mean(t[0], {0})}; }, {maps})[0];
    tiles.push_back(
        {draw::scaled_to(draw::heat_image(map, draw::min_max(map.data<float>()), colors), side),
         fmt::format("{} {}", layer.layer, layer.shape_text())});
  }
  return draw::grid(
      tiles, {.columns = std::min(4, static_cast<int>(tiles.size())), .scale = 1, .letters = 1});
}

}  // namespace fovea::explain
