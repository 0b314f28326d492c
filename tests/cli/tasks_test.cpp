// Other tasks than classification from the command line, from training to predictions.

#include <gtest/gtest.h>

#include <filesystem>

#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

TEST(Regression, TrainsIsMeasuredAndPredicts) {
  TemporaryFolder folder;
  const std::string run = folder / "run", model = run + "/best.safetensors";
  const Outcome trained =
      fovea({"train",     "--data", "discs",    "--task",    "regress", "--model",   "small_cnn",
             "--limit",   "1200",   "--epochs", "4",         "--batch", "32",        "--optimizer",
             "adamw",     "--lr",   "0.003",    "--augment", "none",    "--monitor", "loss",
             "--threads", "1",      "--out",    run,         "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json result = trained.json();
  EXPECT_EQ(result.at("best").at("metric"), "val_loss");
  EXPECT_EQ(result.at("best").at("val_loss"), result.at("best").at("value"));
  EXPECT_GT(result.at("test").at("r2"), 0.5);
  EXPECT_TRUE(result.at("history")[0].contains("train_r2"));
  EXPECT_NE(trained.err.find("task      regress, best epoch by loss"), std::string::npos)
      << trained.err;

  const nlohmann::json measured =
      fovea({"eval", "--model", model, "--data", "discs", "--json"}).json();
  EXPECT_NEAR(measured.at("r2").get<double>(), result.at("test").at("r2").get<double>(), 1e-6);
  EXPECT_EQ(measured.at("count"), 1000);
  EXPECT_EQ(measured.at("per_number")[2].at("name"), "radius");

  ASSERT_EQ(fovea({"data", "samples", "discs", "--count", "2", "--out", folder / "discs/"}).code,
            0);
  std::string picture;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "discs"))
    picture = entry.path();
  const nlohmann::json said = fovea({"predict", "--model", model, picture, "--json"}).json();
  const nlohmann::json& numbers = said.at("predictions")[0].at("numbers");
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_EQ(numbers[0].at("name"), "x");
  EXPECT_NEAR(numbers[0].at("value").get<double>(), 0.5, 0.6);

  const Outcome other = fovea({"eval", "--model", model, "--data", "fashion-mnist"});
  if (other.code != 3) {  // where the data set is there
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.err.find("the model's targets are f32[3], the data set's i64[]"),
              std::string::npos)
        << other.err;
  }
  const nlohmann::json plan = fovea({"plan", "--data", "discs", "--model", "small_cnn", "--batch",
                                     "8", "--measure", "0", "--json"})
                                  .json();
  EXPECT_EQ(plan.at("classes"), 3);
}

