#include "fovea/tasks/reconstruction.h"

#include <cmath>

#include "fovea/core/random.h"
#include "fovea/data/unlabelled.h"
#include "fovea/images/codec.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

std::unique_ptr<Task> of_pictures() { return make("reconstruct", data::no_targets(DType::u8)); }

Array noise(const Shape& shape, uint64_t seed) {
  Array values(DType::f32, shape);
  Random random(seed, "noise");
  for (int64_t i = 0; i < values.numel(); ++i) values.set(i, random.uniform());
  return values;
}

TEST(Reconstruct, IsChosenForAnyDataAndHasNoTargets) {
  const auto labelled = std::make_shared<data::ArrayDataset>(
      Array::full(DType::u8, {4, 8, 8, 1}, 0), Array::full(DType::i64, {4}, 0),
      data::class_targets({"a"}));
  const data::DataSets given{.name = "some", .train = labelled, .test = labelled, .val = labelled};
  const data::DataSets sets = sets_for("reconstruct", given);
  EXPECT_EQ(sets.targets(), data::no_targets(DType::u8));
  EXPECT_EQ(sets.train->sample(1).target.numel(), 0);
  EXPECT_EQ(sets.train->sample(1).input.shape(), (Shape{8, 8, 1}));
  EXPECT_EQ(sets.val, sets.test) << "one split, twice";
  EXPECT_TRUE(make("reconstruct", sets.targets())->learns_inputs());
  EXPECT_EQ(make("", sets.targets())->name(), "reconstruct");
  EXPECT_EQ(sets_for("", given).targets(), labelled->targets());
  expect_error(ErrorKind::usage, "the task reconstruct cannot learn such targets",
               [&] { (void)make("reconstruct", labelled->targets()); });
}

TEST(Reconstruct, LossesAreOfTheDifference) {
  const Array x = noise({2, 3, 12, 12}, 1), y = noise({2, 3, 12, 12}, 2);
  double squares = 0, sizes = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    squares += std::pow(x.at(i) - y.at(i), 2) / static_cast<double>(x.numel());
    sizes += std::abs(x.at(i) - y.at(i)) / static_cast<double>(x.numel());
  }
  const auto task = of_pictures();
  EXPECT_NEAR(loss_of(*task, y, x), squares, 1e-6);
  EXPECT_NEAR(loss_of(*task, y, x, {.losses = {"l1"}}), sizes, 1e-6);
  const double ssim = loss_of(*task, y, x, {.losses = {"ssim"}});
  EXPECT_GT(ssim, 0.8) << "they have nothing in common";
  EXPECT_NEAR(loss_of(*task, y, x, {.losses = {"mse", "ssim"}}), squares + ssim, 1e-6);
  EXPECT_NEAR(loss_of(*task, x, x, {.losses = {"ssim"}}), 0, 1e-6);
  expect_error(ErrorKind::usage, "there are no labels to smooth",
               [&] { (void)loss_of(*task, y, x, {.label_smoothing = 0.1}); });
  expect_error(ErrorKind::usage, "the net does not give back what it takes", [&] {
    (void)loss_of(*task, noise({2, 3, 12, 11}, 1), x);
  });
}

TEST(Reconstruct, MetricsAreMeansOverSamples) {
  const auto task = of_pictures();
  const Array x = Array::full(DType::f32, {2, 1, 8, 8}, 0.5);
  Array y = x.clone();
  for (int64_t i = 0; i < 64; ++i) y.set(i, 0.6);        // mse 0.01: 20 dB
  for (int64_t i = 64; i < 128; ++i) y.set(i, 0.5 + 1);  // mse 1: 0 dB
  const Numbers numbers = measured(*task, {y}, {x}).numbers();
  EXPECT_NEAR(*find(numbers, "mse"), (0.01 + 1) / 2, 1e-6);
  EXPECT_NEAR(*find(numbers, "mae"), (0.1 + 1) / 2, 1e-6);
  EXPECT_NEAR(*find(numbers, "psnr"), 10, 1e-4);
  EXPECT_LT(*find(numbers, "ssim"), 1);
  EXPECT_NEAR(*find(measured(*task, {x}, {x}).numbers(), "ssim"), 1, 1e-6);
  EXPECT_NEAR(*find(measured(*task, {x}, {x}).numbers(), "psnr"), 100, 1e-3);
}

TEST(Reconstruct, NumbersHaveNoRangeForPsnrAndSsim) {
  const auto task = make("reconstruct", data::no_targets(DType::f32));
  const Array x = noise({2, 1, 9}, 1);
  const Numbers numbers = measured(*task, {x}, {x}).numbers();
  EXPECT_TRUE(find(numbers, "mse").has_value());
  EXPECT_FALSE(find(numbers, "ssim").has_value());
  expect_error(ErrorKind::usage, "ssim", [&] { (void)parse_losses("ssim", *task); });
}

TEST(Reconstruct, APredictionShowsItsErrorAndPictures) {
  const auto task = of_pictures();
  Array both = Array::full(DType::f32, {2, 2, 4, 5}, 0.5);  // outputs, then inputs
  for (int64_t i = 0; i < 20; ++i) both.set(i, 0.6);
  const auto prediction = task->predict(both, 0, 5);
  EXPECT_EQ(prediction->text(), "  mse 0.010000  psnr 20.00 dB\n");
  EXPECT_NEAR(prediction->json().at("psnr").get<double>(), 20, 1e-4);
  const Image picture = Image::black(4, 5, 1);
  const auto pictures = prediction->pictures({.picture = picture, .place = {}});
  ASSERT_EQ(pictures.size(), 2u);
  EXPECT_EQ(pictures[0].name, "reconstruction");
  const std::string& png = pictures[0].png;
  const Image image = decode_image(std::as_bytes(std::span(png.data(), png.size())), "it");
  EXPECT_EQ(image.height, 4);
  EXPECT_EQ(image.width, 5);
  EXPECT_EQ(image.pixels[0], 153);
  EXPECT_EQ(task->scored(both, Array(), 1)[0].second, "0");
}

}  // namespace
}  // namespace fovea::tasks
