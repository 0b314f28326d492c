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

TEST(Schedule, CosineEndsAtItsFinalFactor) {
  const Schedule cosine("cosine:0.1", 10);
  EXPECT_NEAR(cosine.factor(10), 0.1, 1e-15);
  EXPECT_NEAR(cosine.factor(5), 0.55, 1e-15);
}

TEST(Schedule, WarmUpRisesLinearlyAndTheCosineSpansTheRest) {
  const Schedule cosine("cosine", 12, 2);
  EXPECT_EQ(cosine.factor(0), 0);
  EXPECT_EQ(cosine.factor(0.5), 0.25);
  EXPECT_EQ(cosine.factor(2), 1);
  EXPECT_NEAR(cosine.factor(7), 0.5, 1e-15);
  EXPECT_NEAR(cosine.factor(12), 0, 1e-15);
  EXPECT_EQ(Schedule("constant", 3, 3).factor(3), 1);
  EXPECT_EQ(Schedule("cosine", 3, 3).factor(3), 1);
}

TEST(Schedule, StepsFallAtRegularIntervals) {
  const Schedule step("step:30", 90), half("step:2:0.5", 6, 1);
  EXPECT_EQ(step.factor(29.99), 1);
  EXPECT_DOUBLE_EQ(step.factor(30), 0.1);
  EXPECT_DOUBLE_EQ(step.factor(60), 0.01);
  EXPECT_EQ(half.factor(0.5), 0.5);
  EXPECT_EQ(half.factor(1.5), 1);
  EXPECT_EQ(half.factor(4), 0.25);
}

TEST(Schedule, ErrorsListTheKnownNames) {
  const auto message = [](std::string_view text) {
    return error_text(ErrorKind::usage, [&] { (void)Schedule(text, 10); });
  };
  EXPECT_EQ(message("cosin"),
            "unknown schedule \"cosin\"\n"
            "  nearest cosine\n"
            "  known   constant, cosine[:FINAL], step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message("cosine:2"),
            "schedule cosine: final must be a number from 0 to 1, not \"2\"\n"
            "  usage   cosine[:FINAL]");
  for (const char* text : {"", "linear", "constant:1", "cosine:-1", "cosine:0:0", "step", "step:0",
                           "step:a", "step:1:-1", "step:1:2:3"}) {
    EXPECT_NE(message(text), "") << text;
  }
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)Schedule("cosine", 3, 5); }),
            "schedule cosine: the warm-up must be from 0 to the run's 3 epochs, not 5");
  expect_error(ErrorKind::usage, "not -1", [] { (void)Schedule("cosine", 3, -1); });
}

// These were accepted before arguments had a declaration; config.toml files may have them.
TEST(Schedule, StepsMayBeFractionsAndRise) {
  EXPECT_DOUBLE_EQ(Schedule("step:0.5:2", 3).factor(1), 4);
  EXPECT_EQ(Schedule("step:1:0", 3).factor(1), 0);
}

TEST(Schedule, OneFromOutsideIsARow) {
  add_schedule(
      {.choice = {.name = "linear", .arguments = {{.name = "final", .default_value = 0.0}}},
       .factor = [](const Arguments& a, const ScheduleTime& time) {
         const double done = (time.epoch - time.warmup) / (time.epochs - time.warmup);
         return 1 + done * (a.number("final") - 1);
       }});
  const Schedule linear("linear:0.5", 10, 2);
  EXPECT_EQ(linear.factor(1), 0.5);
  EXPECT_EQ(linear.factor(6), 0.75);
  EXPECT_EQ(linear.factor(10), 0.5);
  EXPECT_EQ(schedules().back().choice.usage(), "linear[:FINAL]");
  EXPECT_THROW(add_schedule({.choice = {.name = "step"}, .factor = nullptr}), Error);
}

}  // namespace
}  // namespace fovea::optim
