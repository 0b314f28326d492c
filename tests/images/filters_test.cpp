#include "fovea/images/filters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "error_text.h"
#include "fovea/core/random.h"

namespace fovea {
namespace {

double sum(const Array& kernel) {
  double total = 0;
  for (int64_t i = 0; i < kernel.numel(); ++i) total += kernel.at(i);
  return total;
}

TEST(Filters, GaussianEqualsTheTextbookFormula) {
  const Array kernel = filter_kernel("gaussian:5,1");
  EXPECT_EQ(kernel.shape(), (Shape{5, 5}));
  EXPECT_NEAR(kernel.at(12), 0.162103, 5e-7);
  for (int64_t corner : {0, 4, 20, 24}) EXPECT_NEAR(kernel.at(corner), 0.002969, 5e-7);
  EXPECT_NEAR(sum(kernel), 1, 1e-15);
}

TEST(Filters, EvenSizesAreCentred) {
  // Off centre they would shift the picture by half a pixel more.
  for (int64_t size : {1, 2, 3, 4, 6, 7}) {
    for (const std::string& name : {"gaussian:" + std::to_string(size) + ",1.5",
                                    "gabor:" + std::to_string(size) + ",2,0,4"}) {
      const Array kernel = filter_kernel(name);
      for (int64_t i = 0; i < size * size; ++i) {
        EXPECT_DOUBLE_EQ(kernel.at(i), kernel.at(size * size - 1 - i)) << name;
      }
    }
  }
  EXPECT_NEAR(filter_kernel("gaussian:2,3").at(0), 0.25, 1e-15);
}

TEST(Filters, GaborIsABellWithStripes) {
  const Array upright = filter_kernel("gabor:5,2,0,4");
  EXPECT_DOUBLE_EQ(upright.at(12), 1);
  EXPECT_NEAR(upright.at(13), 0, 1e-15);                    // a quarter of a wave to the right
  EXPECT_NEAR(upright.at(14), -std::exp(-4.0 / 8), 1e-15);  // half a wave
  EXPECT_NEAR(upright.at(17), std::exp(-1.0 / 8), 1e-15);   // along the stripe
  const Array lying = filter_kernel("gabor:5,2,1.5707963267948966,4");
  for (int64_t i = 0; i < 25; ++i) {
    EXPECT_NEAR(lying.at(i), upright.at(i % 5 * 5 + i / 5), 1e-12);
  }
}

Image ramp() {  // 1 to 25
  Image image = Image::black(5, 5, 1);
  for (size_t i = 0; i < 25; ++i) image.pixels[i] = static_cast<uint8_t>(i + 1);
  return image;
}

TEST(Filters, KnownAnswersInsideAPicture) {
  const Array x = filter_image(ramp(), filter_kernel("sobel_x"));
  const Array y = filter_image(ramp(), filter_kernel("sobel_y"));
  const Array sharp = filter_image(ramp(), filter_kernel("sharpen"));
  const Array mean = filter_image(ramp(), filter_kernel("box"));
  const Array flat = filter_image(ramp(), filter_kernel("laplacian"));
  EXPECT_EQ(x.shape(), (Shape{5, 5}));
  for (int64_t i : {6, 7, 8, 11, 12, 13, 16, 17, 18}) {
    EXPECT_EQ(x.at(i), 8);
    EXPECT_EQ(y.at(i), 40);
    EXPECT_EQ(sharp.at(i), static_cast<double>(i + 1));
    EXPECT_NEAR(mean.at(i), static_cast<double>(i + 1), 1e-5);
    EXPECT_EQ(flat.at(i), 0);
  }
}

TEST(Filters, EqualPlainLoopsOverAnyPictureAndKernel) {
  Random random(5, "filters");
  for (int trial = 0; trial < 60; ++trial) {
    const auto side = [&](uint64_t most) { return static_cast<int>(1 + random.below(most)); };
    const int channels = trial % 2 == 0 ? 1 : 3, kh = side(6), kw = side(6);
    Image image = Image::black(side(9), side(9), channels);
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(random.below(256));
    Array kernel(trial % 3 == 0 ? DType::f32 : DType::f64, {kh, kw});
    for (int64_t i = 0; i < kernel.numel(); ++i) kernel.set(i, random.normal());

    const Array filtered = filter_image(image, kernel);
    int64_t at = 0;
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        for (int c = 0; c < channels; ++c, ++at) {
          double expected = 0;
          for (int i = 0; i < kh; ++i) {
            for (int j = 0; j < kw; ++j) {
              const int row = std::clamp(y + i - (kh - 1) / 2, 0, image.height - 1);
              const int column = std::clamp(x + j - (kw - 1) / 2, 0, image.width - 1);
              expected += kernel.at(i * kw + j) * image.at(row, column)[c];
            }
          }
          ASSERT_NEAR(filtered.at(at), expected, 2e-3) << trial;
        }
      }
    }
  }
}

