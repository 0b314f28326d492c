#include "fovea/ops/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fovea/ops.h"
#include "ops/errors.h"
#include "ops/worked.h"

namespace fovea {
namespace {

using V = std::vector<double>;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Four pixels of three classes: logits are logarithms of shares, so that the losses are plain.
const Data pixels{{1, 3, 2, 2},
                  {std::log(0.5), std::log(0.2), 0, std::log(0.3),  //
                   std::log(0.25), std::log(0.2), 0, std::log(0.3), std::log(0.25), std::log(0.6),
                   0, std::log(0.4)}};
const Data labels{{1, 2, 2}, {0, 2, 1, 1}, DType::i64};

double cross_entropy_of(const std::vector<Data>& in, CrossEntropyOptions options) {
  return one(
      [&](const Tensors& t) {
        if (t.size() > 2) options.class_weights = t[2];
        return Tensors{cross_entropy(t[0], t[1], options)};
      },
      in)[0];
}

TEST(Losses, CrossEntropyOfPixels) {
  const V losses{-std::log(0.5), -std::log(0.6), std::log(3), -std::log(0.3)};
  EXPECT_NEAR(cross_entropy_of({pixels, labels}, {}),
              (losses[0] + losses[1] + losses[2] + losses[3]) / 4, 1e-12);
  // The mean is over what counts.
  EXPECT_NEAR(cross_entropy_of({pixels, labels}, {.ignore_index = 1}), (losses[0] + losses[1]) / 2,
              1e-12);
  const Data border{{1, 2, 2}, {0, 2, 255, 255}, DType::i64};
  EXPECT_NEAR(cross_entropy_of({pixels, border}, {.ignore_index = 255}),
              (losses[0] + losses[1]) / 2, 1e-12);
  // Weights 1, 2, 4 by class: the labels 0, 2, 1, 1 weigh 9 in total.
  EXPECT_NEAR(cross_entropy_of({pixels, labels, vector({1, 2, 4})}, {}),
              (losses[0] + 4 * losses[1] + 2 * losses[2] + 2 * losses[3]) / 9, 1e-12);
  const Data all{{1, 2, 2}, {1, 1, 1, 1}, DType::i64};
  EXPECT_TRUE(std::isnan(cross_entropy_of({pixels, all}, {.ignore_index = 1})));
}

// The general op and the one for [N, K] say the same.
TEST(Losses, CrossEntropyHasOneMeaning) {
  const Data logits{{2, 3}, {1, 2, 3, 0, 0, 5}}, classes{{2}, {0, 2}, DType::i64};
  const Data soft{{2, 3}, {0.5, 0.25, 0.25, 0, 0.5, 0.5}}, ones = vector({1, 1, 1});
  for (double smoothing : {0.0, 0.3}) {
    const CrossEntropyOptions options{.label_smoothing = smoothing};
    for (const Data& targets : {classes, soft}) {
      EXPECT_NEAR(cross_entropy_of({logits, targets}, options),
                  cross_entropy_of({logits, targets, ones}, options), 1e-12);
    }
  }
  // An impossible class (-inf) costs nothing unless it is the target.
  const Data masked{{1, 2, 1}, {0, -infinity}}, first{{1, 1}, {0}, DType::i64};
  EXPECT_EQ(cross_entropy_of({masked, first}, {}), 0);
}

// One soft target per pixel, weighted: divided by the number of pixels, not by weights.
TEST(Losses, WeightedSoftTargets) {
  const Data logits{{1, 2}, {0, 0}}, soft{{1, 2}, {0.25, 0.75}};
  EXPECT_NEAR(cross_entropy_of({logits, soft, vector({1, 3})}, {}),
              (0.25 * 1 + 0.75 * 3) * std::log(2), 1e-12);
}

using Loss = std::function<Tensor(const Tensor&, const Tensor&)>;

std::vector<double> loss_of(const Loss& loss, const Data& x, const Data& t) {
  return one([&](const Tensors& in) { return Tensors{loss(in[0], in[1])}; }, {x, t});
}

TEST(Losses, Distances) {
  const Data x = vector({1, 2, 6}), t = vector({1, 2.5, 3});
  const auto mse = [](Reduction r) {
    return [r](const Tensor& a, const Tensor& b) { return mse_loss(a, b, r); };
  };
  expect_near(loss_of(mse(Reduction::mean), x, t), {9.25 / 3}, 1e-12);
  expect_near(loss_of(mse(Reduction::sum), x, t), {9.25}, 1e-12);
  expect_near(loss_of(mse(Reduction::none), x, t), {0, 0.25, 9}, 1e-12);
  const auto smooth = [](double beta) {
    return [beta](const Tensor& a, const Tensor& b) {
      return smooth_l1_loss(a, b, beta, Reduction::none);
    };
  };
  expect_near(loss_of(smooth(1), x, t), {0, 0.125, 2.5}, 1e-12);
  expect_near(loss_of(smooth(2), x, t), {0, 0.0625, 2}, 1e-12);
  expect_near(loss_of(smooth(0), x, t), {0, 0.5, 3}, 1e-12);
}

TEST(Losses, BinaryCrossEntropyIsStable) {
  const auto bce = [](const Tensor& a, const Tensor& b) {
    return binary_cross_entropy_with_logits(a, b, Reduction::none);
  };
  expect_near(loss_of(bce, vector({0, 1000, -1000, 1000, std::log(3)}), vector({0.5, 1, 1, 0, 1})),
              {std::log(2), 0, 1000, 1000, std::log(4.0 / 3)}, 1e-12);
}

TEST(Losses, Focal) {
  const Data x = vector({std::log(3), std::log(3), 1000}), t = vector({1, 0, 1});
  const auto focal = [](const FocalOptions& options) {
    return [options](const Tensor& a, const Tensor& b) { return focal_loss(a, b, options); };
  };
  // p = 3/4: what is left is 1/4 for the target 1, and 3/4 for the target 0.
  expect_near(loss_of(focal({.reduction = Reduction::none}), x, t),
              {0.25 * std::log(4.0 / 3) / 16, 0.75 * std::log(4) * 9 / 16, 0}, 1e-12);
  const auto bce = [](const Tensor& a, const Tensor& b) {
    return binary_cross_entropy_with_logits(a, b) * 0.5;
  };
  expect_near(loss_of(focal({.alpha = 0.5, .gamma = 0}), x, t), loss_of(bce, x, t), 1e-12);
}

TEST(Losses, DiceAndKullbackLeibler) {
  const auto dice = [](const Tensor& a, const Tensor& b) { return dice_loss(a, b); };
  const Data t{{1, 2, 2}, {1, 1, 0, 0}};
  expect_near(loss_of(dice, t, t), {0}, 1e-12);
  expect_near(loss_of(dice, {{1, 2, 2}, {0.5, 0.5, 0.5, 0.5}}, t),
              {((1 - 3.0 / 4) + (1 - 1.0 / 2)) / 2}, 1e-12);
  const auto kl = [](const Tensor& a, const Tensor& b) { return kl_div(a, b); };
  const Data p{{1, 2}, {std::log(0.5), std::log(0.5)}}, q{{1, 2}, {std::log(0.25), std::log(0.75)}};
  expect_near(loss_of(kl, p, q), {0.25 * std::log(0.5) + 0.75 * std::log(1.5)}, 1e-12);
  expect_near(loss_of(kl, p, p), {0}, 1e-12);
}

using LossErrors = Errors;

TEST_F(LossErrors, CrossEntropy) {
  const Tensor logits = value({2, 3, 4}), classes = value({2, 4}, DType::i64);
  EXPECT_EQ(usage([&] { cross_entropy(logits, classes, {.class_weights = value({4})}); }),
            "cross_entropy: class_weights is f32[4], expected f32[3]\n"
            "  input   f32[N=2, C=3, L=4]");
  EXPECT_EQ(usage([&] { cross_entropy(logits, logits, {.ignore_index = 0}); }),
            "cross_entropy: ignore_index needs labels, but the targets are soft\n"
            "  logits  f32[N=2, K=3, L=4]\n"
            "  targets f32[2, 3, 4]\n"
            "  try     rows of zeros where targets should be ignored");
  EXPECT_EQ(usage([&] { cross_entropy(logits, classes, {.label_smoothing = 2}); }),
            "cross_entropy: label_smoothing is 2, must be from 0 to 1\n"
            "  logits  f32[N=2, K=3, L=4]\n"
            "  targets i64[2, 4]");
  EXPECT_EQ(error_text(ErrorKind::data,
                       [] {
                         cross_entropy_of({pixels, {{1, 2, 2}, {0, 1, 3, 1}, DType::i64}}, {});
                       }),
            "cross_entropy: label 3 of pixel 2 is not one of 3 classes\n"
            "  try     labels from 0 to 2, an ignore_index, or a net with more classes");
}

TEST_F(LossErrors, Pairs) {
  // Broadcasting here would silently train a net on the wrong target.
  EXPECT_EQ(usage([&] {
              mse_loss(value({8, 1}), value({8}));
            }),
            "mse_loss: input and target differ\n"
            "  input   f32[8, 1]\n"
            "  target  f32[8]\n"
            "  try     reshape() or cast() on one of them");
  EXPECT_EQ(usage([&] { binary_cross_entropy_with_logits(value({8}), value({8}, DType::i64)); }),
            "binary_cross_entropy_with_logits: input and target differ\n"
            "  input   f32[8]\n"
            "  target  i64[8]\n"
            "  try     reshape() or cast() on one of them");
  EXPECT_EQ(usage([&] { smooth_l1_loss(value({8}), value({8}), -1); }),
            "smooth_l1_loss: beta is -1, must be at least 0");
  EXPECT_EQ(usage([&] { dice_loss(value({8}), value({8})); }),
            "dice_loss: there is no axis 1; the input has 1 axis\n"
            "  input   f32[8]");
}

}  // namespace
}  // namespace fovea
