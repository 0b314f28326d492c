#include "fovea/data/prepared.h"

#include "data/helpers.h"
#include "error_text.h"

namespace fovea::data {
namespace {

/// Two images of height x width, the second brighter.
std::shared_ptr<const Dataset> pair_of(int64_t height, int64_t width, int64_t channels) {
  Array images(DType::u8, {2, height, width, channels}), labels = Array::zeros(DType::i64, {2});
  Random random(1, "images");
  const int64_t half = images.numel() / 2;
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.set(i, static_cast<double>(random.below(100)) + (i < half ? 0 : 100));
  }
  labels.set(1, 1);
  return std::make_shared<ArrayDataset>(images, labels, class_targets({"dark", "light"}));
}

Preprocessing to(int height, int width, int channels) {
  const std::vector<double> values(static_cast<size_t>(channels), 0.5);
  return {.height = height,
          .width = width,
          .channels = channels,
          .resize = {},
          .filter = Filter::bilinear,
          .mean = values,
          .std = values};
}

TEST(Prepared, EqualsThePreparationOfPredict) {
  // A net trained on pixels other than those it is used with is worse than it seems.
  for (int64_t channels : {1, 3}) {
    const auto original = pair_of(7, 9, channels);
    for (const Preprocessing& p : {to(12, 10, 3), to(4, 5, 1), to(7, 9, channels == 1 ? 3 : 1)}) {
      const auto set = prepared(original, p);
      EXPECT_EQ(set->input(), image_type(p));
      EXPECT_EQ(set->size(), 2);
      EXPECT_EQ(set->targets(), original->targets());
      for (int64_t i = 0; i < 2; ++i) {
        const Image picture{7, 9, static_cast<int>(channels), pixels_of(*original, i)};
        EXPECT_EQ(pixels_of(*set, i), prepare(picture, p).pixels);
        EXPECT_EQ(class_of(*set, i), i);
      }
    }
  }
}

TEST(Prepared, ImagesOfTheRightSizeAreNotTouched) {
  const auto original = pair_of(7, 9, 3);
  EXPECT_EQ(prepared(original, to(7, 9, 3)), original);
}

TEST(Prepared, RefusesImpossibleSizes) {
  expect_error(ErrorKind::usage, "images of 2 channels cannot be resized; 1 or 3 are expected",
               [] { prepared(pair_of(7, 9, 2), to(4, 4, 3)); });
  Preprocessing broken = to(4, 4, 3);
  broken.std[1] = 0;
  expect_error(ErrorKind::usage, "its images cannot be prepared: std[1] is 0",
               [&] { prepared(pair_of(7, 9, 3), broken); });
}

}  // namespace
}  // namespace fovea::data
