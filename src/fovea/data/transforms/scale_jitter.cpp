#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/data/transforms/placing.h"

namespace fovea::data {
namespace {

/// Where a picture of `inner` pixels begins in a frame of `outer`: anywhere inside or, if it is
/// larger, so that it fills the frame.
int64_t random_place(int64_t outer, int64_t inner, Random& random) {
  return outer >= inner ? integer(random, 0, outer - inner) : -integer(random, 0, inner - outer);
}

class ScaleJitter : public Placing {
 public:
  ScaleJitter(std::string text, Range scale, uint8_t value)
      : Placing(std::move(text), scale.high), scale_(scale), value_(value) {}

  void operator()(Sample& sample, TransformContext& context) const override {
    Random& random = context.random;
    const double scale = uniform(random, scale_.low, scale_.high);
    const int64_t height = context.height, width = context.width;
    const Sample scaled = fitted(sample, height, width, scale);
    Sample frame = blank(height, width, value_, sample);
    const int64_t top = random_place(height, scaled.input.dim(0), random);
    paste(frame, scaled, top, random_place(width, scaled.input.dim(1), random));
    sample = std::move(frame);
  }

 private:
  Range scale_;
  uint8_t value_;
};

}  // namespace

TransformEntry scale_jitter_entry() {
  const Choice choice{
      .name = "scale-jitter",
      .arguments = {{.name = "min_scale",
                     .default_value = 0.5,
                     .minimum = 0.01,
                     .maximum = 10,
                     .help = "minimum scale; at 1 the image just fits"},
                    {.name = "max_scale",
                     .default_value = 1.5,
                     .minimum = 0.01,
                     .maximum = 10,
                     .help = "maximum scale"},
                    bars_argument()},
      .help =
          "scales the image at random, and crops or pads it to the net's input at a random "
          "position"};
  return {.choice = choice, .example = "scale-jitter", .make = [choice](const Arguments& a) {
            return AnyTransform(
                std::make_shared<ScaleJitter>(to_text(choice, a), range_of(choice, a, "scale"),
                                              static_cast<uint8_t>(a.integer("value"))));
          }};
}

}  // namespace fovea::data
