#include "fovea/data/scenes.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/data/registry.h"
#include "fovea/images/resize.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

constexpr int64_t largest_picture = 45;  // scaled it still fits
constexpr uint8_t visible_from = 40;     // darker pixels of a picture are its own background
constexpr uint8_t noise = 32;            // of the scene's background, below this

}  // namespace

/// The canvas, and for each pixel which object is on top there: 0 for none, else 1 + its index.
struct Scenes::Scene {
  std::vector<uint8_t> pixels = std::vector<uint8_t>(side * side);
  std::vector<uint8_t> top = std::vector<uint8_t>(side * side);
  std::vector<int64_t> labels, areas;  ///< of the objects; how many pixels they have, seen or not
};

Scenes::Scenes(std::shared_ptr<const Dataset> pictures, int64_t size, uint64_t seed, Kind kind)
    : pictures_(std::move(pictures)), size_(size), seed_(seed), kind_(kind) {
  const std::optional<Type> type = pictures_->input();
  const bool fits = type && is_image(*type) && type->dtype == DType::u8 && type->shape[2] == 1 &&
                    std::max(type->shape[0], type->shape[1]) <= largest_picture;
  if (!fits || pictures_->targets().type != class_targets({}).type || pictures_->size() == 0 ||
      size < 1) {
    throw Error(ErrorKind::usage,
                "scenes are made of small gray pictures with classes, u8 [H, W, 1]")
        .with("found", type ? to_string(*type) : "pictures of several sizes")
        .with("try", "--data scenes:fashion-mnist, scenes:mnist or scenes:kmnist");
  }
  std::vector<std::string> names = pictures_->targets().names;
  if (kind_ == Kind::masks) names.insert(names.begin(), "background");
  targets_ = kind_ == Kind::masks ? mask_targets(std::move(names))
                                  : box_targets(std::move(names), most_objects);
}

std::optional<Type> Scenes::input() const { return Type{DType::u8, {side, side, 1}}; }

Scenes::Scene Scenes::scene(int64_t i) const {
  Random random(seed_, "scenes", static_cast<uint64_t>(i));
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(n)));
  };
  Scene scene;
  for (uint8_t& pixel : scene.pixels) pixel = static_cast<uint8_t>(random.below(noise));
  const int64_t count = 2 + below(most_objects - 1);
  for (int64_t k = 0; k < count; ++k) {
    const Sample picture = pictures_->sample(below(pictures_->size()));
    const double scale = 0.7 + 0.7 * random.uniform();
    const auto scaled = [&](int axis) {
      return std::max(
          static_cast<int>(std::lround(scale * static_cast<double>(picture.input.dim(axis)))), 1);
    };
    const Image image =
        resize(std::get<Image>(to_picture(picture.input)), scaled(0), scaled(1), Filter::bilinear);
    const int64_t top = below(side - image.height + 1), left = below(side - image.width + 1);
    scene.labels.push_back(static_cast<int64_t>(picture.target.at(0)));
    scene.areas.push_back(0);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const uint8_t value = *image.at(y, x);
        if (value < visible_from) continue;
        const auto at = static_cast<size_t>((top + y) * side + left + x);
        scene.pixels[at] = value;
        scene.top[at] = static_cast<uint8_t>(k + 1);
        ++scene.areas.back();
      }
    }
  }
  return scene;
}

Sample Scenes::sample(int64_t i) const {
  const Scene made = scene(i);
  return {Array::of(made.pixels, {side, side, 1}),
          kind_ == Kind::masks ? mask_of(made) : box_array(boxes_of(made), most_objects)};
}

std::vector<ClassBox> Scenes::boxes(int64_t i) const { return boxes_of(scene(i)); }

Array Scenes::mask_of(const Scene& scene) {
  Array mask(DType::u8, {side, side, 1});
  const std::span<uint8_t> pixels = mask.data<uint8_t>();
  for (size_t p = 0; p < pixels.size(); ++p) {
    const auto object = scene.top[p];  // a class is 1 + its index, after the background
    pixels[p] = static_cast<uint8_t>(object == 0 ? 1 : scene.labels[object - size_t{1}] + 2);
  }
  return mask;
}

std::vector<ClassBox> Scenes::boxes_of(const Scene& scene) {
  std::vector<ClassBox> boxes;
  for (size_t k = 0; k < scene.labels.size(); ++k) {
    int64_t seen = 0, left = side, right = 0, top = side, bottom = 0;
    for (int64_t p = 0; p < side * side; ++p) {
      if (scene.top[static_cast<size_t>(p)] != k + 1) continue;
      ++seen;
      left = std::min(left, p % side);
      right = std::max(right, p % side + 1);
      top = std::min(top, p / side);
      bottom = std::max(bottom, p / side + 1);
    }
    if (seen == 0 || 4 * seen < scene.areas[k]) continue;
    boxes.push_back({.x1 = static_cast<double>(left),
                     .y1 = static_cast<double>(top),
                     .x2 = static_cast<double>(right),
                     .y2 = static_cast<double>(bottom),
                     .label = scene.labels[k]});
  }
  return boxes;
}

std::vector<Argument> scene_options() {
  return {{.name = "count",
           .type = ArgumentType::integer,
           .default_value = int64_t{40'000},
           .minimum = 1,
           .maximum = 10'000'000,
           .help = "scenes to train on"}};
}

DataSets open_scenes(std::string_view spec, const Arguments& options) {
  constexpr int64_t testing = 1000;
  const DataSets pictures = open(spec);
  const auto scenes = [&](Scenes::Kind kind) {
    return DataSets{
        .name = "scenes",
        .train = std::make_shared<Scenes>(pictures.train, options.integer("count"), 1, kind),
        .test = std::make_shared<Scenes>(pictures.test, testing, 2, kind)};
  };
  DataSets sets = scenes(Scenes::Kind::masks);
  sets.others = {scenes(Scenes::Kind::boxes)};
  return sets;
}

}  // namespace fovea::data
