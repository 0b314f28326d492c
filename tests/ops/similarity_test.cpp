#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/ops.h"
#include "fovea/runtime/eval.h"

namespace fovea {
namespace {

Array picture(const Shape& shape, uint64_t seed) {
  Array values(DType::f64, shape);
  Random random(seed, "picture");
  for (int64_t i = 0; i < values.numel(); ++i)
    values.set(i, 0.5 + 0.4 * std::sin(0.3 * static_cast<double>(i)) + 0.1 * random.uniform());
  return values;
}

Array ssim_of(const Array& x, const Array& y, const SsimOptions& options = {}) {
  return eval([&](const Tensors& in) { return Tensors{ssim(in[0], in[1], options)}; }, {x, y})[0];
}

/// The formula of Wang et al. for one channel of one sample [H, W], window by window.
double ssim_by_definition(const Array& x, const Array& y, int64_t plane, const SsimOptions& o) {
  const int64_t height = x.dim(2), width = x.dim(3), side = o.window;
  std::vector<double> weights;
  double all = 0;
  for (int64_t i = 0; i < side * side; ++i) {
    const double dy = static_cast<double>(i / side - side / 2),
                 dx = static_cast<double>(i % side - side / 2);
    weights.push_back(std::exp(-(dy * dy + dx * dx) / (2 * o.sigma * o.sigma)));
    all += weights.back();
  }
  const double c1 = std::pow(0.01 * o.range, 2), c2 = std::pow(0.03 * o.range, 2);
  double sum = 0;
  for (int64_t top = 0; top + side <= height; ++top) {
    for (int64_t left = 0; left + side <= width; ++left) {
      double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
      for (int pass = 0; pass < 2; ++pass) {
        for (int64_t i = 0; i < side * side; ++i) {
          const int64_t at = (plane * height + top + i / side) * width + left + i % side;
          const double w = weights[static_cast<size_t>(i)] / all, a = x.at(at), b = y.at(at);
          if (pass == 0) {
            mx += w * a;
            my += w * b;
          } else {
            xx += w * (a - mx) * (a - mx);
            yy += w * (b - my) * (b - my);
            xy += w * (a - mx) * (b - my);
          }
        }
      }
      sum += (2 * mx * my + c1) * (2 * xy + c2) / ((mx * mx + my * my + c1) * (xx + yy + c2));
    }
  }
  return sum / static_cast<double>((height - side + 1) * (width - side + 1));
}

TEST(Ssim, IsTheMeanOverWindowsAndChannels) {
  const Array x = picture({2, 3, 14, 17}, 1), y = picture({2, 3, 14, 17}, 2);
  for (const SsimOptions& options : {SsimOptions{}, {.range = 255, .window = 7, .sigma = 3}}) {
    const Array found = ssim_of(x, y, options);
    ASSERT_EQ(found.shape(), (Shape{2}));
    for (int64_t n = 0; n < 2; ++n) {
      double mean = 0;
      for (int64_t c = 0; c < 3; ++c) mean += ssim_by_definition(x, y, 3 * n + c, options) / 3;
      EXPECT_NEAR(found.at(n), mean, 1e-9) << options.window;
    }
  }
}

TEST(Ssim, IsOneOfEqualOnesOfAnyNumberOfAxes) {
  for (const Shape& shape : {Shape{1, 2, 30}, Shape{1, 1, 5, 6}, Shape{2, 1, 4, 12, 13}}) {
    const Array x = picture(shape, 1);
    EXPECT_NEAR(ssim_of(x, x).at(0), 1, 1e-9) << to_string(shape);
    EXPECT_LT(ssim_of(x, picture(shape, 2)).at(0), 1) << to_string(shape);
  }
}

TEST(Ssim, RefusesWhatHasNoWindows) {
  const Array x = picture({1, 2, 8, 8}, 1);
  expect_error(ErrorKind::usage, "ssim: input and target differ", [&] {
    (void)ssim_of(x, picture({1, 2, 8, 9}, 1));
  });
  expect_error(ErrorKind::usage, "1 to 3 spatial axes", [] {
    (void)ssim_of(picture({2, 3}, 1), picture({2, 3}, 1));
  });
  expect_error(ErrorKind::usage, "the window an odd number",
               [&] { (void)ssim_of(x, x, {.window = 4}); });
}

}  // namespace
}  // namespace fovea