TEST(Filters, PicturesAreRoundedAndClipped) {
  const Array values = Array::of<float>({-300, -1.6f, 0.4f, 1.5f, 254.6f, 300}, {2, 3});
  EXPECT_EQ(filtered_picture(values, false).pixels, (std::vector<uint8_t>{0, 0, 0, 2, 255, 255}));
  EXPECT_EQ(filtered_picture(values, true).pixels, (std::vector<uint8_t>{255, 2, 0, 2, 255, 255}));
}

TEST(Filters, AlphaIsDropped) {
  const Image image{1, 2, 4, {10, 20, 30, 0, 40, 50, 60, 255}};
  const Array same = filter_image(image, Array::of<double>({1}, {1, 1}));
  EXPECT_EQ(same.shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(filtered_picture(same, false), (Image{1, 2, 3, {10, 20, 30, 40, 50, 60}}));
}

TEST(Filters, MistakesAreNamed) {
  const auto text = [](std::string_view kernel) {
    return error_text(ErrorKind::usage, [&] { (void)filter_kernel(kernel); });
  };
  EXPECT_EQ(text("sobelx"),
            "unknown filter \"sobelx\"\n"
            "  nearest sobel_x, sobel_y\n"
            "  known   sobel_x, sobel_y, sharpen, box, laplacian, gaussian:SIZE:SIGMA, "
            "gabor:SIZE:SIGMA:THETA:LAMBDA");
  EXPECT_EQ(text("gaussian"),
            "filter gaussian: size is missing\n"
            "  usage   gaussian:SIZE:SIGMA");
  EXPECT_EQ(text("gaussian:2.5,1"),
            "filter gaussian: size must be an integer from 1 to 255, not \"2.5\"\n"
            "  usage   gaussian:SIZE:SIGMA");
  EXPECT_EQ(text("gaussian:5,1,2"),
            "filter gaussian takes 2 arguments, not 3\n"
            "  usage   gaussian:SIZE:SIGMA");
  for (const char* bad :
       {"gaussian:0,1", "gaussian:256,1", "gaussian:5,0", "gaussian:5,nan", "gaussian:5,1,2",
        "gabor:5,1,x,4", "gabor:5,1,0,0", "gaussian:", "", "sobel_x:3"}) {
    EXPECT_NE(text(bad), "") << bad;
  }
  const auto refused = [](const Array& kernel) {
    return error_text(ErrorKind::usage, [&] { (void)filter_image(ramp(), kernel); });
  };
  EXPECT_EQ(refused(Array::zeros(DType::f32, {3})),
            "filter: the kernel is f32[3]; a float array of 2 axes, each 1 to 255, is expected");
  EXPECT_NE(refused(Array::zeros(DType::f32, {0, 3})), "");
  EXPECT_NE(refused(Array::zeros(DType::f32, {256, 1})), "");
  EXPECT_NE(refused(Array::zeros(DType::i32, {3, 3})), "");
  EXPECT_EQ(refused(Array::full(DType::f32, {2, 2}, std::numeric_limits<double>::infinity())),
            "filter: element 0 of the kernel is not finite");
}

TEST(Filters, OneFromOutsideIsARow) {
  add_filter({.choice = {.name = "shift", .arguments = {{.name = "by", .maximum = 1}}},
              .kernel = [](const Arguments& a) {
                return Array::of<double>({1 - a.number("by"), a.number("by")}, {1, 2});
              }});
  EXPECT_EQ(filter_kernel("shift:0.25").at(1), 0.25);
  EXPECT_THROW(add_filter({.choice = {.name = "box"}, .kernel = nullptr}), Error);
}

}  // namespace
}  // namespace fovea
