#include "fovea/tasks/segmentation.h"

#include <cmath>

#include "fovea/draw/classes.h"
#include "fovea/images/codec.h"
#include "fovea/passes/autodiff.h"
#include "tasks/helpers.h"
#include "temporary_folder.h"

namespace fovea::tasks {
namespace {

Segmentation task() { return Segmentation(data::mask_targets({"sky", "sea", "sun"})); }

/// Logits of one image 1 x W that predict these classes.
Array saying(const std::vector<int64_t>& classes, double strength = 10) {
  const auto width = static_cast<int64_t>(classes.size());
  Array logits = Array::zeros(DType::f32, {1, 3, 1, width});
  for (int64_t x = 0; x < width; ++x)
    logits.set(classes[static_cast<size_t>(x)] * width + x, strength);
  return logits;
}

/// The mask of such an image; -1 does not count.
Array mask_of(const std::vector<int64_t>& classes) {
  Array mask(DType::u8, {1, 1, std::ssize(classes), 1});
  for (int64_t x = 0; x < mask.numel(); ++x)
    mask.set(x, static_cast<double>(classes[static_cast<size_t>(x)] + 1));
  return mask;
}

double number(const Measures& measures, std::string_view name) {
  return find(measures.numbers(), name).value();
}

TEST(Segmentation, IoUIsOfAllPixelsTogetherAndOnlyOfClassesThatOccur) {
  const Measures m = measured(task(), {saying({0, 0, 1, 1}), saying({1, 1, 1, 1})},
                              {mask_of({0, 1, 1, -1}), mask_of({1, 1, 0, 0})});
  // sky: 1 in both, 3 in masks, 2 predicted; sea: 3, 4, 5 (one more does not count).
  EXPECT_DOUBLE_EQ(number(m, "mean_iou"), (1.0 / 4 + 3.0 / 6) / 2);
  EXPECT_DOUBLE_EQ(number(m, "pixel_accuracy"), 4.0 / 7);
  EXPECT_DOUBLE_EQ(number(m, "dice"), (2.0 / 5 + 6.0 / 9) / 2);
  const std::vector<Table> tables = m.tables();
  const Table& iou = tables.at(0);
  EXPECT_EQ(iou.name, "iou");
  ASSERT_EQ(iou.rows.size(), 2u);
  EXPECT_EQ(iou.rows[1], (std::pair<std::string, std::vector<double>>{"sea", {0.5}}));
  const Table& confusion = tables.at(1);
  EXPECT_EQ(confusion.rows[0].second, (std::vector<double>{1, 2, 0}));
  EXPECT_EQ(confusion.rows[1].second, (std::vector<double>{1, 3, 0}));
}

TEST(Segmentation, TheLossIsTheMeanOfThePixelsThatCount) {
  const Array logits = saying({0, 1, 2, 0}, 2), mask = mask_of({0, 2, 2, -1});
  const double right = std::log1p(2 * std::exp(-2.0)), wrong = 2 + right;
  EXPECT_NEAR(loss_of(task(), logits, mask), (2 * right + wrong) / 3, 1e-6);
  EXPECT_NEAR(number(measured(task(), {logits}, {mask}), "loss"), (2 * right + wrong) / 3, 1e-6);
  // Class weights: the mean is weighted.
  EXPECT_NEAR(loss_of(task(), logits, mask, {.class_weights = {1, 1, 3}}),
              (right + 3 * wrong + 3 * right) / 7, 1e-6);
}

// Crops of regions that nobody labelled: NaN would end the training, and spoil the mean.
TEST(Segmentation, ABatchWithoutAPixelThatCountsHasALossOf0) {
  const Array logits = saying({0, 1}, 2), none = mask_of({-1, -1});
  for (const char* loss : {"cross-entropy", "dice", "focal"})
    EXPECT_EQ(loss_of(task(), logits, none, {.losses = {loss}}), 0) << loss;
  const Array gradient =
      eval([&](const Tensors& in) { return gradients(task().loss(in[0], in[1], {}), {in[0]}); },
           {logits, none})[0];
  for (int64_t i = 0; i < gradient.numel(); ++i) EXPECT_EQ(gradient.at(i), 0);
  const Measures both = measured(task(), {logits, logits}, {none, mask_of({0, -1})});
  EXPECT_NEAR(number(both, "loss"), std::log1p(2 * std::exp(-2.0)), 1e-6);
}

TEST(Segmentation, FocalLossLooksAtWhatIsWrong) {
  const Array logits = saying({0, 1, 2, 0}, 2), mask = mask_of({0, 2, 2, -1});
  const double e = std::exp(2.0), p = e / (e + 2), q = 1 / (e + 2);
  const auto term = [](double share) { return -(1 - share) * (1 - share) * std::log(share); };
  EXPECT_NEAR(loss_of(task(), logits, mask, {.losses = {"focal"}}), (2 * term(p) + term(q)) / 3,
              1e-6);
}

TEST(Segmentation, DiceLossIgnoresPixelsThatDoNotCount) {
  const auto dice = [](const Array& logits, const Array& mask) {
    return loss_of(task(), logits, mask, {.losses = {"dice"}});
  };
  // All classes right, or absent: 1 - (2 + 1) / (2 + 1) = 0.
  EXPECT_NEAR(dice(saying({0, 1, 1}, 50), mask_of({0, 1, -1})), 0, 1e-6);
  // sky: 2 * 1 + 1 over 1 + 2 + 1; sea: 1 over 1 + 0 + 1; sun: 1 over 1.
  EXPECT_NEAR(dice(saying({0, 1, 1}, 50), mask_of({0, 0, -1})), (0.25 + 0.5) / 3, 1e-6);
}

TEST(Segmentation, LossesAddUp) {
  const Array logits = saying({0, 1, 2, 0}, 2), mask = mask_of({0, 2, 2, -1});
  const auto one = [&](const std::string& name) {
    return loss_of(task(), logits, mask, {.losses = {name}});
  };
  EXPECT_NEAR(loss_of(task(), logits, mask, {.losses = {"cross-entropy", "dice", "focal"}}),
              one("cross-entropy") + one("dice") + one("focal"), 1e-6);
  EXPECT_EQ(parse_losses("cross-entropy+dice", task()),
            (std::vector<std::string>{"cross-entropy", "dice"}));
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)parse_losses("dise", task()); }),
            "unknown loss \"dise\"\n  nearest dice\n"
            "  known   cross-entropy, dice, focal, and sums of them: cross-entropy+dice+focal");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)parse_losses("dice+dice", task()); }),
            "--loss: \"dice\" occurs twice");
  const auto classify = make("classify", data::class_targets({"a", "b"}));
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)parse_losses("dice", *classify); }),
            "--loss: the task classify has one loss only\n  try     no --loss");
}

