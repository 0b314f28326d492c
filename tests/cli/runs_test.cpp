// The store of runs, and the commands that list, compare, follow and remove them.

#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

class Runs : public testing::Test {
 protected:
  Runs() { write_digits(folder_ / "data", 200, 40, 12); }

  /// Runs the program in the folder.
  Outcome in_folder(const Arguments& arguments, Surroundings surroundings = {}) {
    surroundings.folder = folder_ / "";
    return fovea(arguments, surroundings);
  }
  Arguments training(const std::string& lr, const std::string& out = "") {
    Arguments arguments{"train",     "--data",  "mnist:" + (folder_ / "data").string(),
                        "--model",   "lenet5",  "--epochs",
                        "2",         "--batch", "16",
                        "--threads", "1",       "--input",
                        "1x28x28",   "--lr",    lr};
    if (!out.empty()) arguments.insert(arguments.end(), {"--out", out});
    return arguments;
  }
  void train(const std::string& lr, const std::string& out = "") {
    const Outcome outcome = in_folder(training(lr, out));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  bool exists(const std::string& path) { return std::filesystem::exists(folder_ / path); }

  TemporaryFolder folder_;
};

TEST_F(Runs, AreListedShownComparedAndRanked) {
  train("0.02");
  train("0.05", "elsewhere/second");
  const nlohmann::json list = in_folder({"runs", "list", "--json"}).json().at("runs");
  ASSERT_EQ(list.size(), 2U);
  std::set<std::string> names{list[0].at("name"), list[1].at("name")};
  EXPECT_EQ(names, (std::set<std::string>{"lenet5-mnist-001", "second"}));
  EXPECT_EQ(list[0].at("state"), "complete");

  const nlohmann::json shown = in_folder({"runs", "show", "second", "--json"}).json();
  EXPECT_EQ(shown.at("history").size(), 2U);
  EXPECT_EQ(shown.at("settings").at("lr"), "0.05");

  const Outcome compared = in_folder(
      {"runs", "compare", "second", "runs/lenet5-mnist-001", "--curves", "both.svg", "--json"});
  EXPECT_EQ(compared.json().at("differences").at("lr"), (std::vector<std::string>{"0.05", "0.02"}));
  EXPECT_TRUE(exists("both.svg"));

  const nlohmann::json best = in_folder({"runs", "best", "--json"}).json().at("runs");
  ASSERT_EQ(best.size(), 1U);
  for (const nlohmann::json& run : list) EXPECT_GE(best[0].at("best_value"), run.at("best_value"));
}

TEST_F(Runs, ARunsFolderHasCurvesHistoryAndEvents) {
  train("0.02", "run");
  for (const char* name :
       {"curves.png", "curves.svg", "history.json", "record.json", "batch-1.png"})
    EXPECT_TRUE(exists(std::string("run/") + name)) << name;
  const nlohmann::json history = nlohmann::json::parse(contents(folder_ / "run/history.json"));
  EXPECT_EQ(history.at("epochs").size(), 2U);
}

TEST_F(Runs, AreRemovedOnlyWithAYes) {
  train("0.02", "run");
  put(folder_ / "no", "no\n");
  const Outcome asked = in_folder({"runs", "rm", "run"}, {.input = (folder_ / "no").string()});
  EXPECT_EQ(asked.code, 2);
  EXPECT_NE(asked.err.find("nobody can be asked"), std::string::npos) << asked.err;
  EXPECT_TRUE(exists("run/record.json"));
  EXPECT_EQ(in_folder({"runs", "rm", "nun", "--yes"}).code, 2);
  EXPECT_EQ(in_folder({"runs", "rm", "run", "--yes"}).code, 0);
  EXPECT_FALSE(exists("run"));
  EXPECT_TRUE(in_folder({"runs", "list", "--json"}).json().at("runs").empty());
}

TEST_F(Runs, ADamagedStoreDoesNotDisturbTraining) {
  std::filesystem::create_directories(folder_ / "runs");
  put(folder_ / "runs/fovea.sqlite", std::string(4096, 'x'));
  const Outcome outcome = in_folder(training("0.02", "run"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("this run is not in the store of runs"), std::string::npos);
  const Outcome listed = in_folder({"runs", "list"});
  EXPECT_EQ(listed.code, 3);
  EXPECT_NE(listed.err.find("not a store of runs, or damaged"), std::string::npos) << listed.err;
}

TEST_F(Runs, TheEnvironmentNamesAnotherStore) {
  const std::string store = "FOVEA_RUNS=" + (folder_ / "deep/er/my.sqlite").string();
  ASSERT_EQ(in_folder(training("0.02", "run"), {.set = {store}}).code, 0);
  EXPECT_FALSE(exists("runs"));
  EXPECT_EQ(in_folder({"runs", "list", "--json"}, {.set = {store}}).json().at("runs").size(), 1U);
}

TEST_F(Runs, WatchFollowsARunToItsEnd) {
  Arguments arguments = training("0.02", "run");
  arguments.insert(arguments.end(), {"--epochs", "12"});
  Running running(arguments, {.folder = folder_ / ""});
  running.await(folder_ / "run/record.json");
  const Outcome watched = in_folder({"runs", "watch", "run", "--json"});
  ASSERT_EQ(running.wait().code, 0);
  EXPECT_EQ(watched.code, 0) << watched.err;
  EXPECT_EQ(watched.json().at("state"), "complete");
  EXPECT_EQ(watched.json().at("history").size(), 12U);
}

TEST_F(Runs, AKilledRunIsInterrupted) {
  Arguments arguments = training("0.02", "run");
  arguments.insert(arguments.end(), {"--epochs", "5000"});
  Running running(arguments, {.folder = folder_ / ""});
  running.await(folder_ / "run/history.json");
  EXPECT_EQ(in_folder({"runs", "rm", "run", "--yes"}).code, 2);
  running.signal(SIGKILL);
  running.wait();
  const nlohmann::json list = in_folder({"runs", "list", "--json"}).json().at("runs");
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].at("state"), "interrupted");
}

TEST_F(Runs, TensorBoardsFilesCanBeLeftOut) {
  Arguments arguments = training("0.02", "run");
  arguments.insert(arguments.end(), {"--tensorboard", "off"});
  ASSERT_EQ(in_folder(arguments).code, 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "run"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("events."));
}

}  // namespace
}  // namespace fovea::cli_test
