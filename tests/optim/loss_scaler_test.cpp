#include "fovea/optim/loss_scaler.h"

#include <gtest/gtest.h>

#include "error_text.h"

namespace fovea::optim {
namespace {

TEST(LossScaler, HalvesAndSkipsOnInfinityAndDoublesAfterCleanSteps) {
  State state;
  LossScaler scaler(state, {.initial = 1024, .interval = 3});
  const auto scale_after = [&](bool finite) {
    EXPECT_EQ(scaler.step(finite), finite);
    return scaler.scale();
  };
  EXPECT_EQ(scale_after(true), 1024);
  EXPECT_EQ(scale_after(true), 1024);
  EXPECT_EQ(scale_after(false), 512);  // and counts anew
  EXPECT_EQ(scale_after(false), 256);
  EXPECT_EQ(scale_after(true), 256);
  EXPECT_EQ(scale_after(true), 256);
  EXPECT_EQ(scale_after(true), 512);
  EXPECT_EQ(scale_after(true), 512);
  EXPECT_EQ(scale_after(true), 512);
  EXPECT_EQ(scale_after(true), 1024);
}

TEST(LossScaler, DefaultsAreThoseOfPyTorchsGradScaler) {
  State state;
  LossScaler scaler(state);
  EXPECT_EQ(scaler.scale(), 65536);
  for (int i = 0; i < 1999; ++i) EXPECT_TRUE(scaler.step(true));
  EXPECT_EQ(scaler.scale(), 65536);
  EXPECT_TRUE(scaler.step(true));
  EXPECT_EQ(scaler.scale(), 131072);
  EXPECT_FALSE(scaler.step(false));
  EXPECT_EQ(scaler.scale(), 65536);
}

TEST(LossScaler, StaysWithinItsBounds) {
  State state;
  LossScaler scaler(state, {.initial = 4, .interval = 1, .minimum = 1, .maximum = 8});
  for (int i = 0; i < 5; ++i) scaler.step(true);
  EXPECT_EQ(scaler.scale(), 8);
  EXPECT_FALSE(scaler.at_minimum());
  for (int i = 0; i < 5; ++i) scaler.step(false);
  EXPECT_EQ(scaler.scale(), 1);
  EXPECT_TRUE(scaler.at_minimum());
}

TEST(LossScaler, ContinuesFromTheState) {
  State state;
  LossScaler first(state, {.initial = 64, .interval = 4});
  for (int i = 0; i < 3; ++i) first.step(true);
  LossScaler second(state, {.initial = 64, .interval = 4});
  second.step(true);
  EXPECT_EQ(second.scale(), 128);
}

TEST(LossScaler, RefusesFactorsThatMakeNoSense) {
  State state;
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { LossScaler(state, {.backoff = 1.5}); }),
            "loss scaler: backoff is 1.5, must be above 0 and below 1");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { LossScaler(state, {.growth = 0.5}); }),
            "loss scaler: growth is 0.5, must be above 1");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { LossScaler(state, {.interval = 0}); }),
            "loss scaler: interval is 0, must be at least 1");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { LossScaler(state, {.initial = 0.5}); }),
            "loss scaler: initial is 0.5, must be from 1 to 16777216");
}

}  // namespace
}  // namespace fovea::optim
