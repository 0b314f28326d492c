// Runs on image files as users have them.
#include <algorithm>
#include <set>

#include "fovea/core/files.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

namespace fs = std::filesystem;

/// Two classes that a net tells apart: bright above, bright below. Sizes differ unless `side` says
/// one.
void draw(const fs::path& folder, int count, int side = 0) {
  for (int i = 0; i < count; ++i) {
    const bool above = i % 2 == 0;
    const int height = side > 0 ? side : 12 + i % 7, width = side > 0 ? side : 12 + i % 5;
    Image image = Image::black(height, width, 3);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width * 3; ++x) {
        const bool bright = (y < height / 2) == above;
        image.at(y, 0)[x] = static_cast<uint8_t>((bright ? 200 : 40) + (i * 7 + x) % 31);
      }
    }
    fs::create_directories(folder / (above ? "above" : "below"));
    encode_png(folder / (above ? "above" : "below") / (std::to_string(i) + ".png"), image);
  }
}

Arguments training(const fs::path& data, const fs::path& out) {
  return {"train",    "--data",     "folder:" + data.string(),
          "--model",  "small_cnn",  "--input",
          "12x12",    "--augment",  "none",
          "--epochs", "3",          "--batch",
          "16",       "--lr",       "0.05",
          "--out",    out.string(), "--json"};
}

TEST(ImageFolders, PhotosOfMixedSizesTrainAndTheModelUsesThemAsTheyAre) {
  TemporaryFolder folder;
  draw(folder / "data", 120);
  const Outcome trained = fovea(training(folder / "data", folder / "run"));
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_GT(trained.json().at("test").at("accuracy"), 0.9);
  const std::string model = (folder / "run" / "best.safetensors").string();
  Arguments without_cache = training(folder / "data", folder / "uncached");
  without_cache.insert(without_cache.end(), {"--cache", "0", "--workers", "3"});
  ASSERT_EQ(fovea(without_cache).code, 0);
  EXPECT_EQ(contents(folder / "uncached/last.safetensors"),
            contents(folder / "run/last.safetensors"));
  const Outcome predicted = fovea(
      {"predict", "--model", model, (folder / "data" / "below" / "1.png").string(), "--json"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(predicted.json().at("predictions")[0].at("classes")[0].at("name"), "below");
  // Another folder, with one of the classes only.
  draw(folder / "other", 20);
  fs::remove_all(folder / "other" / "above");
  draw(folder / "other" / "more", 20);
  fs::rename(folder / "other" / "more" / "above", folder / "other" / "above");
  fs::remove_all(folder / "other" / "more");
  EXPECT_GT(fovea({"eval", "--model", model, "--data", "folder:" + (folder / "other").string(),
                   "--split", "train", "--json"})
                .json()
                .at("accuracy"),
            0.9);
  fs::rename(folder / "other" / "above", folder / "other" / "sideways");
  const Outcome unknown =
      fovea({"eval", "--model", model, "--data", "folder:" + (folder / "other").string()});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("unknown  sideways"), std::string::npos) << unknown.err;
}

/// Breaks files in different ways, and gives their paths.
std::set<std::string> breaks(const fs::path& folder, int count) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::set<std::string> broken;
  for (int i = 0; i < count; ++i) {
    const fs::path& path =
        files[static_cast<size_t>(i) * files.size() / static_cast<size_t>(count)];
    std::string bytes = read_text(path, ErrorKind::data);
    switch (i % 6) {
      case 0:
        bytes.clear();
        break;
      case 1:
        bytes.resize(bytes.size() / 2);
        break;
      case 2:
        bytes = "<html>not found</html>";
        break;
      case 3:
        bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
        break;
      case 4:
        bytes.resize(20);
        break;
      default:
        bytes[18] = '\x7f';
        break;  // a width of billions
    }
    put(path, bytes);
    broken.insert(path.string());
  }
  return broken;
}

TEST(ImageFolders, BrokenImagesAreAllNamedAndSkippedOrTheFirstEndsTheRun) {
  TemporaryFolder folder;
  draw(folder / "data", 300, 12);
  const std::set<std::string> broken = breaks(folder / "data", 50);
  ASSERT_EQ(broken.size(), 50u);

  const Outcome failed = fovea(training(folder / "data", folder / "failed"));
  EXPECT_EQ(failed.code, 3);
  const std::string message = failed.json().at("error").at("message");
  EXPECT_TRUE(std::ranges::any_of(broken, [&](const std::string& path) {
    return message.find(path) != std::string::npos;
  })) << message;

  Arguments skipping = training(folder / "data", folder / "skipped");
  skipping.insert(skipping.end(), {"--on-bad-image", "skip"});
  const Outcome trained = fovea(skipping);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto skipped = trained.json().at("skipped").get<std::set<std::string>>();
  EXPECT_EQ(skipped, broken);
  EXPECT_GT(trained.json().at("test").at("accuracy"), 0.9);
  for (const std::string& path : broken) EXPECT_TRUE(fs::exists(path));  // they are the user's

  skipping.back() = "ignore";
  EXPECT_EQ(fovea(skipping).code, 2);

  // What was held out of the images that can be read is found again.
  Arguments eval{"eval",
                 "--model",
                 (folder / "skipped/best.safetensors").string(),
                 "--data",
                 "folder:" + (folder / "data").string(),
                 "--json",
                 "--split"};
  for (const std::string split : {"val", "test", "train"}) {
    eval.push_back(split);
    const Outcome measured = fovea(eval);
    ASSERT_EQ(measured.code, 0) << measured.err;
    EXPECT_GT(measured.json().at("accuracy"), 0.9);
    EXPECT_FALSE(measured.json().at("skipped").empty());
    eval.pop_back();
  }
  eval.insert(eval.end(), {"train", "--on-bad-image", "fail"});
  EXPECT_EQ(fovea(eval).code, 3);
}

TEST(DataInfo, ColumnsOfATableAreLabels) {
  TemporaryFolder folder;
  draw(folder / "data", 2, 12);
  put(folder / "data/t.csv", "path,wet,red,split\nabove/0.png,1,0,train\nbelow/1.png,0,0,test\n");
  const Outcome info = fovea({"data", "info", "csv:" + (folder / "data/t.csv").string(), "--json"});
  ASSERT_EQ(info.code, 0) << info.err;
  EXPECT_EQ(info.json().at("labels"), nlohmann::json({"wet", "red"}));
  EXPECT_FALSE(info.json().contains("numbers"));
}

}  // namespace
}  // namespace fovea::cli_test
