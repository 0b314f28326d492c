#include <algorithm>
#include <array>

#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/images/adjust.h"

namespace fovea::data {
namespace {

/// A factor of 1 +- `spread`; 0 means no change.
Argument spread_argument(std::string name) {
  return {.name = std::move(name), .default_value = 0.0, .help = "the factor is within 1 +- this"};
}

struct Jitter {
  double brightness, contrast, saturation, hue;

  void operator()(Array& image, Random& random) const {
    std::array<int, 4> order{0, 1, 2, 3};
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const int which : order) change(which, image, random);
  }

 private:
  void change(int which, Array& image, Random& random) const {
    const auto apply = [&](double spread, void (*adjust)(Array&, double)) {
      if (spread > 0) adjust(image, uniform(random, std::max(0.0, 1 - spread), 1 + spread));
    };
    if (which == 0) apply(brightness, adjust_brightness);
    if (which == 1) apply(contrast, adjust_contrast);
    if (which == 2) apply(saturation, adjust_saturation);
    if (which == 3 && hue > 0) adjust_hue(image, uniform(random, -hue, hue));
  }
};

/// A row of a transform whose only argument is the probability.
TransformEntry simple_entry(std::string name, std::string help, void (*change)(Array&),
                            double p = 0.5) {
  std::string example = name + ":1";
  return image_entry(
      {.name = std::move(name), .arguments = {probability_argument(p)}, .help = std::move(help)},
      std::move(example), [change](const Arguments& a) {
        return with_probability<Array>(a.number("p"),
                                       [change](Array& image, Random&) { change(image); });
      });
}

}  // namespace

TransformEntry color_jitter_entry() {
  return image_entry(
      {.name = "color-jitter",
       .arguments = {spread_argument("brightness"),
                     spread_argument("contrast"),
                     spread_argument("saturation"),
                     {.name = "hue",
                      .default_value = 0.0,
                      .maximum = 0.5,
                      .help = "maximum rotation either way, as a fraction of a full turn"}},
       .help = "changes brightness, contrast, saturation and hue at random, in random order"},
      "color-jitter:0.4:0.4:0.4:0.1",
      [](const Arguments& a) -> ImageFunction {
        return Jitter{a.number("brightness"), a.number("contrast"), a.number("saturation"),
                      a.number("hue")};
      },
      require_colors);
}

TransformEntry grayscale_entry() {
  return simple_entry("grayscale", "makes the image gray, at random; it keeps three channels",
                      grayscale, 0.1);
}
TransformEntry autocontrast_entry() {
  return simple_entry("autocontrast", "stretches each channel to the full range, at random",
                      autocontrast);
}
TransformEntry equalize_entry() {
  return simple_entry("equalize", "evens out each channel's histogram, at random", equalize);
}
TransformEntry invert_entry() {
  return simple_entry("invert", "inverts the image, at random", invert);
}

TransformEntry posterize_entry() {
  return image_entry({.name = "posterize",
                      .arguments = {{.name = "bits",
                                     .type = ArgumentType::integer,
                                     .maximum = 8,
                                     .help = "number of upper bits kept"},
                                    probability_argument()},
                      .help = "keeps the upper bits of each value, at random"},
                     "posterize:2:1", [](const Arguments& a) {
                       const auto bits = static_cast<int>(a.integer("bits"));
                       return with_probability<Array>(a.number("p"), [bits](Array& image, Random&) {
                         posterize(image, bits);
                       });
                     });
}

TransformEntry solarize_entry() {
  return image_entry({.name = "solarize",
                      .arguments = {{.name = "threshold",
                                     .maximum = 256,
                                     .help = "values of at least this are inverted"},
                                    probability_argument()},
                      .help = "inverts the bright values, at random"},
                     "solarize:128:1", [](const Arguments& a) {
                       return with_probability<Array>(
                           a.number("p"),
                           [threshold = a.number("threshold")](Array& image, Random&) {
                             solarize(image, threshold);
                           });
                     });
}

}  // namespace fovea::data
