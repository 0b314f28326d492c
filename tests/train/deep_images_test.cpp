// Training, evaluation and prediction on images of 16 bits, and of constant channels.

#include <chrono>

#include "error_text.h"
#include "fovea/data/registry.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "fovea/predict/predictor.h"
#include "fovea/train/run_folder.h"
#include "images/png16.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Gray noise whose upper byte says nothing: the lower byte is dark in one class, bright in the
/// other.
Image16 by_lower_byte(int label, uint64_t seed) {
  Image16 image = Image16::black(8, 8, 1);
  Random random(seed, "lower byte");
  for (uint16_t& value : image.pixels)
    value = static_cast<uint16_t>(0x1200 + 128 * label + static_cast<int>(random.below(128)));
  return image;
}

class DeepTraining : public testing::Test {
 protected:
  DeepTraining() {
    for (const auto& [split, count] : {std::pair{"train", 60}, std::pair{"test", 20}}) {
      for (int i = 0; i < count; ++i) {
        const std::filesystem::path path =
            folder_ / split / (i % 2 == 0 ? "dark" : "bright") / (std::to_string(i) + ".png");
        std::filesystem::create_directories(path.parent_path());
        put_png16(path, by_lower_byte(i % 2 == 0 ? 0 : 1, static_cast<uint64_t>(count + i)));
      }
    }
    settings_.data = "folder:" + (folder_ / "").string();
    settings_.model = "small_cnn";
    settings_.input = "1x8x8";
    settings_.epochs = 4;
    settings_.batch = 8;
    settings_.lr = 0.02;
    settings_.augment = "flip";
    settings_.threads = 2;
  }

  TemporaryFolder folder_;
  Settings settings_;
};

// With the upper 8 bits alone, all images would be the same.
TEST_F(DeepTraining, ANetLearnsWhatOnlyTheLowerByteShows) {
  const Result result = train(settings_, (folder_ / "run").string());
  EXPECT_EQ(accuracy(result), 1);
  Predictor predictor(folder_ / "run" / "best.safetensors");
  const data::DataSets sets = data::open(settings_.data);
  EXPECT_EQ(tasks::find(predictor.evaluate(sets.test), "accuracy"), 1);
  Array image(DType::u8, {1, 8, 8, 1}), deep(DType::u16, {1, 8, 8, 1});
  for (int64_t i = 0; i < image.numel(); ++i) {
    image.set(i, static_cast<double>(4 * i));
    deep.set(i, static_cast<double>(257 * 4 * i));
  }
  const double logit = predictor.output(image).at(0);
  EXPECT_EQ(predictor.output(deep).at(0), logit);
  for (const std::string name : {"dark/0.png", "bright/1.png"}) {
    const auto said = predictor.predict(decode_any_image(folder_ / "test" / name), 1);
    EXPECT_NE(said->text().find(name.substr(0, name.find('/'))), std::string::npos) << said->text();
  }
}

TEST_F(DeepTraining, NamesOfFoldersAreKeptBesideTheRun) {
  settings_.epochs = 1;
  const auto files = [&] {
    for (const std::string name : {"train/dark", "train/bright", "train", "test"}) {
      std::filesystem::last_write_time(
          folder_ / name, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    }
  };
  files();
  std::filesystem::create_directories(folder_ / "runs");
  const std::filesystem::path one = folder_ / "runs" / "one", two = folder_ / "runs" / "two";
  train(settings_, one.string());
  const std::string index = read_index(one / "folders.index");
  EXPECT_NE(index.find("train/dark\n0.png\n"), std::string::npos) << index;
  EXPECT_EQ(known_index(two, settings_.data), index);
  EXPECT_EQ(known_index(two, "folder:elsewhere"), "");
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  put(one / "folders.index", "broken");
  resume(one, {&watch}, {}, {{"epochs", "2"}});
  EXPECT_EQ(std::ranges::count(messages, "folders.index cannot be used: folders were listed anew"),
            1);
  EXPECT_EQ(read_index(one / "folders.index").substr(0, 20), "fovea folder index 1");
}

TEST_F(DeepTraining, AConstantChannelHasAStdOf1AndANote) {
  Array x(DType::u8, {40, 8, 8, 3}), y(DType::i64, {40});
  Random random(1, "pixels");
  for (int64_t i = 0; i < x.numel(); ++i)
    x.set(i, i % 3 == 1 ? 7.0 : static_cast<double>(random.below(256)));
  for (int64_t i = 0; i < 40; ++i) y.set(i, static_cast<double>(i % 2));
  std::filesystem::create_directories(folder_ / "arrays");
  write_npy(folder_ / "arrays" / "x.npy", x);
  write_npy(folder_ / "arrays" / "y.npy", y);
  settings_.data = "arrays:" + (folder_ / "arrays").string();
  settings_.input = "";
  settings_.epochs = 1;
  const train::Setup setup(settings_);
  EXPECT_EQ(setup.preprocessing->std[1], 1);
  EXPECT_NEAR(setup.preprocessing->mean[1], 7.0 / 255, 1e-12);
  EXPECT_LT(setup.preprocessing->std[2], 0.5);
  EXPECT_EQ(setup.notes,
            (std::vector<std::string>{
                "channel 1 of the images has the same value everywhere: its std is taken as 1"}));
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  train(settings_, (folder_ / "constant").string(), {&watch});
  EXPECT_EQ(std::ranges::count(messages, setup.notes[0]), 1);
}

TEST_F(DeepTraining, MixIsTheSameAsTheLastStepOfAugment) {
  settings_.epochs = 1;
  settings_.augment = "flip,mixup:0.3";
  const Result one = train(settings_, (folder_ / "one").string());
  settings_.augment = "flip";
  settings_.mix = "mixup:0.3";
  const Result two = train(settings_, (folder_ / "two").string());
  EXPECT_EQ(one.history[0].numbers, two.history[0].numbers);
  settings_.augment = "cutmix";
  expect_error(ErrorKind::usage,
               "--mix and --augment both mix batches\n"
               "  --mix     mixup:0.3\n"
               "  --augment cutmix\n"
               "  try       one of them",
               [&] { train::Setup setup(settings_); });
  settings_.augment = "none";
  settings_.mix = "flip";
  expect_error(ErrorKind::usage,
               "--mix: \"flip\" is not one transform of batches\n"
               "  known   mixup[:ALPHA], cutmix[:ALPHA], noise[:STD]\n"
               "  try     --augment for transforms of single images",
               [&] { train::Setup setup(settings_); });
}

}  // namespace
}  // namespace fovea::train
