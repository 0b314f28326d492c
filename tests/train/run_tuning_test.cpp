// --tune in a run: kernels are measured before its first step, and stay.

#include <cstdlib>

#include "fovea/core/text.h"
#include "train/training.h"

namespace fovea::train {
namespace {

class RunTuning : public Training {
 protected:
  RunTuning() {
    settings_.tune = true;
    settings_.epochs = 2;
    settings_.limit = 40;
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
  }
  ~RunTuning() override { ::unsetenv("XDG_CACHE_HOME"); }

  /// Resumes a run; returns what it said.
  std::string resumed(const std::string& out) {
    std::string said;
    Watch watch;
    watch.message = [&](const std::string& text) { said += text + "\n"; };
    (void)resume(folder_ / out, {&watch});
    return said;
  }
};

TEST_F(RunTuning, AResumedRunTakesTheChoicesThatItBeganWith) {
  std::string said;
  Watch watch;
  bool began = false;
  watch.message = [&](const std::string& text) {
    EXPECT_FALSE(began && text.starts_with("tuning: ")) << text;
    said += text + "\n";
  };
  watch.batch = [&](Trainer&) { began = true; };
  (void)train(settings_, folder_ / "whole", {&watch});
  EXPECT_NE(said.find(" problems measured, 0 known from "), std::string::npos) << said;

  (void)stopped("parts", settings_, 3);  // chooses what was measured just now
  EXPECT_TRUE(std::filesystem::exists(folder_ / "parts/tuning.txt"));
  std::filesystem::remove_all(folder_ / "cache");
  const std::string later = resumed("parts");
  EXPECT_EQ(later.find("tuning"), std::string::npos) << later;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache")) << "nothing is measured";
  EXPECT_TRUE(same_weights("whole", "parts"));
}

TEST_F(RunTuning, AResumedRunFollowsItsFileAndTellsOfOtherKernels) {
  (void)stopped("run", settings_, 3);
  std::string text = contents("run/tuning.txt"), other;
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> cells = split(line, '\t');
    if (cells.size() == 3 && cells[2].starts_with("conv "))
      cells[1] = cells[1] == "onednn" ? "onednn:reordered" : "onednn";
    other += join(cells, "\t") + "\n";
  }
  ASSERT_NE(other, text);
  put(folder_ / "run/tuning.txt", other.substr(0, other.size() - 1));
  const std::string said = resumed("run");
  EXPECT_NE(said.find("resuming with another kernels than before"), std::string::npos) << said;
}

TEST_F(RunTuning, ARunWithoutItsFileGoesOnAndSaysSo) {
  (void)stopped("run", settings_, 3);
  std::filesystem::remove(folder_ / "run/tuning.txt");
  const std::string said = resumed("run");
  EXPECT_NE(said.find("tuning.txt is ignored, so that kernels may be others than before: "),
            std::string::npos)
      << said;
}

TEST_F(RunTuning, WithoutItNothingIsMeasuredOrWritten) {
  settings_.tune = false;
  (void)run("run", settings_);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/tuning.txt"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache"));
}

TEST_F(RunTuning, IsNoPartOfAModelFile) {
  (void)run("tuned", settings_);
  EXPECT_EQ(contents("tuned/last.safetensors").find("tune"), std::string::npos);
}

}  // namespace
}  // namespace fovea::train
