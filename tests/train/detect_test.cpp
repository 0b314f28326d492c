// What `fovea train` does with boxes: see also tests/tasks/detection_test.cpp.

#include "fovea/core/random.h"
#include "fovea/train/fit.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Four 64x64 images of a gray square and a brighter bar on noise, and their boxes.
data::DataSets boxed_shapes() {
  constexpr int64_t count = 4, side = 64, capacity = 3;
  Array images(DType::u8, {count, side, side, 1});
  Array boxes = Array::zeros(DType::f32, {count, capacity, 5});
  Random random(1, "shapes");
  for (int64_t i = 0; i < count * side * side; ++i)
    images.set(i, static_cast<double>(random.below(40)));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < 2; ++k) {
      const int64_t height = k == 0 ? 20 : 12, width = k == 0 ? 20 : 30;
      const int64_t top = 32 * k + static_cast<int64_t>(random.below(10)),
                    left = static_cast<int64_t>(random.below(static_cast<uint64_t>(side - width)));
      for (int64_t p = 0; p < height * width; ++p) {
        images.set((i * side + top + p / width) * side + left + p % width, k == 0 ? 120 : 220);
      }
      const double row[] = {double(left), double(top), double(left + width), double(top + height),
                            double(k + 1)};
      for (int64_t c = 0; c < 5; ++c) boxes.set((i * capacity + k) * 5 + c, row[c]);
    }
  }
  const auto all = std::make_shared<data::ArrayDataset>(
      images, boxes, data::box_targets({"square", "bar"}, capacity));
  return {.name = "shapes", .train = all, .test = all};
}

Settings detector_settings(int64_t epochs) {
  Settings settings;
  settings.epochs = epochs;
  settings.batch = 4;
  settings.optimizer = "adamw";
  settings.lr = 0.003;
  settings.warmup = 10;  // heads without norms: without these two, some seeds learn nothing
  settings.clip = 1;
  settings.augment = "none";
  settings.val = 0;
  return settings;
}

TEST(Detect, NetsWithAPyramidLearnFourImagesByHeart) {
  for (const char* model : {"fcos_resnet18_fpn", "retinanet_fpn"}) {
    Settings settings = detector_settings(std::string(model) == "fcos_resnet18_fpn" ? 80 : 220);
    settings.choices.set("width", 0.125);
    const History history = fit(model, boxed_shapes(), settings);
    EXPECT_GT(tasks::find(history.test, "map50").value_or(0), 0.95) << model;
  }
}

}  // namespace
}  // namespace fovea::train
