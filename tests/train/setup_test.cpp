#include "fovea/train/setup.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fovea::train
