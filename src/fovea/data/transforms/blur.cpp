#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/images/adjust.h"

namespace fovea::data {

TransformEntry gaussian_blur_entry() {
  const Choice choice{.name = "gaussian-blur",
                      .arguments = {{.name = "size",
                                     .type = ArgumentType::integer,
                                     .minimum = 1,
                                     .maximum = 255,
                                     .help = "side length of the kernel in pixels, odd"},
                                    {.name = "min_sigma",
                                     .default_value = 0.1,
                                     .minimum = 0.01,
                                     .maximum = 1000,
                                     .help = "minimum standard deviation in pixels"},
                                    {.name = "max_sigma",
                                     .default_value = 2.0,
                                     .minimum = 0.01,
                                     .maximum = 1000,
                                     .help = "maximum standard deviation in pixels"}},
                      .help = "blurs the image by a Gaussian of random width"};
  return image_entry(choice, "gaussian-blur:9:2:3", [choice](const Arguments& a) -> ImageFunction {
    const auto size = static_cast<int>(a.integer("size"));
    if (size % 2 == 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("transform gaussian-blur: size must be an odd number, not {}", size));
    }
    return [size, sigma = range_of(choice, a, "sigma")](Array& image, Random& random) {
      gaussian_blur(image, size, uniform(random, sigma.low, sigma.high));
    };
  });
}

TransformEntry sharpness_entry() {
  return image_entry({.name = "sharpness",
                      .arguments = {{.name = "factor",
                                     .maximum = 1000,
                                     .help = "0: smooth, 1: unchanged, above 1: sharper"},
                                    probability_argument()},
                      .help = "makes the image smoother or sharper, at random"},
                     "sharpness:4:1", [](const Arguments& a) {
                       return with_probability<Array>(
                           a.number("p"), [factor = a.number("factor")](Array& image, Random&) {
                             adjust_sharpness(image, factor);
                           });
                     });
}

}  // namespace fovea::data
