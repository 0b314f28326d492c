#include "fovea/train/plan.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/core/process.h"
#include "fovea/data/synthetic.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

constexpr size_t mib = size_t{1} << 20;

/// A setup on images of noise, 3 x 32 x 32 of 10 classes.
Setup setup_of(const Settings& settings, int64_t images = 2000) {
  const Shape image{3, 32, 32};
  const data::Targets targets =
      data::class_targets({"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
  data::DataSets sets{"synthetic", std::make_shared<data::Noise>(images, image, targets),
                      std::make_shared<data::Noise>(10, image, targets)};
  return {settings, std::move(sets),
          Preprocessing{.height = 32,
                        .width = 32,
                        .channels = 3,
                        .resize = {},
                        .filter = Filter::bilinear,
                        .mean = {0.5, 0.5, 0.5},
                        .std = {0.25, 0.25, 0.25}}};
}

TEST(Plan, CountsEveryArrayOfTheState) {
  const size_t parameters = 4 * 545'290, buffers = 4 * 192 + 2 * 8;
  const auto setup = setup_of({});
  const MemoryUse use = Planner(setup).at(128).memory;
  EXPECT_EQ(use.weights, parameters + buffers);
  EXPECT_EQ(use.gradients, parameters);
  EXPECT_EQ(use.moments, parameters);
  Settings adamw;
  adamw.optimizer = "adamw";
  const auto with_adamw = setup_of(adamw);
  const size_t counts = 8 * with_adamw.model->parameters().size();
  EXPECT_EQ(Planner(with_adamw).at(128).memory.moments, 2 * parameters + counts);
  Settings frozen;
  frozen.freeze = "backbone";
  const auto with_frozen = setup_of(frozen);
  const MemoryUse head = Planner(with_frozen).at(128).memory;
  EXPECT_EQ(head.gradients, 4u * 1290);
  EXPECT_LT(head.arena, use.arena);  // values that only a gradient needs are not kept
}

TEST(Plan, ARunThatUnfreezesNeedsTheLargerOfItsPhases) {
  Settings settings;
  settings.freeze = "backbone";
  settings.unfreeze_after = 1;
  const auto setup = setup_of(settings), uninterrupted = setup_of({});
  EXPECT_EQ(Planner(setup).at(128).memory.gradients,
            Planner(uninterrupted).at(128).memory.gradients);
}

TEST(Plan, ALayerThatIsFrozenInTheEndIsCountedAtTheStart) {
  Settings settings;
  settings.group = "conv*:until=1";
  const auto setup = setup_of(settings), uninterrupted = setup_of({});
  const MemoryUse use = Planner(setup).at(128).memory;
  EXPECT_GE(use.arena, Planner(uninterrupted).at(128).memory.arena);
}

TEST(Plan, EachPhaseIsCompiledOnceForThePlanAndTheRun) {
  Settings settings;
  settings.freeze = "backbone";
  settings.unfreeze_after = 1;
  const auto setup = setup_of(settings);
  Learner learner(setup);
  learner.enter(1);
  const Program* planned = &learner.program(16);
  learner.enter(0);
  EXPECT_NE(&learner.program(16), planned);
  learner.enter(1);
  EXPECT_EQ(&learner.program(16), planned);
}

TEST(Plan, AllocatesNothingOfWhatItCounts) {
  const auto setup = setup_of({}, 60'000);
  Planner planner(setup);
  const size_t before = resident_bytes();
  EXPECT_GT(planner.at(40'000).peak, 4096 * mib);
  EXPECT_LT(resident_bytes(), before + 64 * mib);
}

TEST(Plan, TheLargestBatchIsTheLargest) {
  const auto setup = setup_of({});
  Planner planner(setup);
  for (const int64_t batch : {1, 2, 37, 700}) {
    const size_t limit = planner.at(batch).peak;
    const std::optional<Plan> largest = planner.largest(limit);
    ASSERT_TRUE(largest) << batch;
    EXPECT_LE(largest->peak, limit) << batch;
    EXPECT_GE(largest->batch, batch * 95 / 100);  // memory may dip with the choice of kernels
    if (largest->batch == setup.split.train->size()) continue;  // the process was larger before
    EXPECT_GT(planner.at(largest->batch + 1).peak, limit) << batch;
  }
  EXPECT_FALSE(planner.largest(mib));
  const std::optional<Plan> all = planner.largest(size_t{1} << 40);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->batch, setup.split.train->size());  // 1,800: the others validate
}

TEST(Plan, ForANetThatCannotTrainOnOneImageStartsAtTwo) {
  TemporaryFolder folder;
  put(folder / "normed.toml",
      "layers = [\n"
      "  { name = \"conv\", type = \"Conv2d\", out_channels = 64, kernel_size = 3 },\n"
      "  { type = \"AdaptiveAvgPool2d\", output_size = 1 },\n"
      "  { name = \"bn\", type = \"BatchNorm2d\" },\n"
      "  \"Flatten\",\n"
      "  { name = \"out\", type = \"Linear\", out_features = \"classes\" },\n"
      "]\n");
  Settings settings;
  settings.model = folder / "normed.toml";
  settings.batch = 32;
  const auto setup = setup_of(settings, 112);  // 101 of which are used for training
  Planner planner(setup);
  EXPECT_EQ(planner.largest(size_t{1} << 40)->batch, 101);
  // Batches of 50 fit, but would leave one image.
  const std::optional<Plan> largest = planner.largest(planner.at(50).peak);
  ASSERT_TRUE(largest);
  EXPECT_GE(largest->batch, 40);
  EXPECT_NE(101 % largest->batch, 1) << largest->batch;
  EXPECT_FALSE(planner.largest(mib));
}

TEST(Plan, ABatchIsAtMostTheTrainingSet) {
  const auto setup = setup_of({}, 50);
  EXPECT_EQ(Planner(setup).at(128).batch, 45);
  expect_error(ErrorKind::usage, "plan: a batch has at least one sample",
               [&] { (void)Planner(setup).at(0); });
}

TEST(Plan, MeasuresAFewSteps) {
  Settings settings;
  settings.model = "lenet_cnn";
  settings.batch = 8;
  const auto setup = setup_of(settings, 100);
  const Speed speed = measure_speed(setup, 0);
  EXPECT_EQ(speed.steps, 3);
  EXPECT_EQ(speed.images, 24);
  EXPECT_GT(speed.images_per_second, 0);
  EXPECT_NEAR(speed.training_seconds * speed.images_per_second, 90, 1e-6);
  EXPECT_GT(speed.validation_seconds, 0);
}

TEST(Plan, ARunThatCannotFitIsRefused) {
  Settings settings;
  settings.model = "resnet152_cifar";
  settings.batch = 1'000'000;  // some 50 TB
  const auto setup = setup_of(settings, 2'000'000);
  try {
    (void)check_memory(setup);
    FAIL() << "50 TB were thought to fit";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::memory);
    const std::string text = e.what();
    for (const char* part : {"training with --batch 1000000 takes about ",
                             " GiB of memory, this "
                             "machine has ",
                             "\n  try      --batch "}) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  }
  const auto small = setup_of({});
  EXPECT_EQ(check_memory(small), "");
}

}  // namespace
}  // namespace fovea::train
