#include "fovea/images/preprocessing.h"

#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "images/golden.h"

namespace fovea {
namespace {

Preprocessing imagenet(int size, int resize) {
  Preprocessing p;
  p.height = p.width = size;
  p.channels = 3;
  p.resize = resize;
  p.mean = {0.485, 0.456, 0.406};
  p.std = {0.229, 0.224, 0.225};
  return p;
}

TEST(Prepare, IsResizeOfTheShorterSideThenCentreCrop) {
  const Image image = golden_image("rgb-png/pixels");  // 21 x 34
  const Image got = prepare(image, imagenet(24, 28));
  EXPECT_TRUE(got == center_crop(resize(image, 28, 28 * 34 / 21, Filter::bilinear), 24, 24));
  Preprocessing straight = imagenet(24, 24);
  straight.resize.reset();
  straight.channels = 1;
  straight.mean = straight.std = {0.5};
  EXPECT_TRUE(prepare(image, straight) == resize(to_gray(image), 24, 24, Filter::bilinear));
}

TEST(Prepare, LetterboxShowsTheEntirePictureBetweenBars) {
  const Image image = golden_image("rgb-png/pixels");  // 21 x 34
  Preprocessing p = imagenet(17, 17);
  p.resize.reset();
  p.letterbox = 114;
  const Image got = prepare(image, p), inner = resize(image, 11, 17, Filter::bilinear);
  for (int y = 0; y < 17; ++y) {
    for (int x = 0; x < 17; ++x) {
      const bool bar = y < 3 || y >= 14;
      ASSERT_EQ(*got.at(y, x), bar ? 114 : *inner.at(y - 3, x)) << y << " " << x;
    }
  }
  p.resize = 20;
  EXPECT_EQ(problem(p), "both resize and letterbox are given");
}

// Users pass any picture to `fovea predict`: every shape must become the network's input.
TEST(Prepare, EveryShapeOfPictureGivesTheNetworksInput) {
  for (auto [height, width] : {std::pair{1, 1}, {1, 1000000}, {1000000, 1}, {2, 3}, {500, 7}}) {
    for (int channels : {1, 3, 4}) {
      for (Filter filter : {Filter::nearest, Filter::bilinear, Filter::bicubic}) {
        Image image = Image::black(height, width, channels);
        std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{255});
        Preprocessing p = imagenet(32, 36);
        p.filter = filter;
        const Image got = prepare(image, p);
        EXPECT_EQ(got.height, 32);
        EXPECT_EQ(got.width, 32);
        EXPECT_EQ(got.channels, 3);
        EXPECT_EQ(*std::min_element(got.pixels.begin(), got.pixels.end()), 255);
      }
    }
  }
  expect_error(ErrorKind::data,
               "image of 1x20000000 is too narrow to scale its shorter side to 256",
               [] { prepare(Image::black(1, 20000000, 1), imagenet(224, 256)); });
}

TEST(Prepare, BadPreprocessingIsNamed) {
  const auto problem_of = [](auto change) {
    Preprocessing p = imagenet(32, 36);
    change(p);
    return problem(p);
  };
  EXPECT_EQ(problem_of([](auto&) {}), "");
  EXPECT_EQ(problem_of([](auto& p) { p.height = 0; }), "height is 0, not from 1 to 16384");
  EXPECT_EQ(problem_of([](auto& p) { p.width = 1 << 20; }),
            "width is 1048576, not from 1 to 16384");
  EXPECT_EQ(problem_of([](auto& p) { p.channels = -3; }), "channels is -3, not from 1 to 65536");
  EXPECT_EQ(problem_of([](auto& p) { p.resize = 31; }), "resize is 31, not from 32 to 16384");
  EXPECT_EQ(problem_of([](auto& p) { p.mean.pop_back(); }),
            "mean has 2 values, but the input has 3 channels");
  EXPECT_EQ(problem_of([](auto& p) { p.mean[1] = std::nan(""); }),
            "mean[1] is nan, not from -1e6 to 1e6");
  EXPECT_EQ(problem_of([](auto& p) { p.std[2] = 0; }), "std[2] is 0, not from 1e-6 to 1e6");
  EXPECT_EQ(problem_of([](auto& p) { p.std[0] = INFINITY; }),
            "std[0] is inf, not from 1e-6 to 1e6");
  Preprocessing spectral = imagenet(8, 8);
  spectral.channels = 4;
  spectral.mean = spectral.std = {1, 1, 1, 1};
  expect_error(ErrorKind::usage, "pictures have 1 or 3 channels, but the network takes 4",
               [&] { prepare(Image::black(8, 8, 3), spectral); });
}

}  // namespace
}  // namespace fovea
