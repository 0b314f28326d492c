// data check, lr-find and doctor: their JSON, their files, their errors.

#include <gtest/gtest.h>

#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

class CheckUps : public testing::Test {
 protected:
  CheckUps() { write_digits(folder_ / "data", 400, 60, 12); }

  std::string data() { return "mnist:" + (folder_ / "data").string(); }
  Arguments with_net(const std::string& command, const Arguments& more = {}) {
    Arguments arguments{command, "--data", data(), "--model",   "small_cnn", "--batch",
                        "16",    "--lr",   "0.02", "--threads", "1",         "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  TemporaryFolder folder_;
};

TEST_F(CheckUps, DataCheckCountsClassesAndMeasuresImages) {
  const nlohmann::json report = fovea({"data", "check", data(), "--json"}).json();
  EXPECT_TRUE(report.at("broken").empty());
  EXPECT_TRUE(report.at("duplicates").is_array());
  EXPECT_EQ(report.at("classes").size(), 10U);
  int64_t count = 0;
  for (const auto& [name, splits] : report.at("classes").items())
    count += splits.at("train").get<int64_t>() + splits.at("test").get<int64_t>();
  EXPECT_EQ(count, 460);
  EXPECT_EQ(report.at("mean").size(), 1U);
  EXPECT_GT(report.at("std").at(0), 0);
  EXPECT_EQ(fovea({"data", "check", "nosuch"}).code, 2);
}

TEST_F(CheckUps, LrFindSuggestsARateAndDrawsTheCurve) {
  const std::string curve = folder_ / "lr.svg";
  const nlohmann::json result =
      fovea(with_net("lr-find", {"--steps", "40", "--out", curve})).json();
  EXPECT_GT(result.at("suggested"), 1e-5);
  EXPECT_LT(result.at("suggested"), 10);
  EXPECT_GT(result.at("curve").size(), 10U);
  EXPECT_NE(contents(curve).find("<svg"), std::string::npos);
  const Outcome wrong = fovea(with_net("lr-find", {"--from", "1", "--to", "0.1"}));
  EXPECT_EQ(wrong.code, 2);
}

TEST_F(CheckUps, DoctorHasAVerdictForEachCheck) {
  const nlohmann::json result = fovea(with_net("doctor", {"--freeze", "conv1.*"})).json();
  const nlohmann::json& findings = result.at("findings");
  EXPECT_GE(findings.size(), 16U);
  for (const nlohmann::json& finding : findings) {
    EXPECT_FALSE(finding.at("check").get<std::string>().empty());
    EXPECT_FALSE(finding.at("measured").get<std::string>().empty());
    EXPECT_EQ(finding.at("verdict") == "problem", finding.at("remedy") != "");
    if (finding.at("check") == "frozen layers") {
      EXPECT_EQ(finding.at("verdict"), "problem");
    }
  }
}

TEST_F(CheckUps, StrictDataCheckEndsWith3IfAnythingIsFound) {
  EXPECT_EQ(fovea({"data", "check", data()}).code, 0);
  const Outcome strict = fovea({"data", "check", data(), "--strict", "--json"});
  EXPECT_EQ(strict.code, strict.json().at("findings") == 0 ? 0 : 3);
  for (const char* place : {"train/a", "train/b", "test/a", "test/b"}) {
    const std::string images = folder_ / (std::string("images/") + place);
    std::filesystem::create_directories(images);
    put(images + "/broken.png", "not a picture");
  }
  const std::string folder = "folder:" + (folder_ / "images").string();
  const Outcome broken = fovea({"data", "check", folder, "--strict"});
  EXPECT_EQ(broken.code, 3) << broken.err;
  EXPECT_EQ(broken.err.find("error"), std::string::npos) << broken.err;
  EXPECT_EQ(fovea({"data", "check", folder}).code, 0);
}

TEST_F(CheckUps, DoctorOfARunSaysThatItsSettingsAreNotARecipes) {
  const Outcome both = fovea({"doctor", (folder_ / "run").string(), "--recipe", "finetune"});
  EXPECT_EQ(both.code, 2);
  EXPECT_NE(both.err.find("doctor: a run has settings of its own, --recipe gives others"),
            std::string::npos)
      << both.err;
  EXPECT_EQ(both.err.find("resume"), std::string::npos) << both.err;
}

}  // namespace
}  // namespace fovea::cli_test
