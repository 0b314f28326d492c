// Time series from the command line: from the archive's files to predictions and maps.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "fovea/core/random.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// Two classes of series of two channels: the bump of the second is early or late.
class SeriesData : public testing::Test {
 protected:
  static std::string line(Random& random, bool late, int length, bool labelled) {
    std::string text;
    for (int channel = 0; channel < 2; ++channel) {
      for (int i = 0; i < length; ++i) {
        const double at = (late ? 0.75 : 0.25) * length;
        const double bump = channel == 1 ? 3 * std::exp(-(i - at) * (i - at) / 4) : 0;
        text += (i > 0 ? "," : "") + std::to_string(bump + 0.3 * random.normal());
      }
      if (channel == 0) text += ":";
    }
    return text + (labelled ? late ? ":late\n" : ":early\n" : "\n");
  }
  void write(const std::string& name, int count, int shortest, int longest, bool labelled) {
    Random random(count, name);
    std::string text = labelled ? "@classLabel true early late\n@data\n" : "@data\n";
    for (int i = 0; i < count; ++i) {
      const int length =
          shortest + static_cast<int>(random.below(static_cast<uint64_t>(longest - shortest) + 1));
      text += line(random, i % 2 == 1, length, labelled);
    }
    put(folder_ / name, text);
  }
  Arguments train(const std::string& options = "") const {
    return {"train",    "--data", data() + options, "--model", "fcn_1d",
            "--epochs", "12",     "--batch",        "8",       "--optimizer",
            "adamw",    "--lr",   "0.01",           "--val",   "0",
            "--out",    run(),    "--json"};
  }
  std::string data() const { return "ucr:" + (folder_ / "Bumps").string(); }
  std::string run() const { return (folder_ / "run").string(); }
  std::string model() const { return run() + "/last.safetensors"; }

  TemporaryFolder folder_;
};

TEST_F(SeriesData, ARunOnSeriesOfDifferentLengths) {
  write("Bumps_TRAIN.ts", 32, 12, 24, true);
  write("Bumps_TEST.ts", 16, 12, 24, true);
  write("new.ts", 5, 10, 20, false);
  const nlohmann::json info = fovea({"data", "info", data(), "--json"}).json();
  EXPECT_EQ(info.at("image"), "3x24");
  EXPECT_EQ(info.at("modality"), "series:2:24:true:channel");
  const std::string picture = (folder_ / "samples.png").string();
  ASSERT_EQ(fovea({"data", "samples", data(), "--out", picture}).code, 0);
  EXPECT_GT(decode_image(picture).height, 100);

  const Outcome trained = fovea(train());
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_GE(trained.json().at("test").at("accuracy"), 0.9);
  const Outcome eval = fovea({"eval", "--model", model(), "--data", data(), "--json"});
  EXPECT_EQ(eval.json().at("accuracy"), trained.json().at("test").at("accuracy")) << eval.err;

  const std::string file = (folder_ / "new.ts").string();
  const nlohmann::json said = fovea({"predict", "--model", model(), file, "--json"}).json();
  ASSERT_EQ(said.at("predictions").size(), 5u);
  EXPECT_EQ(said.at("predictions")[3].at("path"), file + "[3]");
  EXPECT_EQ(said.at("predictions")[3].at("classes")[0].at("name"), "late");
  // Labels in a file are not needed, and do not matter.
  const std::string test = (folder_ / "Bumps_TEST.ts").string();
  EXPECT_EQ(fovea({"predict", "--model", model(), test, "--json"}).json().at("predictions").size(),
            16u);

  write("long.ts", 2, 30, 30, false);
  const Outcome longer =
      fovea({"predict", "--model", model(), (folder_ / "long.ts").string(), file});
  EXPECT_EQ(longer.code, 3);  // the other file is predicted
  EXPECT_NE(longer.err.find("is a series of 30 steps; at most 24 are expected"), std::string::npos)
      << longer.err;
  EXPECT_NE(longer.out.find("new.ts[4]"), std::string::npos);

  for (const char* family : {"cam", "saliency"}) {
    const std::string out = (folder_ / family).string();
    const Outcome explained =
        fovea({"explain", family, "--model", model(), file, "--out", out, "--json"});
    ASSERT_EQ(explained.code, 0) << explained.err;
    const nlohmann::json images = explained.json().at("images");
    ASSERT_EQ(images.size(), 5u);
    EXPECT_GT(decode_image(images[0].at("maps")[0].at("png").get<std::string>()).width, 400);
  }
}

TEST_F(SeriesData, CommandsThatPlanAndCheck) {
  write("Bumps_TRAIN.ts", 24, 20, 20, true);
  write("Bumps_TEST.ts", 8, 20, 20, true);
  for (const Arguments& arguments :
       {Arguments{"plan", "--data", data(), "--model", "inception_time", "--batch", "8"},
        Arguments{"doctor", "--data", data(), "--model", "fcn_1d", "--batch", "8"},
        Arguments{"summary", "--model", "inception_time", "--input", "2x20"},
        Arguments{"data", "check", data()},
        Arguments{"bench", "step", "--model", "resnet_1d", "--input", "2x20", "--batch", "2"}}) {
    const Outcome outcome = fovea(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments[0] << ": " << outcome.err;
  }
  ASSERT_EQ(fovea(train()).code, 0);
  const std::string page = (folder_ / "page.html").string();
  const Outcome report = fovea({"report", run(), "--out", page});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_NE(contents(page).find("data:image/png"), std::string::npos);
}

TEST_F(SeriesData, OptionsAreCheckedAndKept) {
  write("Bumps_TRAIN.ts", 24, 20, 20, true);
  write("Bumps_TEST.ts", 8, 20, 20, true);
  const Outcome bad = fovea({"data", "info", data() + ",normalize=maybe"});
  EXPECT_EQ(bad.code, 2);
  EXPECT_NE(bad.err.find("channel"), std::string::npos) << bad.err;
  ASSERT_EQ(fovea(train(",normalize=series,length=30")).code, 0);
  const Outcome same = fovea({"eval", "--model", model(), "--data", data()});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_NE(same.err.find("normalize=series,length=30,masked=true, as the model was trained with"),
            std::string::npos)
      << same.err;
  // Where no series is shorter than those of training, the inputs have their mask all the same.
  write("Long_TRAIN.ts", 8, 30, 30, true);
  const std::string longer = "ucr:" + (folder_ / "Long").string();
  EXPECT_EQ(fovea({"eval", "--model", model(), "--data", longer, "--split", "train"}).code, 0);
  const Outcome other = fovea({"eval", "--model", model(), "--data", data() + ",normalize=none"});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("series:2:30:true:series"), std::string::npos) << other.err;
  const Outcome bare = fovea({"data", "info", data() + ",length=30,masked=false"});
  EXPECT_EQ(bare.code, 2);
  EXPECT_NE(bare.err.find("masked=false, but a series of 20 steps is shorter than 30"),
            std::string::npos)
      << bare.err;
}

}  // namespace
}  // namespace fovea::cli_test
