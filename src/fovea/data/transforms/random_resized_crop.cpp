#include <algorithm>
#include <cmath>

#include "fovea/data/moves.h"
#include "fovea/data/transforms/box.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

class RandomResizedCrop : public Transform {
 public:
  RandomResizedCrop(std::string text, Range area, Range ratio)
      : text_(std::move(text)), area_(area), ratio_(ratio) {}

  std::string text() const override { return text_; }
  /// The channels stay; the size differs from image to image.
  Type output(const Type& input) const override {
    require_image(text_, input);
    return input;
  }
  bool frames() const override { return true; }
  /// The smallest crop of a square image is sqrt(area / ratio) of it high and sqrt(area * ratio)
  /// wide; of other images, of which the shorter side counts here, it is larger.
  MinimumSize minimum_size(const MinimumSize& wanted) const override {
    const auto of = [](int side, double share) {
      return static_cast<int>(std::min(std::ceil(side / share), 1e9));
    };
    const int side = std::max(of(wanted.height, std::sqrt(area_.low / ratio_.high)),
                              of(wanted.width, std::sqrt(area_.low * ratio_.low)));
    return {side, side};
  }
  void operator()(Sample& sample, TransformContext& context) const override {
    const Array& image = sample.input;
    const Box box = random_crop_box(image.dim(0), image.dim(1), area_, ratio_, context.random);
    crop(sample, box.top, box.left, box.height, box.width);
  }

 private:
  std::string text_;
  Range area_, ratio_;
};

}  // namespace

TransformEntry random_resized_crop_entry() {
  const Choice choice{.name = "random-resized-crop",
                      .arguments = {{.name = "min_scale",
                                     .default_value = 0.08,
                                     .maximum = 1,
                                     .open_minimum = true,
                                     .help = "minimum fraction of the image's area"},
                                    {.name = "max_scale",
                                     .default_value = 1.0,
                                     .maximum = 1,
                                     .open_minimum = true,
                                     .help = "maximum fraction of the image's area"},
                                    {.name = "min_ratio",
                                     .default_value = 3.0 / 4,
                                     .minimum = 0.01,
                                     .maximum = 100,
                                     .help = "minimum ratio of width to height"},
                                    {.name = "max_ratio",
                                     .default_value = 4.0 / 3,
                                     .minimum = 0.01,
                                     .maximum = 100,
                                     .help = "maximum ratio of width to height"}},
                      .help = "crops a part of random size and shape, which is then resized"};
  return {.choice = choice,
          .example = "random-resized-crop",
          .make = [choice](const Arguments& a) -> AnyTransform {
            return std::make_shared<RandomResizedCrop>(
                to_text(choice, a), range_of(choice, a, "scale"), range_of(choice, a, "ratio"));
          }};
}

std::optional<Box> random_box(int64_t height, int64_t width, Range area, Range ratio,
                              Random& random) {
  constexpr int tries = 10;
  const double pixels = static_cast<double>(height) * static_cast<double>(width);
  for (int i = 0; i < tries; ++i) {
    const double wanted = pixels * uniform(random, area.low, area.high);
    const double shape = std::exp(uniform(random, std::log(ratio.low), std::log(ratio.high)));
    const int64_t h = std::llround(std::sqrt(wanted / shape));
    const int64_t w = std::llround(std::sqrt(wanted * shape));
    if (h < 1 || w < 1 || h > height || w > width) continue;
    const int64_t top = integer(random, 0, height - h);
    return Box{top, integer(random, 0, width - w), h, w};
  }
  return std::nullopt;
}

Box random_crop_box(int64_t height, int64_t width, Range area, Range ratio, Random& random) {
  if (const std::optional<Box> box = random_box(height, width, area, ratio, random)) return *box;
  const auto rows = static_cast<double>(height), columns = static_cast<double>(width);
  Box box{0, 0, height, width};
  if (columns / rows < ratio.low) {
    box.height = std::clamp<int64_t>(std::llround(columns / ratio.low), 1, height);
  } else if (columns / rows > ratio.high) {
    box.width = std::clamp<int64_t>(std::llround(rows * ratio.high), 1, width);
  }
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

}  // namespace fovea::data
