#include "fovea/train/setup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "error_text.h"
#include "temporary_folder.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Black images, each of a size of its own.
class SeveralSizes : public data::Dataset {
 public:
  int64_t size() const override { return 20; }
  data::Sample sample(int64_t i) const override {
    return {Array::zeros(DType::u8, {5 + i, 40 - i, 3}), Array::zeros(DType::i64, {})};
  }
  std::optional<Type> input() const override { return std::nullopt; }
  const data::Targets& targets() const override { return targets_; }

 private:
  data::Targets targets_ = data::class_targets({"a", "b"});
};

Setup setup_of(const std::string& augment) {
  Settings settings;
  settings.input = "16x16";
  settings.augment = augment;
  settings.batch = 6;
  const auto images = std::make_shared<SeveralSizes>();
  return {settings,
          {"sizes", images, images},
          Preprocessing{.height = 16,
                        .width = 16,
                        .channels = 3,
                        .resize = 20,
                        .filter = Filter::bilinear,
                        .mean = {0, 0, 0},
                        .std = {1, 1, 1}}};
}

TEST(Setup, ImagesOfSeveralSizesAreCroppedAtRandomByDefault) {
  const auto setup = setup_of("standard");
  EXPECT_EQ(setup.augmentation().text(), "random-resized-crop,flip:0.5");
  data::Loader loader(setup.split.train, setup.loader_options());
  EXPECT_EQ(loader.input(), (Type{DType::u8, {16, 16, 3}}));
  loader.start(0);
  EXPECT_EQ(loader.next()->inputs.shape(), (Shape{6, 16, 16, 3}));
}

TEST(Setup, WhatIsFramedIsResizedWithoutAnotherCrop) {
  // Bars of 255 above and below, or at both sides: a crop to the middle would cut them off.
  const auto setup = setup_of("letterbox:255");
  data::Loader loader(setup.split.train, setup.loader_options());
  loader.start(0);
  while (const auto batch = loader.next()) {
    for (int64_t i = 0; i < batch->size(); ++i) {
      const auto image = batch->inputs.data<uint8_t>().subspan(static_cast<size_t>(i) * 768, 768);
      EXPECT_TRUE(image.front() == 255 || image.back() == 255);
    }
  }
}

TEST(Setup, LetterboxingInTrainingIsLetterboxingInValidation) {
  const auto setup = setup_of("letterbox:9");
  ASSERT_TRUE(setup.preprocessing);
  EXPECT_EQ(setup.preprocessing->letterbox, 9);
  EXPECT_FALSE(setup.preprocessing->resize);
  const data::Sample sample = setup.prepared(setup.split.train)->sample(0);  // higher or wider
  EXPECT_EQ(sample.input.shape(), (Shape{16, 16, 3}));
  EXPECT_TRUE(sample.input.at(0) == 9 || sample.input.at(sample.input.numel() - 1) == 9);
}

/// Images that take their time.
class Slow : public SeveralSizes {
 public:
  data::Sample sample(int64_t i) const override {
    ++read;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return SeveralSizes::sample(i);
  }
  mutable std::atomic<int> read = 0;
};

struct SlowRun {
  int read;        ///< images in the third epoch, after all that reads them once
  double seconds;  ///< of it, that training waited
};

SlowRun slow_run(const std::string& cache) {
  const TemporaryFolder folder;
  Settings settings;
  settings.input = "16x16";
  settings.augment = "flip";
  settings.batch = 6;
  settings.epochs = 3;
  settings.cache = cache;
  settings.workers = 0;
  const auto images = std::make_shared<Slow>(), test = std::make_shared<Slow>();
  std::vector<int> read;
  Watch watch;
  watch.epoch = [&](EpochRecord&, bool) { read.push_back(images->read); };
  const Preprocessing known{.height = 16,
                            .width = 16,
                            .channels = 3,
                            .resize = {},
                            .filter = Filter::bilinear,
                            .mean = {0, 0, 0},
                            .std = {1, 1, 1}};
  Trainer trainer(Setup(settings, {"slow", images, test}, known), {&watch});
  std::filesystem::create_directories(folder / "run");
  const Result result = trainer.begin(folder / "run");
  const EpochRecord& third = result.history[2];
  return {read[2] - read[1], third.waiting * third.seconds};
}

TEST(Cache, ImagesAreReadOnceAndWaitingIsMeasured) {
  const SlowRun without = slow_run("0"), with = slow_run("1M");
  EXPECT_EQ(without.read, 20);
  EXPECT_EQ(with.read, 0);
  EXPECT_GE(without.seconds, 18 * 0.01);  // 18 of 20 are trained on
  expect_error(ErrorKind::usage, "--cache: \"much\" is not an amount of memory",
               [] { (void)slow_run("much"); });
}

}  // namespace
}  // namespace fovea::train
