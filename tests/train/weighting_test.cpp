// Class weights and balanced sampling in a run.

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "train/training.h"

namespace fovea::train {
namespace {

TEST_F(Training, ClassWeightsAndBalancedSamplingResumeToTheSameBytesWithoutTheirFile) {
  std::string table = "name,weight\n";
  for (int k = 0; k < 10; ++k) table += std::to_string(k) + "," + std::to_string(k + 1) + "\n";
  put(folder_ / "weights.csv", table);
  settings_.class_weights = (folder_ / "weights.csv").string();
  settings_.sampling = "balanced";
  run("whole", settings_);
  EXPECT_TRUE(stopped("part", settings_, 12).stopped);
  std::filesystem::remove(folder_ / "weights.csv");
  EXPECT_FALSE(resume(folder_ / "part").stopped);
  const std::string weighted = contents("whole/last.safetensors");
  EXPECT_EQ(contents("part/last.safetensors"), weighted);
  EXPECT_NE(contents("whole/config.toml").find("class_weights = \""), std::string::npos);
  EXPECT_NE(contents("whole/log.txt").find("class weights: 0 1, 1 2, 2 3, "), std::string::npos);
  const ModelFile model = load_model(folder_ / "whole/last.safetensors");
  EXPECT_EQ(model.training.at("class_weights"), "1 2 3 4 5 6 7 8 9 10");
  EXPECT_EQ(model.training.at("setting.sampling"), "balanced");
  settings_.class_weights.clear();
  run("plain", settings_);
  EXPECT_NE(contents("plain/last.safetensors"), weighted);
}

TEST_F(Training, UnknownWeightsAndSamplingsAreRefusedBeforeAFolderIsMade) {
  settings_.sampling = "random";
  expect_error(ErrorKind::usage, "--sampling: \"random\" is neither shuffled nor balanced",
               [&] { run("run", settings_); });
  settings_.sampling = "balanced";
  settings_.class_weights = (folder_ / "none.csv").string();
  expect_error(ErrorKind::data, "none.csv", [&] { run("run", settings_); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

}  // namespace
}  // namespace fovea::train
