#include "fovea/data/moving_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/data/registry.h"
#include "fovea/images/resize.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

constexpr int smallest_frame = 24, largest_item = 28;
constexpr uint8_t item_from = 40;    // darker pixels of a picture are its own background
constexpr uint8_t frame_noise = 32;  // of the frames' background, below this

const std::vector<std::string> directions{"right", "down right", "down", "down left",
                                          "left",  "up left",    "up",   "up right"};

int64_t direction_of(uint64_t seed, int64_t i) {
  return static_cast<int64_t>(
      Random(seed, "directions", static_cast<uint64_t>(i)).below(directions.size()));
}

}  // namespace

MovingItems::MovingItems(std::shared_ptr<const Dataset> pictures, int64_t size, uint64_t seed,
                         const ClipOptions& clip)
    : pictures_(std::move(pictures)),
      size_(size),
      seed_(seed),
      clip_(clip),
      modality_(std::make_shared<ClipModality>(clip)),
      targets_(class_targets(directions)) {
  const std::optional<Type> type = pictures_->input();
  const bool fits = type && is_image(*type) && type->dtype == DType::u8 && type->shape[2] == 1 &&
                    std::max(type->shape[0], type->shape[1]) <= largest_item;
  if (!fits || pictures_->size() == 0 || size < 1) {
    throw Error(ErrorKind::usage, "moving items are small gray pictures, u8 [H, W, 1]")
        .with("found", type ? to_string(*type) : "pictures of several sizes")
        .with("try", "--data clips:fashion-mnist, clips:mnist or clips:kmnist");
  }
  if (clip.channels != 1 || std::min(clip.height, clip.width) < smallest_frame) {
    throw Error(ErrorKind::usage, fmt::format("moving items need gray frames of at least {}x{}",
                                              smallest_frame, smallest_frame))
        .with("found", fmt::format("{}x{}, {} channels", clip.height, clip.width, clip.channels));
  }
}

Sample MovingItems::sample(int64_t i) const {
  Random random(seed_, "moving items", static_cast<uint64_t>(i));
  const Sample picture = pictures_->sample(
      static_cast<int64_t>(random.below(static_cast<uint64_t>(pictures_->size()))));
  const double scale = 0.4 + 0.3 * random.uniform(), speed = 1 + 1.5 * random.uniform();
  const auto scaled = [&](int axis) {
    return std::max(
        static_cast<int>(std::lround(scale * static_cast<double>(picture.input.dim(axis)))), 1);
  };
  const Image item =
      resize(std::get<Image>(to_picture(picture.input)), scaled(0), scaled(1), Filter::bilinear);
  const double angle = static_cast<double>(direction_of(seed_, i)) * std::numbers::pi / 4;
  const double top = random.uniform() * clip_.height, left = random.uniform() * clip_.width;
  const Type type = input().value();
  Array clip(type.dtype, type.shape);
  const std::span<uint8_t> pixels = clip.data<uint8_t>();
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.below(frame_noise));
  const auto wrapped = [](double at, int side) {
    const auto pixel = static_cast<int64_t>(std::floor(at)) % side;
    return pixel < 0 ? pixel + side : pixel;
  };
  for (int64_t t = 0; t < clip_.length; ++t) {
    const double moved = speed * static_cast<double>(t);
    for (int y = 0; y < item.height; ++y) {
      for (int x = 0; x < item.width; ++x) {
        const uint8_t value = *item.at(y, x);
        if (value < item_from) continue;
        const int64_t row = wrapped(top + moved * std::sin(angle) + y, clip_.height),
                      column = wrapped(left + moved * std::cos(angle) + x, clip_.width);
        pixels[static_cast<size_t>((t * clip_.height + row) * clip_.width + column)] = value;
      }
    }
  }
  return {clip, target(i)};
}

Array MovingItems::target(int64_t i) const {
  return Array::full(DType::i64, {}, static_cast<double>(direction_of(seed_, i)));
}

std::string MovingItems::stamp() const {
  return fmt::format("moving items {} {} {}", modality_->text(), size_, seed_);
}

DataSets open_moving_items(std::string_view spec, const ClipOptions& clip) {
  constexpr int64_t training = 4000, testing = 1000;
  const DataSets pictures = open(spec);
  return {.name = "clips",
          .train = std::make_shared<MovingItems>(pictures.train, training, 1, clip),
          .test = std::make_shared<MovingItems>(pictures.test, testing, 2, clip)};
}

}  // namespace fovea::data