TEST(Multilabel, TrainsByATableIsMeasuredAndPredicts) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder / "images");
  std::string table = "path,left,right,nothing,split\n";
  for (int i = 0; i < 120; ++i) {  // bright halves
    const bool left = i % 2 == 1, right = i / 2 % 2 == 1;
    Image image = Image::black(8, 8, 1);
    for (size_t k = 0; k < 64; ++k) {
      const bool lit = k % 8 < 4 ? left : right;
      image.pixels[k] = static_cast<uint8_t>((lit ? 200 : 20) + (i * 7 + static_cast<int>(k)) % 30);
    }
    const std::string name = "images/" + std::to_string(i) + ".png";
    encode_png(folder / name, image);
    table += name + "," + std::to_string(left) + "," + std::to_string(right) + ",0," +
             (i < 80    ? "train"
              : i < 100 ? "val"
                        : "test") +
             "\n";
  }
  put(folder / "table.csv", table);
  const std::string data = "csv:" + (folder / "table.csv").string(), run = folder / "run",
                    model = run + "/best.safetensors";
  const Outcome trained =
      fovea({"train",   "--data",    data,          "--model", "small_cnn", "--epochs", "4",
             "--batch", "16",        "--optimizer", "adamw",   "--lr",      "0.003",    "--augment",
             "none",    "--threads", "1",           "--out",   run,         "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("task      multilabel, best epoch by mAP"), std::string::npos)
      << trained.err;
  EXPECT_TRUE(trained.json().at("history")[0].contains("train_f1_micro"));

  const nlohmann::json measured =
      fovea({"eval", "--model", model, "--data", data, "--json", "--predictions", folder / "p.csv"})
          .json();
  EXPECT_EQ(measured.at("mAP"), trained.json().at("test").at("mAP"));
  EXPECT_GT(measured.at("mAP"), 0.6);  // of 2/3: one label never holds
  EXPECT_EQ(measured.at("per_label")[0].at("positives"), 10);
  EXPECT_EQ(measured.at("per_label")[2].at("ap"), 0);
  EXPECT_EQ(contents(folder / "p.csv").substr(0, 41), "path,target,prediction,left,nothing,right");
  EXPECT_EQ(fovea({"eval", "--model", model, "--data", data, "--split", "val", "--json"})
                .json()
                .at("count"),
            20);

  const nlohmann::json said =
      fovea({"predict", "--model", model, folder / "images/3.png", "--json"}).json();
  EXPECT_EQ(said.at("predictions")[0].at("labels").size(), 2u) << said;

  put(folder / "swapped.csv",
      "path,right,left,nothing,split\n" + table.substr(table.find('\n') + 1));
  const Outcome swapped =
      fovea({"eval", "--model", model, "--data", "csv:" + (folder / "swapped.csv").string()});
  EXPECT_EQ(swapped.code, 2);
  EXPECT_NE(swapped.err.find("its targets have other names\n"
                             "  model    left, right, nothing\n"
                             "  data set right, left, nothing"),
            std::string::npos)
      << swapped.err;
}

TEST(Sizes, PredictAndEvalTakeEveryOneThatTheNetCan) {
  TemporaryFolder folder;
  const std::string run = folder / "run", model = run + "/best.safetensors";
  put(folder / "gap.toml",
      "layers = [ { name = \"c\", type = \"ConvNormAct\", out_channels = 4 }, "
      "{ type = \"AdaptiveAvgPool2d\", output_size = 1 }, \"Flatten\", { name = \"fc\", type = "
      "\"Linear\", out_features = "
      "\"classes\" } ]");
  write_digits(folder / "data", 60, 20, 12);
  const std::string data = "mnist:" + (folder / "data").string();
  ASSERT_EQ(fovea({"train", "--data", data, "--model", folder / "gap.toml", "--epochs", "1",
                   "--batch", "16", "--threads", "1", "--out", run})
                .code,
            0);
  for (const char* size : {"12x12", "20x24"}) {
    const Outcome outcome =
        fovea({"eval", "--model", model, "--data", data, "--size", size, "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("count"), 20);
  }
  const Outcome wrong = fovea({"eval", "--model", model, "--data", data, "--size", "12"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--size: \"12\" is not a picture size"), std::string::npos);
}

TEST(Segmentation, TrainsOnMasksIsMeasuredAndDrawsItsPredictions) {
  TemporaryFolder folder;
  for (const char* part : {"images", "masks"}) std::filesystem::create_directories(folder / part);
  for (int i = 0; i < 12; ++i) {  // a bright square, whose mask is 1
    Image image = Image::black(16, 24, 3), mask = Image::black(16, 24, 1);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        *mask.at(i % 8 + y, i % 5 * 4 + x) = 1;
        std::fill_n(image.at(i % 8 + y, i % 5 * 4 + x), 3, uint8_t{220});
      }
    }
    const std::string name = std::to_string(i) + ".png";
    encode_png(folder / ("images/" + name), image);
    encode_png(folder / ("masks/" + name), mask);
  }
  put(folder / "classes.csv", "name,value\nground,0\nsquare,1\n");
  const std::string data = "masks:" + (folder / ".").string(), run = folder / "run",
                    model = run + "/best.safetensors", picture = folder / "images/3.png";
  const Outcome trained = fovea({"train",
                                 "--data",
                                 data,
                                 "--model",
                                 "unet",
                                 "--width",
                                 "0.0625",
                                 "--epochs",
                                 "8",
                                 "--batch",
                                 "3",
                                 "--val",
                                 "0.2",
                                 "--optimizer",
                                 "adamw",
                                 "--lr",
                                 "0.01",
                                 "--augment",
                                 "flip",
                                 "--threads",
                                 "1",
                                 "--loss",
                                 "cross-entropy+dice",
                                 "--out",
                                 run,
                                 "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.json().at("best").at("metric"), "val_mean_iou");

  const nlohmann::json measured =
      fovea({"eval", "--model", model, "--data", data, "--json"}).json();
  EXPECT_GT(measured.at("mean_iou"), 0.5);
  EXPECT_GT(measured.at("pixel_accuracy"), 0.7);
  EXPECT_GT(measured.at("iou").at("square"), 0.2);
  EXPECT_EQ(measured.at("confusion").size(), 2u);

  const nlohmann::json said =
      fovea({"predict", "--model", model, "--pictures", folder / "drawn", picture, "--json"})
          .json();
  const nlohmann::json& one = said.at("predictions")[0];
  EXPECT_EQ(one.at("classes")[1].at("name"), "square");
  EXPECT_EQ(one.at("pictures").size(), 2u);
  const Image mask = decode_stored_png(folder / "drawn/3-mask.png");
  EXPECT_EQ(mask.height, 16);
  EXPECT_EQ(mask.width, 24);
  EXPECT_EQ(decode_image(folder / "drawn/3-overlay.png").width, 24);

  Image large = Image::black(50, 90, 3);
  encode_png(folder / "large.png", large);
  std::vector<std::string> tiled{"predict",        "--model", model, "--pictures",
                                 folder / "drawn", "--tile",  "32",  folder / "large.png"};
  EXPECT_EQ(fovea(tiled).code, 0);  // with an overlap that fits
  EXPECT_EQ(decode_stored_png(folder / "drawn/large-mask.png").width, 90);
  tiled.insert(tiled.end(), {"--overlap", "17"});
  const Outcome far = fovea(tiled);
  EXPECT_EQ(far.code, 2);
  EXPECT_NE(far.err.find("the overlap must be at most half a tile"), std::string::npos) << far.err;

  EXPECT_EQ(fovea({"data", "samples", data, "--out", folder / "samples.png"}).code, 0);
  EXPECT_EQ(
      fovea({"data", "samples", data, "--augment", "flip", "--out", folder / "flips.png"}).code, 0);
  put(folder / "masks/7.png", "not a PNG");
  const Outcome broken = fovea({"eval", "--model", model, "--data", data, "--split", "train"});
  EXPECT_EQ(broken.code, 3);
  EXPECT_NE(broken.err.find("7.png: is not a PNG"), std::string::npos) << broken.err;
}

}  // namespace
}  // namespace fovea::cli_test
