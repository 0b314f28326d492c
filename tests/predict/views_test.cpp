#include "fovea/predict/views.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/predict/inference.h"
#include "fovea/runtime/eval.h"
#include "predict/trained.h"

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

TEST(TestViews, MapsOfFlippedImagesAreFlippedBack) {
  Array maps(DType::f32, {2, 1, 1, 3});  // of the image 0 1 5 and its mirror image
  for (const auto& [i, value] : {std::pair{0, 0}, {1, 1}, {2, 5}, {3, 7}, {4, 1}, {5, 0}})
    maps.set(i, value);
  const auto averaged = [&](const char* text) {
    return eval([&](const Tensors& t) { return Tensors{TestViews::parse(text).averaged(t[0])}; },
                {maps})[0];
  };
  const Array mean = averaged("flip");
  ASSERT_EQ(mean.shape(), (Shape{1, 1, 1, 3}));
  EXPECT_EQ(mean.at(0), 0);
  EXPECT_EQ(mean.at(1), 1);
  EXPECT_EQ(mean.at(2), 6);
  maps = Array::zeros(DType::f32, {3, 2, 4, 4});
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)averaged("shift"); }),
            "views: shift is not for outputs with a value for each pixel\n"
            "  output  f32[3, 2, 4, 4]\n"
            "  try     --tta flip");
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
               "tta: \"flip,flip\" is not a choice of views\n"
               "  expected none, flip, shift, or flip,shift",
               [] { TestViews::parse("flip,flip"); });
}

TEST(TestViews, OutputsAreTheMeanOverMirroredAndMovedImages) {
  Trained t;
  const Normalization none{{0}, {1}};
  const Array images = pixels(2);
  const auto moved = [&](int64_t by, bool mirrored) {
    Array view = images.clone();
    const auto inside = [](int64_t at) { return at < 0 ? -at : at > 7 ? 14 - at : at; };
    for (int64_t i = 0; i < view.numel(); ++i) {
      const int64_t row = inside(i / 8 % 8 + by),
                    column = inside((mirrored ? 7 - i % 8 : i % 8) + by);
      view.set(i, images.at(i / 64 * 64 + row * 8 + column));
    }
    return view;
  };
  Inference plain(*t.model, t.state, none);
  for (const std::string text : {"flip", "shift", "flip,shift"}) {
    const TestViews views = TestViews::parse(text);
    EXPECT_EQ(views.text(), text);
    std::vector<double> expected(6);
    for (const int64_t by : {0, 1, -1}) {
      for (const bool mirrored : {false, true}) {
        if ((by != 0 && !views.shift) || (mirrored && !views.flip)) continue;
        const Array own = plain.output(moved(by, mirrored));
        // Those that are not moved count half.
        const double weight = views.shift ? (by == 0 ? 0.5 : 0.25) : 1;
        for (int64_t i = 0; i < 6; ++i) expected[static_cast<size_t>(i)] += weight * own.at(i);
      }
    }
    Inference mean(*t.model, t.state, none, DType::f32, nullptr, views);
    const Array got = mean.output(images);
    ASSERT_EQ(got.shape(), (Shape{2, 3}));
    for (int64_t i = 0; i < 6; ++i) {
      const double want = expected[static_cast<size_t>(i)] / (views.flip ? 2 : 1);
      EXPECT_NEAR(got.at(i), want, 1e-5) << text;
    }
  }
  EXPECT_EQ(TestViews::parse("shift,flip").count(), 6);
  for (const std::string text : {"flop", "flip,flip", "flip,", ","}) {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)TestViews::parse(text); }),
              "tta: \"" + text +
                  "\" is not a choice of views\n"
                  "  expected none, flip, shift, or flip,shift");
  }
}

}  // namespace
}  // namespace fovea
