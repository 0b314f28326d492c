// The predicted cost of a run, compared with the actual one.

#include <gtest/gtest.h>

#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

class PlanOfDigits : public testing::Test {
 protected:
  PlanOfDigits() { write_digits(folder_ / "data", 600, 100, 32); }
  Arguments command(const std::string& name, const Arguments& more) const {
    Arguments arguments{name,     "--data",    "mnist:" + (folder_ / "data").string(),
                        "--json", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  TemporaryFolder folder_;
};

TEST_F(PlanOfDigits, ThePeakIsThatOfTheRun) {
  const Arguments nets[] = {{"--model", "vgg_style_cnn", "--batch", "64"},
                            {"--model", "alexnet", "--input", "64x64", "--batch", "4"}};
  for (const Arguments& net : nets) {
    Arguments planned = command("plan", net), trained = command("train", net);
    planned.insert(planned.end(), {"--measure", "0"});
    trained.insert(trained.end(),
                   {"--epochs", "1", "--limit", "100", "--lr", "0.001", "--out", folder_ / net[1]});
    // What malloc fills counts as used, also the space around arrays that begin with a huge page.
    const Surroundings not_filled{.set = {"MALLOC_PERTURB_=0"}};
    const nlohmann::json plan = fovea(planned).json(), run = fovea(trained, not_filled).json();
    const double peak = plan.at("peak_memory_bytes"), measured = run.at("peak_memory_bytes");
    EXPECT_NEAR(peak / measured, 1, 0.1) << net[1] << plan.dump(2);
  }
}

TEST_F(PlanOfDigits, SaysWhatFitsAndHowLongItTakes) {
  const nlohmann::json plan = fovea(command("plan", {"--model", "small_cnn", "--batch", "32",
                                                     "--memory", "100M", "--measure", "0.1"}))
                                  .json();
  EXPECT_EQ(plan.at("batch"), 32);
  EXPECT_EQ(plan.at("train_images"), 540);
  EXPECT_EQ(plan.at("memory_limit_bytes"), 100 << 20);
  size_t sum = 0;
  for (const auto& [name, bytes] : plan.at("memory").items()) sum += bytes.get<size_t>();
  EXPECT_LE(sum, plan.at("peak_memory_bytes").get<size_t>());
  const nlohmann::json& largest = plan.at("largest_batch");
  EXPECT_GT(largest.at("batch"), 32);
  EXPECT_LE(largest.at("peak_memory_bytes").get<size_t>(), size_t{100} << 20);
  EXPECT_GT(largest.at("memory").at("arena"), plan.at("memory").at("arena"));
  EXPECT_GT(plan.at("seconds_per_epoch"), 0);
  EXPECT_GT(plan.at("images_per_second"), 0);
  EXPECT_GE(plan.at("measured").at("steps"), 3);
}

TEST_F(PlanOfDigits, SaysWhatRecomputeSavesAndCosts) {
  const Arguments net{"--model", "resnet18_cifar", "--batch", "64", "--measure", "0", "--val", "0"};
  Arguments with = net;
  with.emplace_back("--recompute");
  const nlohmann::json kept = fovea(command("plan", net)).json(),
                       again = fovea(command("plan", with)).json();
  const nlohmann::json &would = kept.at("recompute"), &does = again.at("recompute");
  EXPECT_FALSE(would.at("on"));
  EXPECT_TRUE(does.at("on"));
  EXPECT_EQ(would.at("saved_arena_bytes"), does.at("saved_arena_bytes"));
  EXPECT_EQ(
      kept.at("memory").at("arena").get<int64_t>() - would.at("saved_arena_bytes").get<int64_t>(),
      again.at("memory").at("arena").get<int64_t>());
  EXPECT_GT(would.at("saved_arena_share"), 0.1);
  EXPECT_GT(would.at("added_flops_share"), 0.1);
  EXPECT_LT(would.at("added_flops_share"), 0.34);
}

TEST(Plan, NeedsNoDataIfTheInputIsGiven) {
  const Outcome outcome = fovea({"plan", "--model", "mobilenet_v2", "--input", "3x96x96", "--batch",
                                 "4", "--memory", "1G", "--measure", "0"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"3,504,872 parameters, input 3x96x96, 1000 outputs", "synthetic",
                           "arena: activations, scratch", "largest batch", "of 1.0 GiB"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  }
  const nlohmann::json plan = fovea({"plan", "--model", "mobilenet_v2", "--input", "3x96x96",
                                     "--batch", "4", "--measure", "0", "--json"})
                                  .json();
  EXPECT_TRUE(plan.at("train_images").is_null());
  EXPECT_TRUE(plan.at("seconds_per_epoch").is_null());
}

TEST(Plan, RefusesAnInvalidAmountOfMemory) {
  for (const char* memory : {"much", "-1G", "2X", "G"}) {
    const Outcome outcome =
        fovea({"plan", "--model", "small_cnn", "--input", "3x32x32", "--memory", memory});
    EXPECT_EQ(outcome.code, 2) << memory << outcome.err;
    EXPECT_NE(outcome.err.find("is not an amount of memory"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(fovea({"plan", "--model", "small_cn", "--input", "3x32x32"}).code, 2);
  EXPECT_EQ(fovea({"plan", "--model", "small_cnn", "--data", "mnist:/nowhere"}).code, 3);
}

TEST_F(PlanOfDigits, TrainingThatCannotFitIsRefusedAtItsStart) {
  // Two terabytes.
  const Outcome outcome = fovea(command("train", {"--model", "vgg16", "--input", "1280x1280",
                                                  "--batch", "540", "--out", folder_ / "run"}));
  EXPECT_EQ(outcome.code, 7) << outcome.err;
  EXPECT_NE(outcome.err.find("try      --batch "), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

}  // namespace
}  // namespace fovea::cli_test
