#include "fovea/images/image.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/shape.h"
#include "fovea/images/samples.h"

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

template <class Sample>
BasicImage<Sample> BasicImage<Sample>::black(int height, int width, int channels) {
  // Shape refuses negative sides with a message of its own; both are the caller's mistake.
  check_sides(height, width, channels);
  const int64_t samples = Shape{height, width, channels}.numel();
  return {height, width, channels, std::vector<Sample>(static_cast<size_t>(samples))};
}

template <class Sample>
void check(const BasicImage<Sample>& image) {
  check_sides(image.height, image.width, image.channels);
  const Shape shape{image.height, image.width, image.channels};
  if (static_cast<int64_t>(image.pixels.size()) != shape.numel()) {
    throw Error(ErrorKind::usage,
                fmt::format("image: {} samples given, {} holds {}", image.pixels.size(),
                            to_string(shape, "HWC"), shape.numel()));
  }
}

template <class Sample>
BasicImage<Sample> to_gray(const BasicImage<Sample>& image) {
  check(image);
  if (image.channels == 1) return image;
  auto gray = BasicImage<Sample>::black(image.height, image.width, 1);
  const Sample* in = image.pixels.data();
  for (Sample& out : gray.pixels) {
    out = gray_of(in);
    in += image.channels;
  }
  return gray;
}

template <class Sample>
BasicImage<Sample> to_rgb(const BasicImage<Sample>& image) {
  check(image);
  if (image.channels == 3) return image;
  auto rgb = BasicImage<Sample>::black(image.height, image.width, 3);
  const Sample* in = image.pixels.data();
  const int green = image.channels == 1 ? 0 : 1;
  for (size_t i = 0; i < rgb.pixels.size(); i += 3, in += image.channels) {
    rgb.pixels[i] = in[0];
    rgb.pixels[i + 1] = in[green];
    rgb.pixels[i + 2] = in[2 * green];
  }
  return rgb;
}

AnyImage to_picture(const Array& image) {
  AnyImage picture;
  Array view = image;
  with_samples("a picture", view, [&]<class Sample>(std::span<Sample> samples) {
    picture = BasicImage<Sample>{static_cast<int>(image.dim(0)), static_cast<int>(image.dim(1)),
                                 static_cast<int>(image.dim(2)),
                                 std::vector<Sample>(samples.begin(), samples.end())};
  });
  return picture;
}

Image to_8_bits(AnyImage image) {
  if (Image* same = std::get_if<Image>(&image)) return std::move(*same);
  const Image16& deep = std::get<Image16>(image);
  Image result{deep.height, deep.width, deep.channels, {}};
  result.pixels.reserve(deep.pixels.size());
  for (const uint16_t value : deep.pixels)
    result.pixels.push_back(static_cast<uint8_t>(value >> 8));
  return result;
}

Image16 to_16_bits(AnyImage image) {
  if (Image16* same = std::get_if<Image16>(&image)) return std::move(*same);
  const Image& shallow = std::get<Image>(image);
  Image16 result{shallow.height, shallow.width, shallow.channels, {}};
  result.pixels.reserve(shallow.pixels.size());
  for (const uint8_t value : shallow.pixels)
    result.pixels.push_back(static_cast<uint16_t>(value * 257));
  return result;
}

template struct BasicImage<uint8_t>;
template struct BasicImage<uint16_t>;
template void check(const Image&);
template void check(const Image16&);
template Image to_gray(const Image&);
template Image16 to_gray(const Image16&);
template Image to_rgb(const Image&);
template Image16 to_rgb(const Image16&);

}  // namespace fovea
