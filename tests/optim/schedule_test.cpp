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

// The rates that the textbook's run prints after its epochs, the last one being that of the end.
TEST(Schedule, PerEpochHasTheRateOfTheEpochsStart) {
  const double rates[] = {.0994, .0976, .0946, .0905, .0854, .0794, .0727, .0655, .0578, .0500,
                          .0422, .0345, .0273, .0206, .0146, .0095, .0054, .0024, .0006, .0000};
  const Schedule cosine("cosine:per=epoch", 20);
  for (int epoch = 1; epoch <= 20; ++epoch) {
    for (const double inside : {0.0, 0.01, 0.99}) {
      if (epoch == 20 && inside > 0) continue;
      EXPECT_EQ(std::round(0.1 * cosine.factor(epoch + inside) * 1e4) / 1e4, rates[epoch - 1])
          << epoch << " " << inside;
    }
  }
  const Schedule warm("constant:per=epoch", 10, 3);
  for (const auto& [epoch, factor] :
       {std::pair(0.0, 0.25), {0.9, 0.25}, {1.5, 0.5}, {2.0, 0.75}, {3.0, 1.0}})
    EXPECT_DOUBLE_EQ(warm.factor(epoch), factor) << epoch;
  EXPECT_EQ(Schedule("cosine:0.5:per=step", 10).factor(5), Schedule("cosine:0.5", 10).factor(5));
}

TEST(Schedule, FallsToItsFinalFactorAndStaysThere) {
  for (const auto& [text, half, end] : {std::tuple("linear", 0.5, 0.0),
                                        {"linear:0.2", 0.6, 0.2},
                                        {"polynomial", 0.25, 0.0},
                                        {"polynomial:3:0.2", 0.3, 0.2},
                                        {"triangle:0.2:0.5:0.07", 1.0, 0.07},
                                        {"triangle:0:0.25:0.4", 0.8, 0.4}}) {
    const Schedule schedule(text, 8);
    EXPECT_NEAR(schedule.factor(4), half, 1e-15) << text;
    EXPECT_NEAR(schedule.factor(8), end, 1e-15) << text;
    EXPECT_NEAR(schedule.factor(80), end, 1e-15) << text;
  }
  const Schedule airbench("triangle:0.2:0.23:0.07", 100);
  EXPECT_NEAR(airbench.factor(0), 0.2, 1e-15);
  EXPECT_NEAR(airbench.factor(11.5), 0.6, 1e-15);
  EXPECT_NEAR(airbench.factor(23), 1, 1e-15);
  EXPECT_NEAR(airbench.factor(61.5), 0.535, 1e-15);
}

TEST(Schedule, ThatRisesByItselfTakesNoWarmUp) {
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)Schedule("onecycle", 10, 1); }),
            "schedule onecycle begins with a rise of its own: it takes no warm-up\n"
            "  try     --warmup 0");
  EXPECT_TRUE(find_schedule("triangle:per=epoch").warms_up);
  EXPECT_FALSE(find_schedule("cosine:0.1").warms_up);
  EXPECT_NEAR(Schedule("onecycle:0.5", 10).factor(5), 1, 1e-15);
  EXPECT_NEAR(Schedule("onecycle:0.5", 10).factor(10), 1 / 25e4, 1e-15);
}

TEST(Schedule, ErrorsListTheKnownNames) {
  const auto message = [](std::string_view text) {
    return error_text(ErrorKind::usage, [&] { (void)Schedule(text, 10); });
  };
  EXPECT_EQ(message("cosin"),
            "unknown schedule \"cosin\"\n"
            "  nearest cosine\n"
            "  known   constant, cosine[:FINAL], linear[:FINAL], polynomial[:POWER[:FINAL]], "
            "step:EPOCHS[:GAMMA], onecycle[:PEAK[:DIV[:FINAL_DIV]]], "
            "triangle[:START[:PEAK[:FINAL]]], "
            "plateau[:FACTOR[:PATIENCE[:THRESHOLD[:MINIMUM]]]]");
  EXPECT_EQ(message("cosine:2"),
            "schedule cosine: final must be a number from 0 to 1, not \"2\"\n"
            "  usage   cosine[:FINAL]");
  for (const char* text : {"", "line", "constant:1", "cosine:-1", "cosine:0:0", "step", "step:0",
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
  add_schedule({.choice = {.name = "ramp", .arguments = {{.name = "final", .default_value = 0.0}}},
                .factor = [](const Arguments& a, const ScheduleTime& time) {
                  const double done = (time.epoch - time.warmup) / (time.epochs - time.warmup);
                  return 1 + done * (a.number("final") - 1);
                }});
  const Schedule ramp("ramp:0.5", 10, 2);
  EXPECT_EQ(ramp.factor(1), 0.5);
  EXPECT_EQ(ramp.factor(6), 0.75);
  EXPECT_EQ(ramp.factor(10), 0.5);
  EXPECT_EQ(schedules().back().choice.usage(), "ramp[:FINAL]");
  EXPECT_THROW(add_schedule({.choice = {.name = "step"}, .factor = nullptr}), Error);
}

}  // namespace
}  // namespace fovea::optim