TEST(Segmentation, ANetWithoutPaddingIsComparedWithTheCentreOfTheMask) {
  EXPECT_NEAR(loss_of(task(), saying({1, 2}, 50), mask_of({0, 1, 2, 0})), 0, 1e-6);
}

TEST(Segmentation, AClassifierIsRefused) {
  const Array logits = Array::zeros(DType::f32, {1, 3});
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         (void)loss_of(task(), logits, mask_of({0, 1}));
                       }),
            "segment: the net does not give logits for the pixels of a mask\n"
            "  output  f32[1, 3]\n"
            "  masks   u8[1, 1, 2, 1]\n"
            "  try     a net for segmentation, such as --model unet");
}

TEST(Segmentation, IsTheTaskOfMasks) {
  EXPECT_EQ(make("", data::mask_targets({"a", "b"}))->name(), "segment");
  EXPECT_EQ(make("", data::mask_targets({"a", "b"}))->outputs(), 2);
}

TEST(Segmentation, TakesTheMasksOfADataSetThatAlsoHasBoxes) {
  const auto images = [](Array targets, const data::Targets& meaning) {
    return data::DataSets{.name = "scenes",
                          .train = std::make_shared<data::ArrayDataset>(
                              Array::zeros(DType::u8, {2, 4, 4, 1}), std::move(targets), meaning),
                          .test = nullptr};
  };
  data::DataSets sets = images(Array::zeros(DType::f32, {2, 1, 5}), data::box_targets({"a"}, 1));
  sets.others = {images(Array::zeros(DType::u8, {2, 4, 4, 1}), data::mask_targets({"a", "b"}))};
  EXPECT_TRUE(data::is_mask(sets_for("segment", sets).targets().type));
  EXPECT_TRUE(data::is_boxes(sets_for("", sets).targets().type));
  EXPECT_TRUE(data::is_boxes(sets_for("classify", sets).targets().type)) << "which make refuses";
}

