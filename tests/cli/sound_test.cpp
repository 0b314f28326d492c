// Training on sounds and what is done with the model, as a user does it.

#include <gtest/gtest.h>

#include "audio/wav_bytes.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

class TrainedOnSounds : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 20; ++i) {
      for (const bool high : {false, true}) {
        const std::string name = std::string(high ? "high/" : "low/") + std::to_string(i) + ".wav";
        std::filesystem::create_directories((folder_ / "words" / name).parent_path());
        put(folder_ / "words" / name, tone(high ? 1500 + 40 * i : 300 + 20 * i, 0.3).text());
      }
    }
    data_ = "sound:" + (folder_ / "words").string() + ",rate=8000,seconds=0.32,mels=16,n_fft=256";
    const Outcome run =
        fovea({"train", "--data", data_, "--model", "deeper_cnn", "--epochs", "4", "--batch", "8",
               "--optimizer", "adamw", "--lr", "0.003", "--augment", "spec-augment:3:3,time-shift",
               "--threads", "1", "--out", folder_ / "run"});
    ASSERT_EQ(run.code, 0) << run.err;
    model_ = folder_ / "run/best.safetensors";
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
  std::string data_, model_;
};

TEST_F(TrainedOnSounds, PredictsFilesAndMeasures) {
  EXPECT_GE(fovea({"eval", "--model", model_, "--data", data_, "--json"}).json().at("accuracy"),
            0.9);
  put(folder_ / "words/broken.wav", "RIFF");
  const Outcome some = fovea({"predict", "--model", model_, path("words"), "--json"});
  EXPECT_EQ(some.code, 3);
  const auto predictions = some.json().at("predictions");
  ASSERT_EQ(predictions.size(), 41u);
  EXPECT_EQ(predictions[0].at("path"), path("words/broken.wav"));
  EXPECT_NE(some.err.find("broken.wav: not a WAV file"), std::string::npos);
  int right = 0;
  for (size_t i = 1; i < 41; ++i) {
    const std::string name = predictions[i].at("path");
    const std::string said = predictions[i].at("classes")[0].at("name");
    right += name.find("/" + said + "/") != std::string::npos;
  }
  EXPECT_GE(right, 36);
  const Outcome table =
      fovea({"predict", "--model", model_, path("words"), "--csv", path("t.csv")});
  EXPECT_EQ(table.code, 3);
  EXPECT_NE(table.out.find("40 predictions"), std::string::npos);
  const Outcome tiled = fovea({"predict", "--model", model_, path("words"), "--tile", "64"});
  EXPECT_EQ(tiled.code, 2);
  EXPECT_NE(tiled.err.find("--tile is for models of images"), std::string::npos);
  std::filesystem::remove(folder_ / "words/broken.wav");
  // The options are those of the model, unless others are given.
  const std::string plain = "sound:" + path("words");
  const Outcome measured = fovea({"eval", "--model", model_, "--data", plain, "--json"});
  EXPECT_EQ(measured.code, 0) << measured.err;
  EXPECT_GE(measured.json().at("accuracy"), 0.9);
  EXPECT_NE(
      measured.err.find("rate=8000,seconds=0.32,n_fft=256,mels=16, as the model was trained with"),
      std::string::npos)
      << measured.err;
  const Outcome other = fovea({"eval", "--model", model_, "--data", plain + ",mels=20"});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("become other inputs than the model's"), std::string::npos);
}

TEST_F(TrainedOnSounds, ExplainsThemOverTheirSpectrograms) {
  for (const std::string command : {"cam", "saliency"}) {
    const Outcome run = fovea({"explain", command, "--model", model_, path("words/low/3.wav"),
                               "--out", path(command), "--json"});
    ASSERT_EQ(run.code, 0) << run.err;
    const std::string png = run.json().at("images")[0].at("maps")[0].at("png");
    EXPECT_GE(std::get<Image>(decode_any_image(png)).height, 150);
  }
  const Outcome place = fovea({"explain", "cam", "--model", model_, path("words/low/3.wav"),
                               "--pixel", "3,3", "--out", path("cam")});
  EXPECT_EQ(place.code, 2);
  EXPECT_NE(place.err.find("--pixel and --box are for models of images"), std::string::npos);
}

TEST_F(TrainedOnSounds, FieldsAndBestInputsAreOverSpectrograms) {
  const std::string out = path("seen");
  const Outcome field = fovea({"explain", "receptive-field", "--model", model_, "--layer", "stage1",
                               path("words/low/1.wav"), "--out", out, "--raw", "--json"});
  ASSERT_EQ(field.code, 0) << field.err;
  EXPECT_EQ(field.json().at("position").size(), 2u);
  EXPECT_GT(decode_image(field.json().at("png").get<std::string>()).height, 100);
  const Outcome best = fovea({"explain", "maximize", "--model", model_, "--class", "high",
                              "--steps", "30", "--out", out, "--raw", "--json"});
  ASSERT_EQ(best.code, 0) << best.err;
  const auto goal = best.json().at("goals")[0];
  EXPECT_GT(goal.at("after"), goal.at("before"));
  // In decibels: the model takes it for what it is.
  const Array found = read_npy(goal.at("npy").get<std::string>());
  double mean = 0;
  for (int64_t i = 0; i < found.numel(); ++i)
    mean += found.at(i) / static_cast<double>(found.numel());
  EXPECT_LT(mean, -5);
  EXPECT_EQ(found.shape().rank(), 3);
}

TEST_F(TrainedOnSounds, ShowsTheData) {
  const auto info = fovea({"data", "info", data_, "--json"}).json();
  EXPECT_EQ(info.at("image"), "1x16x17");
  EXPECT_EQ(info.at("modality"), "sound:8000:0.32:log-mel:torchaudio:256:160:16");
  EXPECT_EQ(fovea({"data", "samples", data_, "--count", "4", "--augment", "spec-augment", "--out",
                   path("samples.png")})
                .code,
            0);
  EXPECT_GT(std::get<Image>(decode_any_image(path("samples.png"))).width, 300);
  EXPECT_EQ(fovea({"data", "transforms", data_, "--out", path("transforms.png")}).code, 0);
  EXPECT_EQ(fovea({"data", "check", data_}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/batch-1.png"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/report.html"));
}

}  // namespace
}  // namespace fovea::cli_test
