#include "fovea/images/resize.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/core/random.h"
#include "images/golden.h"

namespace fovea {
namespace {

Image noise(int height, int width, int channels, uint64_t seed) {
  Random random(seed, "noise");
  Image image = Image::black(height, width, channels);
  for (uint8_t& sample : image.pixels) sample = static_cast<uint8_t>(random.below(256));
  return image;
}

// If one byte differs, a network trained with Pillow's pictures sees other pixels and loses
// accuracy.
TEST(Resize, EqualsPillow13ToTheLastByteAlsoForTallPictures) {
  int compared = 0;
  for (const auto& [key, array] : golden()) {
    const size_t slash = key.rfind('/');
    if (!key.starts_with("resize/") || key.ends_with("/source")) continue;
    const std::string kind = key.substr(7, key.find('/', 7) - 7);
    const auto filter = filter_named(key.substr(8 + kind.size(), slash - 8 - kind.size()));
    ASSERT_TRUE(filter) << key;
    const Image expected = golden_image(key);
    const Image got = resize(golden_image("resize/" + kind + "/source"), expected.height,
                             expected.width, *filter);
    EXPECT_TRUE(got == expected) << key;
    ++compared;
  }
  EXPECT_EQ(compared, 135);
}

// prepare() computes only the cropped part, which must equal that part of the full result.
TEST(Resize, AWindowEqualsThatPartOfTheFullResult) {
  Random random(1, "windows");
  const auto up_to = [&](int n) {
    return 1 + static_cast<int>(random.below(static_cast<uint64_t>(n)));
  };
  for (int trial = 0; trial < 100; ++trial) {
    const int channels = std::array{1, 3, 4}[random.below(3)];
    const Image image = noise(up_to(30), up_to(30), channels, static_cast<uint64_t>(trial));
    Region w{up_to(50), up_to(50), 0, 0, 0, 0};
    w.height = up_to(w.full_height);
    w.width = up_to(w.full_width);
    w.top = up_to(w.full_height - w.height + 1) - 1;
    w.left = up_to(w.full_width - w.width + 1) - 1;
    for (Filter filter : {Filter::nearest, Filter::bilinear, Filter::bicubic}) {
      const Image whole = resize(image, w.full_height, w.full_width, filter);
      const Image part = resize_window(image, w, filter);
      ASSERT_EQ(part.height, w.height);
      ASSERT_EQ(part.width, w.width);
      for (int y = 0; y < w.height; ++y) {
        ASSERT_TRUE(std::equal(part.at(y, 0), part.at(y, 0) + w.width * channels,
                               whole.at(w.top + y, w.left)))
            << name(filter) << " trial " << trial << " row " << y;
      }
    }
  }
}

// Pillow 13: Image.fromarray(a).resize((4, 3), filter), mode I;16.
TEST(Resize, SixteenBitsEqualPillow) {
  const Image16 image{
      5, 7, 1, {58792, 43960, 44014, 52756, 39413, 1484,  13605, 52949, 44480, 30726, 24639, 33772,
                1142,  41303, 18300, 18730, 4333,  64194, 26378, 3534,  655,   18214, 30341, 25124,
                9156,  37433, 45874, 26769, 13774, 8589,  10165, 2967,  35508, 66,    25253}};
  const auto resized = [&](Filter filter) { return resize(image, 3, 4, filter).pixels; };
  EXPECT_EQ(resized(Filter::bilinear),
            (std::vector<uint16_t>{50244, 40160, 30903, 15679, 25900, 25200, 30420, 14885, 16677,
                                   13775, 24406, 23740}));
  EXPECT_EQ(resized(Filter::bicubic),
            (std::vector<uint16_t>{51633, 41026, 31027, 13512, 25348, 25563, 31844, 14071, 16171,
                                   12495, 24422, 24241}));
  EXPECT_EQ(resized(Filter::nearest),
            (std::vector<uint16_t>{58792, 44014, 39413, 13605, 18300, 4333, 26378, 655, 13774,
                                   10165, 35508, 25253}));
}

TEST(Resize, AConstantStaysConstantAndTheSameSizeIsACopy) {
  for (Filter filter : {Filter::nearest, Filter::bilinear, Filter::bicubic}) {
    Image flat = Image::black(9, 14, 3);
    std::fill(flat.pixels.begin(), flat.pixels.end(), uint8_t{201});
    for (uint8_t sample : resize(flat, 23, 5, filter).pixels) ASSERT_EQ(sample, 201);
    for (int channels : {1, 3, 4}) {
      const Image image = noise(11, 7, channels, 5);
      EXPECT_TRUE(resize(image, 11, 7, filter) == image);
    }
  }
}

TEST(Resize, BadSizesAreErrors) {
  const Image image = noise(4, 4, 1, 1);
  expect_error(ErrorKind::usage, "resize: 0x3 at (0, 0) is not inside an image of 0x3",
               [&] { resize(image, 0, 3, Filter::bilinear); });
  expect_error(ErrorKind::usage, "is not inside an image of 8x8", [&] {
    resize_window(image, {8, 8, 5, 0, 4, 4}, Filter::nearest);
  });
  expect_error(ErrorKind::usage, "image: 3 samples given, [H=2, W=2, C=1] holds 4", [&] {
    resize(Image{2, 2, 1, {1, 2, 3}}, 4, 4, Filter::bilinear);
  });
  EXPECT_FALSE(filter_named("lanczos"));
}

TEST(CenterCrop, RoundsHalfOfAnOddMarginToEven) {
  EXPECT_EQ(center_offset(5, 4), 0);  // 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, as Python's round
  EXPECT_EQ(center_offset(7, 4), 2);
  EXPECT_EQ(center_offset(9, 4), 2);
  EXPECT_EQ(center_offset(8, 4), 2);
  const Image image{3, 4, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  EXPECT_EQ(center_crop(image, 1, 2).pixels, (std::vector<uint8_t>{5, 6}));
  expect_error(ErrorKind::usage, "center_crop: 4x4 out of an image of 3x4",
               [&] { center_crop(image, 4, 4); });
}

}  // namespace
}  // namespace fovea
