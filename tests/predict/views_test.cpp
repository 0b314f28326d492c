#include "fovea/predict/views.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/runtime/eval.h"

namespace fovea {
namespace {

TEST(TestViews, ShiftedOnesCountHalf) {
  // Outputs of two samples per view: each view's outputs are its number, and 10 more for the second
  // sample.
  const auto averaged = [](const TestViews& views) {
    Array outputs(DType::f32, {2 * views.count(), 1});
    for (int64_t i = 0; i < outputs.numel(); ++i)
      outputs.set(i, static_cast<double>(i / 2 + 10 * (i % 2)));
    const Array mean =
        eval([&](const Tensors& t) { return Tensors{views.averaged(t[0])}; }, {outputs})[0];
    EXPECT_EQ(mean.shape(), (Shape{2, 1}));
    EXPECT_NEAR(mean.at(1), mean.at(0) + 10, 1e-5);
    return mean.at(0);
  };
  EXPECT_NEAR(averaged(TestViews::parse("flip")), 0.5, 1e-6);
  EXPECT_NEAR(averaged(TestViews::parse("shift")), 0.5 * 0 + 0.5 * 1.5, 1e-6);
  // Straight are views 0 and 3, shifted 1, 2, 4, 5.
  EXPECT_NEAR(averaged(TestViews::parse("flip,shift")), 0.5 * 1.5 + 0.5 * 3, 1e-6);
}

TEST(TestViews, EachIsTheImageFlippedOrMoved) {
  Array image(DType::f32, {1, 1, 3, 3});
  for (int64_t i = 0; i < 9; ++i) image.set(i, static_cast<double>(i));
  const TestViews views = TestViews::parse("flip,shift");
  const Array all = eval([&](const Tensors& t) { return Tensors{views.of(t[0])}; }, {image})[0];
  ASSERT_EQ(all.shape(), (Shape{6, 1, 3, 3}));
  const std::vector<std::vector<double>> rows{
      {0, 1, 2, 3, 4, 5, 6, 7, 8},   // straight
      {4, 5, 4, 7, 8, 7, 4, 5, 4},   // one up and left: what enters at the border is reflected
      {4, 3, 4, 1, 0, 1, 4, 3, 4}};  // one down and right
  for (size_t v = 0; v < 3; ++v) {
    for (size_t i = 0; i < 9; ++i) {
      const size_t mirrored = i / 3 * 3 + (2 - i % 3);
      EXPECT_EQ(all.at(static_cast<int64_t>(v * 9 + i)), rows[v][i]) << v << " " << i;
      EXPECT_EQ(all.at(static_cast<int64_t>((v + 3) * 9 + i)), rows[v][mirrored]) << v << " " << i;
    }
  }
}

TEST(TestViews, TextsReadBack) {
  for (const char* text : {"none", "flip", "shift", "flip,shift"})
    EXPECT_EQ(TestViews::parse(text).text(), text);
  EXPECT_EQ(TestViews::parse("").count(), 1);
  expect_error(ErrorKind::usage,
               "views: \"flip,flip\" is not a choice of views\n"
               "  expected none, flip, shift, or flip,shift",
               [] { TestViews::parse("flip,flip"); });
}

}  // namespace
}  // namespace fovea
