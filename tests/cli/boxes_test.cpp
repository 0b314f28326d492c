// Data sets of images with boxes from the command line.

#include <gtest/gtest.h>

#include <filesystem>

#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// Four images of different sizes with a box each, in YOLO's form.
class BoxedData : public testing::Test {
 protected:
  BoxedData() {
    for (const char* part : {"images", "labels"})
      std::filesystem::create_directories(folder_ / part);
    for (int i = 0; i < 4; ++i) {
      const std::string name = std::to_string(i);
      Image picture = Image::black(40 + 10 * i, 60, 3);
      for (size_t p = 0; p < picture.pixels.size(); ++p)
        picture.pixels[p] = static_cast<uint8_t>(p * (31 + static_cast<size_t>(i)) % 251);
      encode_png(folder_ / ("images/" + name + ".png"), picture);
      put(folder_ / ("labels/" + name + ".txt"), std::to_string(i % 2) + " 0.5 0.5 0.5 0.5\n");
    }
    put(folder_ / "classes.txt", "cat\ndog\n");
  }

  std::string data() const { return "yolo:" + (folder_ / "").string(); }

  TemporaryFolder folder_;
};

TEST_F(BoxedData, IsDescribedDrawnAndTransformed) {
  const nlohmann::json info = fovea({"data", "info", data(), "--json"}).json();
  EXPECT_EQ(info.at("classes"), (std::vector<std::string>{"cat", "dog"}));
  const std::string picture = folder_ / "samples.png", all = folder_ / "transforms.png";
  const Outcome samples = fovea(
      {"data", "samples", data(), "--split", "train", "--count", "3", "--out", picture, "--json"});
  ASSERT_EQ(samples.code, 0) << samples.err;
  const std::string label = samples.json().at("samples")[0].at("class");
  EXPECT_TRUE(label == "cat" || label == "dog") << label;
  EXPECT_GE(decode_image(picture).height, 200);
  const std::string only_train = folder_ / "one/";
  for (const char* part : {"images", "labels"})
    std::filesystem::create_directories(folder_ / "one" / part / "train");
  encode_png(folder_ / "one/images/train/0.png", Image::black(8, 8, 3));
  put(folder_ / "one/labels/train/0.txt", "0 0.5 0.5 0.5 0.5\n");
  put(folder_ / "one/classes.txt", "cat\n");
  const Outcome none = fovea({"data", "samples", "yolo:" + only_train, "--out", picture});
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.err,
            "error: data samples: the data set has no test samples\n"
            "  try     --split train\n");
  const nlohmann::json drawn = fovea({"data", "transforms", data(), "--out", all, "--json"}).json();
  const std::vector<std::string> lists = drawn.at("transforms");
  EXPECT_EQ(std::ranges::count(lists, "mosaic"), 1);
  EXPECT_EQ(std::ranges::count(lists, "mixup"), 0) << "boxes cannot be mixed";
  const Outcome mixed = fovea({"data", "transforms", data(), "--augment", "mixup", "--out", all});
  EXPECT_EQ(mixed.code, 2);
  EXPECT_NE(mixed.err.find("needs targets that are classes or numbers"), std::string::npos)
      << mixed.err;
}

TEST_F(BoxedData, ABadBoxIsFoundAndNamed) {
  put(folder_ / "labels/2.txt", "1 0.9 0.5 0.5 0.5\n");
  const Outcome check = fovea({"data", "check", data(), "--strict", "--json"});
  EXPECT_EQ(check.code, 3);
  const nlohmann::json broken = check.json().at("broken");
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_NE(broken[0].at("problem").get<std::string>().find("labels/2.txt: line 1: the box lies "
                                                            "outside the image"),
            std::string::npos);
  put(folder_ / "labels/2.txt", "7 0.5 0.5 0.5 0.5\n");
  const Outcome info = fovea({"data", "info", data()});
  EXPECT_EQ(info.code, 3);
  EXPECT_NE(info.err.find("labels/2.txt: line 1: there is no class 7"), std::string::npos)
      << info.err;
}

