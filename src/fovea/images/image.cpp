#include "fovea/images/image.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/shape.h"

namespace fovea {
namespace {

void check_sides(int height, int width, int channels) {
  if (height < 1 || width < 1 || (channels != 1 && channels != 3 && channels != 4)) {
    throw Error(ErrorKind::usage, fmt::format("image: {} is not the size of an image",
                                              to_string(Shape{height, width, channels})))
        .with("expected", "height and width of at least 1; 1, 3 or 4 channels");
  }
}

}  // namespace

Image Image::black(int height, int width, int channels) {
  // Shape refuses negative sides with a message of its own; both are the caller's mistake.
  check_sides(height, width, channels);
  const int64_t bytes = Shape{height, width, channels}.numel();
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(bytes))};
}

void check(const Image& image) {
  check_sides(image.height, image.width, image.channels);
  const Shape shape{image.height, image.width, image.channels};
  if (static_cast<int64_t>(image.pixels.size()) != shape.numel()) {
    throw Error(ErrorKind::usage,
                fmt::format("image: {} samples given, {} holds {}", image.pixels.size(),
                            to_string(shape, "HWC"), shape.numel()));
  }
}

Image to_gray(const Image& image) {
  check(image);
  if (image.channels == 1) return image;
  Image gray = Image::black(image.height, image.width, 1);
  const uint8_t* in = image.pixels.data();
  for (uint8_t& out : gray.pixels) {
    // The weights times 2^16, and one half to round.
    out = static_cast<uint8_t>((in[0] * 19595 + in[1] * 38470 + in[2] * 7471 + 0x8000) >> 16);
    in += image.channels;
  }
  return gray;
}

Image to_rgb(const Image& image) {
  check(image);
  if (image.channels == 3) return image;
  Image rgb = Image::black(image.height, image.width, 3);
  const uint8_t* in = image.pixels.data();
  const int green = image.channels == 1 ? 0 : 1;
  for (size_t i = 0; i < rgb.pixels.size(); i += 3, in += image.channels) {
    rgb.pixels[i] = in[0];
    rgb.pixels[i + 1] = in[green];
    rgb.pixels[i + 2] = in[2 * green];
  }
  return rgb;
}

}  // namespace fovea
