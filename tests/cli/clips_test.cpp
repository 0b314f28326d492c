// Clips, volumes and autoencoders from the command line.

#include <gtest/gtest.h>

#include <filesystem>

#include "fovea/core/random.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

namespace fs = std::filesystem;

void write_clip(const fs::path& folder, int frames, int brightness) {
  fs::create_directories(folder);
  for (int t = 0; t < frames; ++t) {
    Image image = Image::black(24, 24, 3);
    for (size_t p = 0; p < image.pixels.size(); ++p)
      image.pixels[p] = static_cast<uint8_t>(brightness + static_cast<int>(p * 7) % 20 + 3 * t);
    encode_png(folder / (std::to_string(t) + ".png"), image);
  }
}

TEST(ClipsCommand, ANetIsTrainedMeasuredUsedAndExplained) {
  const TemporaryFolder folder;
  for (int i = 0; i < 6; ++i) {
    write_clip(folder / ("data/dark/" + std::to_string(i)), 5, 10 + i);
    write_clip(folder / ("data/light/" + std::to_string(i)), 5, 180 + i);
  }
  const std::string data = "clips:" + (folder / "data").string() + ",length=4,size=16";
  const nlohmann::json info = fovea({"data", "info", data, "--json"}).json();
  EXPECT_EQ(info.at("modality"), "clip:4:1:16x16:3");
  const std::string samples = folder / "samples.png", run = folder / "run";
  ASSERT_EQ(fovea({"data", "samples", data, "--count", "2", "--out", samples}).code, 0);
  EXPECT_GT(decode_image(samples).width, 4 * 16) << "frames beside one another";
  const Outcome plan = fovea({"plan", "--data", data, "--model", "small_cnn_3d", "--batch", "4",
                              "--epochs", "2", "--json"});
  ASSERT_EQ(plan.code, 0) << plan.err;
  const Outcome trained = fovea({"train", "--data", data, "--model", "small_cnn_3d", "--batch", "4",
                                 "--epochs", "8", "--val", "0", "--augment", "crop:2,flip", "--lr",
                                 "0.01", "--optimizer", "adamw", "--out", run});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(fs::exists(fs::path(run) / "report.html"));
  const std::string model = run + "/best.safetensors";
  const Outcome measured = fovea({"eval", "--model", model, "--data", data, "--json"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_EQ(measured.json().at("count"), 1) << "a tenth of 12";
  const Outcome said =
      fovea({"predict", "--model", model, (folder / "data/light/0").string(), "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json().at("predictions").size(), 1u) << "a folder of frames is one clip";
  EXPECT_EQ(said.json().at("predictions")[0].at("classes")[0].at("name"), "light");
  const std::string map = folder / "cam.png";
  const Outcome cam =
      fovea({"explain", "cam", "--model", model, (folder / "data/light/0").string(), "--out", map});
  ASSERT_EQ(cam.code, 0) << cam.err;
  const Outcome video = fovea({"predict", "--model", model, "holiday.mp4"});
  EXPECT_EQ(video.code, 3);
  EXPECT_NE(video.err.find("ffmpeg -i holiday.mp4"), std::string::npos) << video.err;
  const Outcome other = fovea({"eval", "--model", model, "--data",
                               "clips:" + (folder / "data").string() + ",length=5,size=16"});
  EXPECT_EQ(other.code, 2) << "other inputs than those that it learned";
}

Array ball(int64_t side, double radius) {
  Array volume(DType::f32, {side, side, side});
  for (int64_t i = 0; i < volume.numel(); ++i) {
    const auto off = [&](int64_t at) { return static_cast<double>(at % side) - 7.5; };
    const double r = std::hypot(off(i), off(i / side), off(i / side / side));
    volume.set(i, (r < radius ? 100 : 20) + static_cast<double>(i * 13 % 11));
  }
  return volume;
}

TEST(VolumesCommand, VoxelsAreLabelled) {
  const TemporaryFolder folder;
  for (const char* part : {"data/images", "data/labels"}) fs::create_directories(folder / part);
  for (int i = 0; i < 5; ++i) {
    const Array volume = ball(16, 4 + 0.5 * i);
    Array labels(DType::u8, volume.shape());
    for (int64_t k = 0; k < labels.numel(); ++k) labels.set(k, volume.at(k) > 60 ? 1 : 0);
    const std::string name = std::to_string(i) + ".npy";
    write_npy(folder / ("data/images/" + name), volume);
    write_npy(folder / ("data/labels/" + name), labels);
  }
  const std::string data = "volumes:" + (folder / "data").string(), run = folder / "run";
  const std::string samples = folder / "samples.png";
  ASSERT_EQ(fovea({"data", "samples", data, "--count", "1", "--out", samples}).code, 0);
  const Outcome trained =
      fovea({"train", "--data", data, "--model", "unet_3d", "--width", "0.0625", "--batch", "2",
             "--epochs", "6", "--val", "0", "--optimizer", "adamw", "--lr", "0.01", "--out", run});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string model = run + "/best.safetensors";
  const Outcome measured = fovea({"eval", "--model", model, "--data", data, "--json"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_TRUE(measured.json().contains("mean_iou"));
  const std::string pictures = folder / "pictures";
  const Outcome said = fovea({"predict", "--model", model, (folder / "data/images/1.npy").string(),
                              "--pictures", pictures});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(read_npy(fs::path(pictures) / "1-mask.npy").shape(), (Shape{16, 16, 16}));
  EXPECT_GT(decode_image(fs::path(pictures) / "1-overlay.png").width, 48);
}

TEST(VolumesCommand, ABrokenFileIsADataError) {
  const TemporaryFolder folder;
  for (const char* part : {"data/a", "data/b"}) fs::create_directories(folder / part);
  write_npy(folder / "data/a/0.npy", ball(16, 4));
  write_npy(folder / "data/b/0.npy", ball(16, 6));
  put(folder / "data/a/1.nii.gz", "not a volume");
  const Outcome check =
      fovea({"data", "check", "volumes:" + (folder / "data").string(), "--strict"});
  EXPECT_EQ(check.code, 3);
  EXPECT_NE((check.out + check.err).find("1.nii.gz"), std::string::npos);
}

TEST(ReconstructCommand, AnAutoencoderLearnsUnlabelledImages) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "photos/2024");
  for (int i = 0; i < 8; ++i) {
    Image image = Image::black(20, 24, 3);
    for (size_t p = 0; p < image.pixels.size(); ++p)
      image.pixels[p] = static_cast<uint8_t>((p / 72 * 9 + static_cast<size_t>(i) * 12) % 256);
    encode_png(folder / ("photos/2024/" + std::to_string(i) + ".png"), image);
  }
  const std::string data = "images:" + (folder / "photos").string(), run = folder / "run";
  const Outcome trained = fovea({"train",     "--data",         data,      "--input",  "16x16",
                                 "--model",   "autoencoder",    "--width", "0.25",     "--batch",
                                 "4",         "--epochs",       "4",       "--val",    "0",
                                 "--augment", "flip,noise:0.1", "--loss",  "mse+ssim", "--out",
                                 run});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string model = run + "/best.safetensors", pictures = folder / "pictures";
  const Outcome measured = fovea({"eval", "--model", model, "--data", data, "--json"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  for (const char* metric : {"mse", "mae", "psnr", "ssim"})
    EXPECT_TRUE(measured.json().contains(metric)) << metric;
  const Outcome said = fovea({"predict", "--model", model, (folder / "photos/2024/1.png").string(),
                              "--pictures", pictures});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_NE(said.out.find("mse"), std::string::npos);
  EXPECT_EQ(decode_image(fs::path(pictures) / "1-reconstruction.png").width, 16);
  EXPECT_EQ(decode_image(fs::path(pictures) / "1-beside.png").width, 34);
  const Outcome wrong = fovea({"train", "--data", data, "--model", "small_cnn", "--epochs", "1"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("the net does not give back what it takes"), std::string::npos)
      << wrong.err;
}

}  // namespace
}  // namespace fovea::cli_test