TEST_F(BoxedData, ADetectorIsTrainedUsedAndExplained) {
  const std::string run = folder_ / "run", model = folder_ / "run/best.safetensors";
  const Outcome trained = fovea({"train", "--data", data(), "--model", "fcos_resnet18_fpn",
                                 "--width", "0.125", "--input", "64x64", "--batch", "1", "--epochs",
                                 "1", "--val", "0.25", "--out", run, "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.json().at("best").at("metric"), "val_map");
  EXPECT_NE(contents(run + "/report.html").find("right what the model predicts"),
            std::string::npos);

  const std::string picture = folder_ / "images/1.png", coco = folder_ / "found.json";
  const Outcome predicted =
      fovea({"predict", "--model", model, picture, "--score", "0", "--max-boxes", "3", "--coco",
             coco, "--pictures", folder_ / "drawn", "--json"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const nlohmann::json boxes = predicted.json().at("predictions")[0].at("boxes");
  ASSERT_EQ(boxes.size(), 3u);
  for (const nlohmann::json& box : boxes) {
    const std::vector<double> at = box.at("box");
    ASSERT_EQ(at.size(), 4u);
    EXPECT_GE(std::min(at[0], at[1]), -1e-3);
    EXPECT_LE(at[0] + at[2], 60 + 1e-3) << "beyond the image, in its own pixels";
    EXPECT_LE(at[1] + at[3], 50 + 1e-3);
    EXPECT_TRUE(box.at("class") == "cat" || box.at("class") == "dog");
  }
  const nlohmann::json results = nlohmann::json::parse(contents(coco));
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].at("image_id"), 1) << "the number that is the file's name";
  EXPECT_EQ(decode_image(folder_ / "drawn/1-boxes.png").width, 60);
  const std::string annotations = folder_ / "annotations.json";
  put(annotations,
      R"({"images": [{"id": 700, "file_name": "images/1.png", "width": 60, "height": 50}],
          "annotations": [], "categories": []})");
  const auto with_ids = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"predict", "--model", model,    picture,
                                   "--score", "0",       "--coco", coco};
    words.insert(words.end(), more.begin(), more.end());
    return fovea(words);
  };
  EXPECT_EQ(with_ids({"--annotations", annotations}).code, 0);
  EXPECT_EQ(nlohmann::json::parse(contents(coco))[0].at("image_id"), 700);
  const Outcome unknown = with_ids({folder_ / "images/2.png", "--annotations", annotations});
  EXPECT_EQ(unknown.code, 3);
  EXPECT_NE(unknown.err.find("annotations.json: has no image "), std::string::npos) << unknown.err;
  std::filesystem::create_directories(folder_ / "more");
  std::filesystem::copy_file(picture, std::string(folder_ / "more/01.png"));
  const Outcome twice = with_ids({folder_ / "more/01.png"});
  EXPECT_EQ(twice.code, 2);
  EXPECT_NE(twice.err.find("--coco: two images have the number 1\n"), std::string::npos)
      << twice.err;

  const nlohmann::json measured =
      fovea({"eval", "--model", model, "--data", data(), "--split", "train", "--json"}).json();
  for (const char* metric : {"map", "map50", "map75", "map_small"})
    EXPECT_TRUE(measured.contains(metric)) << metric << "\n" << measured.dump();
  EXPECT_FALSE(measured.contains("map_medium")) << "in the pictures no box has 32x32 pixels";

  const Outcome explained = fovea({"explain", "cam", "--model", model, picture, "--class", "dog",
                                   "--box", "5,5,40,40", "--out", folder_ / "maps", "--json"});
  EXPECT_EQ(explained.code, 0) << explained.err;
}

}  // namespace
}  // namespace fovea::cli_test