TEST(Segmentation, APredictionTellsTheShareOfEachClass) {
  const auto decoded = eval([](const Tensors& t) { return Tensors{task().decoded(t[0])}; },
                            {saying({2, 2, 2, 1})})[0];
  const auto prediction = task().predict(decoded, 0, 5);
  EXPECT_EQ(prediction->text(),
            "  sun   75.00%  ###############\n"
            "  sea   25.00%  #####\n");
  EXPECT_EQ(prediction->json().dump(),
            R"({"classes":[{"name":"sky","share":0.0},{"name":"sea","share":0.25},)"
            R"({"name":"sun","share":0.75}]})");
}

TEST(Segmentation, VolumesHaveTheSameLossesAndMetrics) {
  const auto task = make("", data::mask_targets({"air", "bone"}, 3));
  // Two voxels of 2x2x2 do not count; of the others all but one are right.
  Array logits = Array::zeros(DType::f32, {1, 2, 2, 2, 2}), labels(DType::u8, {1, 2, 2, 2, 1});
  for (int64_t p = 0; p < 8; ++p) {
    const bool bone = p % 2 == 1;
    logits.set((bone ? 8 : 0) + p, 20);
    labels.set(p, p < 2 ? 0 : p == 7 ? 1 : bone ? 2 : 1);
  }
  const Measures measures = measured(*task, {logits}, {labels});
  EXPECT_NEAR(*find(measures.numbers(), "pixel_accuracy"), 5.0 / 6, 1e-9);
  EXPECT_NEAR(loss_of(*task, logits, labels), 20.0 / 6, 1e-5);
  for (const char* loss : {"dice", "focal"})
    EXPECT_GT(loss_of(*task, logits, labels, {.losses = {loss}}), 0) << loss;
  const Array decoded =
      eval([&](const Tensors& t) { return Tensors{task->decoded(t[0])}; }, {logits})[0];
  const auto prediction = task->predict(decoded, 0, 5);
  ASSERT_EQ(prediction->arrays().size(), 1u);
  EXPECT_EQ(prediction->arrays()[0].second.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(task->scored(decoded, labels, 0)[0].second, "0.8333333333333334");
}

TEST(Segmentation, PicturesOfAPredictionHaveTheSizeOfThePicture) {
  MaskPrediction prediction;
  prediction.mask = Array::of<uint8_t>({0, 2}, {1, 2});
  prediction.shares = {{"sky", 0.5}, {"sea", 0}, {"sun", 0.5}};
  // The net saw the middle half of the picture.
  const Image picture = Image::black(2, 8, 3);
  const auto pictures =
      prediction.pictures({picture, {.area = {0, 2, 2, 4}, .height = 1, .width = 2}});
  ASSERT_EQ(pictures.size(), 2u);
  EXPECT_EQ(pictures[0].name, "mask");
  EXPECT_EQ(pictures[1].name, "overlay");
  const TemporaryFolder folder;
  put(folder / "mask.png", pictures[0].png);
  const Image mask = decode_stored_png(folder / "mask.png");
  const std::vector<uint8_t> row{255, 255, 0, 0, 2, 2, 255, 255};
  EXPECT_TRUE(std::equal(row.begin(), row.end(), mask.pixels.begin()));
  EXPECT_TRUE(std::equal(row.begin(), row.end(), mask.pixels.begin() + 8));
  // The palette has the colours of the overlay.
  const Image colors = decode_image(folder / "mask.png");
  EXPECT_EQ(colors.pixels[4 * 3], draw::class_colors(3)[2][0]);
  put(folder / "overlay.png", pictures[1].png);
  const Image overlay = decode_image(folder / "overlay.png");
  EXPECT_EQ(overlay.pixels[2 * 3], 0);  // the first class leaves the picture as it is
  EXPECT_GT(overlay.pixels[4 * 3] + overlay.pixels[4 * 3 + 1] + overlay.pixels[4 * 3 + 2], 0);
}

}  // namespace
}  // namespace fovea::tasks
