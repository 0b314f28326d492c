// What `fovea train` does with masks: see also tests/tasks/segmentation_test.cpp.

#include "fovea/core/random.h"
#include "fovea/train/fit.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Four 32x32 images of gray discs and squares on noise, and their masks.
data::DataSets masked_shapes() {
  constexpr int64_t count = 4, side = 32;
  Array images(DType::u8, {count, side, side, 1}), masks(DType::u8, {count, side, side, 1});
  Random random(1, "shapes");
  for (int64_t i = 0; i < count; ++i) {
    const auto center = [&] { return 9 + static_cast<int64_t>(random.below(14)); };
    const int64_t disc_y = center(), disc_x = center(), square_y = center(), square_x = center();
    for (int64_t p = 0; p < side * side; ++p) {
      const int64_t y = p / side, x = p % side;
      const bool disc = (y - disc_y) * (y - disc_y) + (x - disc_x) * (x - disc_x) < 36;
      const bool square = std::max(std::abs(y - square_y), std::abs(x - square_x)) < 5;
      const int shape = square ? 2 : disc ? 1 : 0;
      images.set(i * side * side + p, static_cast<double>(random.below(60)) + (shape == 0   ? 0
                                                                               : shape == 1 ? 80
                                                                                            : 160));
      masks.set(i * side * side + p, 1 + shape);
    }
  }
  const auto all = std::make_shared<data::ArrayDataset>(
      images, masks, data::mask_targets({"background", "disc", "square"}));
  return {.name = "shapes", .train = all, .test = all};
}

/// Of a U-Net with a fraction of its channels, without validation.
Settings unet_settings(double width, int64_t epochs) {
  Settings settings;
  settings.choices.set("width", width);
  settings.epochs = epochs;
  settings.batch = 4;
  settings.optimizer = "adamw";
  settings.lr = 0.01;
  settings.augment = "none";
  settings.val = 0;
  return settings;
}

TEST(Segment, AUNetLearnsFourImagesByHeart) {
  const History history = fit("unet", masked_shapes(), unet_settings(0.125, 60));
  EXPECT_GT(tasks::find(history.test, "mean_iou").value_or(0), 0.95);
  EXPECT_GT(tasks::find(history.model->evaluate(masked_shapes().test), "mean_iou").value_or(0),
            0.95);
}

TEST(Segment, AugmentedMasksTrainWithEveryLoss) {
  for (const char* loss : {"dice", "focal", "cross-entropy+dice"}) {
    Settings settings = unet_settings(0.0625, 2);
    settings.loss = loss;
    settings.class_weights = "balanced";
    settings.augment = "crop:4,flip,rotation:20,randaugment";
    const History history = fit("unet", masked_shapes(), settings);
    const double iou = tasks::find(history.test, "mean_iou").value_or(-1);
    EXPECT_GE(iou, 0) << loss;
    EXPECT_LE(iou, 1) << loss;
  }
}

}  // namespace
}  // namespace fovea::train
