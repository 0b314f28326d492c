#include <gtest/gtest.h>

#include "fovea/models/registry.h"
#include "fovea/optim/adamw.h"
#include "fovea/optim/sgd.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

namespace fovea::train {
namespace {

std::unique_ptr<optim::Optimizer> optimizer(const std::string& rule) {
  if (rule == "adamw") return optim::adamw({.weight_decay = 1e-2});
  return optim::sgd({.momentum = 0.9, .nesterov = rule == "nesterov", .weight_decay = 5e-4});
}

/// Five steps of small_cnn as in scripts/golden/small_cnn_steps.py: the losses, and the State after
/// them.
std::vector<double> five_steps(const std::string& rule, DType dtype, State& state) {
  const auto model = models::make("small_cnn", {.choices = {{"dropout", 0}}});
  golden_fill::declare(state, *model, dtype);
  for (const char* name : {"bn2.weight", "bn2.bias"}) {
    Array& array = state.get(name);
    for (int64_t i = 0; i < array.numel(); ++i) array.set(i, array.at(i) / 8);
  }
  state.touch();
  const auto update = optimizer(rule);
  update->declare(state);
  TrainStep step(*model, state, {.normalization = {}, .dtype = dtype});
  const Array images = golden_fill::uniform("images", dtype, {8, 3, 32, 32});
  const Array labels = golden_fill::labels("labels", 8, 10);
  std::vector<double> losses;
  for (int64_t i = 1; i <= 5; ++i) {
    losses.push_back(step.gradient(images, labels, i).loss);
    update->update(state, {.lr = rule == "adamw" ? 1e-3 : 0.1});
  }
  return losses;
}

class Steps : public testing::TestWithParam<std::string> {};

// Training moved here from PyTorch must give the same results.
TEST_P(Steps, InFloat64AreThoseOfPyTorch) {
  const std::map<std::string, Array> golden = golden_fill::file("small_cnn_steps");
  State state;
  const std::vector<double> losses = five_steps(GetParam(), DType::f64, state);
  int arrays = 0;
  for (const auto& [key, expected] : golden) {
    if (!key.starts_with(GetParam() + "/")) continue;
    const std::string name = key.substr(GetParam().size() + 1);
    if (name == "losses") {
      for (size_t i = 0; i < 5; ++i)
        EXPECT_NEAR(losses[i], expected.at(static_cast<int64_t>(i)), 1e-8) << "step " << i + 1;
      continue;
    }
    ++arrays;
    const Array& got = state.get(name);
    const int64_t stride = got.numel() <= 1000 ? 1 : 997;
    ASSERT_EQ(expected.numel(), (got.numel() + stride - 1) / stride) << name;
    for (int64_t i = 0; i < expected.numel(); ++i)
      ASSERT_NEAR(got.at(i * stride), expected.at(i), 1e-8) << name << ", element " << i * stride;
  }
  EXPECT_EQ(arrays, 18);
}

TEST_P(Steps, InFloat32HaveTheLossesOfPyTorch) {
  const Array expected = golden_fill::file("small_cnn_steps").at(GetParam() + "/losses");
  State state;
  const std::vector<double> losses = five_steps(GetParam(), DType::f32, state);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(losses[i], expected.at(static_cast<int64_t>(i)), 1e-5) << "step " << i + 1;
}

INSTANTIATE_TEST_SUITE_P(Rules, Steps, testing::Values("sgd", "nesterov", "adamw"),
                         [](const auto& rule) { return rule.param; });

}  // namespace
}  // namespace fovea::train
