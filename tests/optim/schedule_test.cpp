#include "fovea/optim/schedule.h"

#include <cmath>

#include "error_text.h"

namespace fovea::optim {
namespace {

TEST(Schedule, CosineGivesThePublishedRates) {
  const Schedule cosine("cosine", 20);
  const double rates[] = {0.0994, 0.0976, 0.0946, 0.0905, 0.0854};
  for (int epoch = 1; epoch <= 5; ++epoch)
    EXPECT_EQ(std::round(0.1 * cosine.factor(epoch) * 1e4) / 1e4, rates[epoch - 1]) << epoch;
  EXPECT_EQ(cosine.factor(0), 1);
  EXPECT_NEAR(cosine.factor(10), 0.5, 1e-15);
  EXPECT_NEAR(cosine.factor(20), 0, 1e-15);
  EXPECT_NEAR(cosine.factor(25), 0, 1e-15);  // it never rises again
}

TEST(Schedule, CosineEndsWhereItIsTold) {
  const Schedule cosine("cosine:0.1", 10);
  EXPECT_NEAR(cosine.factor(10), 0.1, 1e-15);
  EXPECT_NEAR(cosine.factor(5), 0.55, 1e-15);
}

TEST(Schedule, WarmUpRisesLinearlyAndTheCosineTakesWhatIsLeft) {
  const Schedule cosine("cosine", 12, 2);
  EXPECT_EQ(cosine.factor(0), 0);
  EXPECT_EQ(cosine.factor(0.5), 0.25);
  EXPECT_EQ(cosine.factor(2), 1);
  EXPECT_NEAR(cosine.factor(7), 0.5, 1e-15);
  EXPECT_NEAR(cosine.factor(12), 0, 1e-15);
  EXPECT_EQ(Schedule("constant", 3, 3).factor(3), 1);
  EXPECT_EQ(Schedule("cosine", 3, 3).factor(3), 1);
}

TEST(Schedule, StepsFallEverySoManyEpochs) {
  const Schedule step("step:30", 90), half("step:2:0.5", 6, 1);
  EXPECT_EQ(step.factor(29.99), 1);
  EXPECT_DOUBLE_EQ(step.factor(30), 0.1);
  EXPECT_DOUBLE_EQ(step.factor(60), 0.01);
  EXPECT_EQ(half.factor(0.5), 0.5);
  EXPECT_EQ(half.factor(1.5), 1);
  EXPECT_EQ(half.factor(4), 0.25);
}

TEST(Schedule, SaysWhatThereIs) {
  const std::string advice =
      "\n  try     constant, cosine, cosine:FINAL (FINAL from 0 to 1), step:EPOCHS or "
      "step:EPOCHS:GAMMA";
  for (const char* text : {"", "linear", "constant:1", "cosine:2", "cosine:-1", "cosine:0:0",
                           "step", "step:0", "step:a", "step:1:2:3"}) {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)Schedule(text, 10); }),
              "schedule: cannot read \"" + std::string(text) + "\"" + advice);
  }
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)Schedule("cosine", 3, 5); }),
            "schedule: the warm-up of cosine is 5 epochs, from 0 to the run's 3 are possible");
  expect_error(ErrorKind::usage, "is -1 epochs", [] { (void)Schedule("cosine", 3, -1); });
}

}  // namespace
}  // namespace fovea::optim
