#include <cmath>

#include "fovea/core/error.h"
#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/data/transforms/placing.h"

namespace fovea::data {
namespace {

constexpr int64_t mosaic_images = 4;

/// Mosaic (Bochkovskiy et al. 2020, YOLOv4): the sample and three others, each scaled, around a
/// point in the middle half of the frame, at which their corners meet.
class Mosaic : public Placing {
 public:
  Mosaic(std::string text, double p, Range scale, uint8_t value)
      : Placing(std::move(text), scale.high), p_(p), scale_(scale), value_(value) {}

  Targets targets(const Targets& given) const override {
    if (!lies_in_image(given.type)) {
      throw Error(ErrorKind::usage, text() + " needs targets that lie in the image: masks or boxes")
          .with("found", to_string(given.type));
    }
    Targets more = given;
    more.capacity *= mosaic_images;
    return more;
  }

  void operator()(Sample& sample, TransformContext& context) const override {
    Random& random = context.random;
    const int64_t height = context.height, width = context.width;
    Sample frame = blank(height, width, value_, sample, mosaic_images);
    if (random.uniform() >= p_) {
      const Sample whole = fitted(sample, height, width, 1);
      paste(frame, whole, (height - whole.input.dim(0)) / 2, (width - whole.input.dim(1)) / 2);
      sample = std::move(frame);
      return;
    }
    const auto middle = [&](int64_t side) {
      return static_cast<int64_t>(
          std::lround(uniform(random, 0.25, 0.75) * static_cast<double>(side)));
    };
    const int64_t y = middle(height), x = middle(width);
    for (int64_t k = 0; k < mosaic_images; ++k) {
      Sample part = k == 0 || !context.other ? sample : context.other(random);
      part = fitted(std::move(part), height, width, uniform(random, scale_.low, scale_.high));
      paste(frame, part, k / 2 == 0 ? y - part.input.dim(0) : y,
            k % 2 == 0 ? x - part.input.dim(1) : x);
    }
    sample = std::move(frame);
  }

 private:
  double p_;
  Range scale_;
  uint8_t value_;
};

}  // namespace

TransformEntry mosaic_entry() {
  const Choice choice{.name = "mosaic",
                      .arguments = {probability_argument(1),
                                    {.name = "min_scale",
                                     .default_value = 0.5,
                                     .minimum = 0.01,
                                     .maximum = 10,
                                     .help = "minimum scale of each image; at 1 it just fits"},
                                    {.name = "max_scale",
                                     .default_value = 1.0,
                                     .minimum = 0.01,
                                     .maximum = 10,
                                     .help = "maximum scale of each image"},
                                    bars_argument()},
                      .help = "puts the image and three others around a random point, at random"};
  return {.choice = choice, .example = "mosaic", .make = [choice](const Arguments& a) {
            return AnyTransform(std::make_shared<Mosaic>(to_text(choice, a), a.number("p"),
                                                         range_of(choice, a, "scale"),
                                                         static_cast<uint8_t>(a.integer("value"))));
          }};
}

}  // namespace fovea::data
