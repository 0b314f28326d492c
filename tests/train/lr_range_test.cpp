#include "fovea/train/lr_range.h"

#include <cstring>

#include "error_text.h"
#include "train/training.h"

namespace fovea::train {
namespace {

class LrRangeTest : public Training {};

TEST_F(LrRangeTest, SuggestsARateThatTrainsAndLeavesEveryArrayAsItWas) {
  settings_.optimizer = "nesterov";
  train::Setup setup(settings_);
  Experiment experiment(setup);
  std::map<std::string, Array> before;
  for (const Role role : {Role::parameter, Role::buffer, Role::moment}) {
    for (const std::string& name : experiment.state().names(role))
      before[name] = experiment.state().get(name).clone();
  }
  const LrRange range = lr_range(experiment, {.from = 1e-5, .to = 30, .steps = 80});
  for (const auto& [name, values] : before) {
    const Array& after = experiment.state().get(name);
    EXPECT_EQ(std::memcmp(values.raw(), after.raw(), after.bytes()), 0) << name;
  }
  ASSERT_TRUE(range.suggested);
  EXPECT_GT(*range.suggested, 1e-4);
  EXPECT_LT(*range.suggested, 1);
  ASSERT_TRUE(range.diverged);
  EXPECT_GT(*range.diverged, *range.suggested);
  EXPECT_NEAR(range.curve[0].lr, 1e-5, 1e-12);
  EXPECT_DOUBLE_EQ(range.curve[0].smoothed, range.curve[0].loss);

  settings_.lr = *range.suggested;
  settings_.epochs = 6;
  EXPECT_GT(accuracy(run("suggested", settings_)), 0.8);
}

TEST_F(LrRangeTest, TheSameSettingsGiveTheSameCurve) {
  train::Setup setup(settings_);
  Experiment experiment(setup);
  const LrRange a = lr_range(experiment, {.steps = 12}), b = lr_range(experiment, {.steps = 12});
  ASSERT_EQ(a.curve.size(), b.curve.size());
  for (size_t i = 0; i < a.curve.size(); ++i) EXPECT_EQ(a.curve[i].loss, b.curve[i].loss) << i;
}

TEST_F(LrRangeTest, RatesMustRise) {
  train::Setup setup(settings_);
  Experiment experiment(setup);
  EXPECT_THROW(lr_range(experiment, {.from = 1, .to = 0.1}), Error);
  EXPECT_THROW(lr_range(experiment, {.steps = 3}), Error);
}

}  // namespace
}  // namespace fovea::train
