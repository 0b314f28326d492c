// Training from the command line: the run folder, stopping and resuming, and what can go wrong.

#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

constexpr int train_images = 1500, test_images = 100, epochs = 6;

/// A run on images of 12 x 12, some tens of milliseconds an epoch. On one thread, unless `more`
/// says otherwise: a team of threads waits long for its members where many tests run at once.
Arguments training(const TemporaryFolder& folder, const std::string& out,
                   const Arguments& more = {"--threads", "1"}) {
  Arguments arguments{"train",
                      "--data",
                      "mnist:" + (folder / "data").string(),
                      "--model",
                      "small_cnn",
                      "--epochs",
                      std::to_string(epochs),
                      "--batch",
                      "16",
                      "--lr",
                      "0.02",
                      "--out",
                      folder / out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void write_data(const TemporaryFolder& folder) {
  write_digits(folder / "data", train_images, test_images, 12);
}

std::string weights(const TemporaryFolder& folder, const std::string& out) {
  return contents(folder / (out + "/last.safetensors"));
}

/// Goes on with the run in `out` and expects what the run in `uninterrupted` gave, to the byte.
void expect_resumes(const TemporaryFolder& folder, const std::string& out,
                    const std::string& uninterrupted) {
  const Outcome outcome = fovea({"train", "--resume", folder / out, "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("epochs"), epochs);
  EXPECT_TRUE(weights(folder, out) == weights(folder, uninterrupted)) << "the resumed run differs";
}

TEST(Train, AnEmptyNameOfAFolderDoesNotStartAnotherRun) {
  for (const char* flag : {"--resume", "--out"}) {
    const Outcome outcome = fovea({"train", flag, ""});
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_NE(outcome.err.find(std::string(flag) + ": the name of a file or folder is empty"),
              std::string::npos)
        << outcome.err;
  }
}

TEST(Train, WritesARunFolderAndPrintsItsResults) {
  TemporaryFolder folder;
  write_data(folder);
  const Outcome outcome =
      fovea(training(folder, "run", {"--threads", "1", "--json", "--augment", "none"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json result = outcome.json();
  EXPECT_EQ(result.at("epochs"), epochs);
  EXPECT_GE(result.at("best").at("epoch"), 1);
  EXPECT_GT(result.at("best").at("val_accuracy"), 0.5);
  EXPECT_EQ(result.at("best").at("metric"), "val_accuracy");
  EXPECT_EQ(result.at("best").at("value"), result.at("best").at("val_accuracy"));
  EXPECT_GT(result.at("test").at("accuracy"), 0.5) << "it does not learn";
  EXPECT_GT(result.at("test").at("loss"), 0);
  EXPECT_GT(result.at("seconds"), 0);
  EXPECT_GT(result.at("images_per_second"), 0);
  EXPECT_EQ(result.at("out"), (folder / "run").string());
  ASSERT_EQ(result.at("history").size(), size_t{epochs});
  EXPECT_EQ(result.at("history")[epochs - 1].at("epoch"), epochs);
  for (const char* name : {"config.toml", "history.csv", "best.safetensors", "last.safetensors",
                           "checkpoint.safetensors", "log.txt"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / (std::string("run/") + name))) << name;
  }
  // Messages go to standard error; colours and a moving bar are for terminals.
  EXPECT_NE(outcome.err.find("1,350 to train, 150 to validate, 100 to test"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("val loss"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos);
}

TEST(Train, QuietPrintsResultsOnly) {
  TemporaryFolder folder;
  write_data(folder);
  const Outcome outcome = fovea(training(folder, "run", {"--threads", "1", "--quiet"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("test accuracy"), std::string::npos) << outcome.out;
}

TEST(Train, ProfileRecordsBatchesAndTheLoader) {
  TemporaryFolder folder;
  write_data(folder);
  const Outcome outcome = fovea(training(folder, "run", {"--profile", "--workers", "1", "--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json profile = outcome.json().at("profile");
  EXPECT_GT(profile.at("runs"), 0);
  EXPECT_FALSE(profile.at("kernels").empty());
  const nlohmann::json trace = nlohmann::json::parse(std::ifstream(folder / "run/trace.json"));
  std::set<std::string> names;
  for (const auto& event : trace.at("traceEvents")) names.insert(event.at("name"));
  for (const char* name : {"gradients", "update", "wait for data", "conv"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Train, NumbersItsRunFolders) {
  TemporaryFolder folder;
  write_data(folder);
  const Surroundings here{.folder = folder / "data"};
  const Arguments arguments{"train",   "--data", "mnist:.",   "--epochs", "1",
                            "--batch", "500",    "--threads", "1",        "--json"};
  EXPECT_EQ(fovea(arguments, here).json().at("out"), "runs/small_cnn-mnist-001");
  EXPECT_EQ(fovea(arguments, here).json().at("out"), "runs/small_cnn-mnist-002");
}

TEST(Train, TheSameSeedGivesTheSameBytes) {
  TemporaryFolder folder;
  write_data(folder);
  ASSERT_EQ(fovea(training(folder, "a", {"--threads", "2"})).code, 0);
  ASSERT_EQ(fovea(training(folder, "b", {"--threads", "2", "--workers", "3"})).code, 0);
  ASSERT_EQ(fovea(training(folder, "c", {"--threads", "1", "--seed", "2"})).code, 0);
  EXPECT_TRUE(weights(folder, "a") == weights(folder, "b")) << "two equal runs differ";
  EXPECT_FALSE(weights(folder, "a") == weights(folder, "c")) << "the seed changes nothing";
}

TEST(Train, KilledBeforeTheFirstCheckpointItStartsOver) {
  TemporaryFolder folder;
  write_data(folder);
  ASSERT_EQ(fovea(training(folder, "uninterrupted")).code, 0);
  Running run(training(folder, "killed"));
  run.await(folder / "killed/config.toml");
  run.signal(SIGKILL);
  ASSERT_EQ(run.wait().code, 1000 + SIGKILL);
  ASSERT_FALSE(std::filesystem::exists(folder / "killed/checkpoint.safetensors"));
  expect_resumes(folder, "killed", "uninterrupted");
}

TEST(Train, KilledLaterItResumesFromItsCheckpoint) {
  TemporaryFolder folder;
  write_data(folder);
  ASSERT_EQ(fovea(training(folder, "uninterrupted")).code, 0);
  Running run(training(folder, "killed"));
  run.await(folder / "killed/checkpoint.safetensors");
  ::usleep(20'000);  // into the second epoch
  run.signal(SIGKILL);
  ASSERT_EQ(run.wait().code, 1000 + SIGKILL);
  expect_resumes(folder, "killed", "uninterrupted");
}

TEST(Train, StoppedByASignalItSavesAndCanResume) {
  TemporaryFolder folder;
  write_data(folder);
  ASSERT_EQ(fovea(training(folder, "uninterrupted")).code, 0);
  for (const auto& [signal, code] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGHUP, 129)}) {
    const std::string out = "stopped" + std::to_string(signal);
    Running run(training(folder, out));
    run.await(folder / (out + "/config.toml"));
    ::usleep(50'000);
    run.signal(signal);
    run.signal(signal);  // as `timeout` does: the process, then its group
    const Outcome outcome = run.wait();
    ASSERT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find("continue with: fovea train --resume " + (folder / out).string()),
              std::string::npos)
        << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(folder / (out + "/checkpoint.safetensors")));
    expect_resumes(folder, out, "uninterrupted");
  }
}

TEST(Train, AFullDiskLosesNothing) {
  TemporaryFolder folder;
  write_data(folder);
  ASSERT_EQ(fovea(training(folder, "uninterrupted")).code, 0);
  const Outcome outcome =
      fovea(training(folder, "full"), {.folder = {}, .largest_file = size_t{64} << 10});
  EXPECT_EQ(outcome.code, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("best.safetensors"), std::string::npos) << outcome.err;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "full")) {
    EXPECT_EQ(entry.path().filename().string().find("tmp"), std::string::npos) << entry.path();
  }
  expect_resumes(folder, "full", "uninterrupted");
}

TEST(Train, AFolderThatCannotBeWrittenIsReported) {
  TemporaryFolder folder;
  write_data(folder);
  put(folder / "file", "");
  const Outcome outcome = fovea(training(folder, "file/run"));
  EXPECT_EQ(outcome.code, 5);
  EXPECT_NE(outcome.err.find("cannot create the run folder"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("another --out"), std::string::npos) << outcome.err;
}

TEST(Train, ANonEmptyFolderIsRefused) {
  TemporaryFolder folder;
  write_data(folder);
  const Outcome outcome = fovea(training(folder, "data"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("is not empty"), std::string::npos) << outcome.err;
}

TEST(Train, ALossThatIsNotFiniteNamesStepAndLayer) {
  TemporaryFolder folder;
  write_data(folder);
  const Outcome diverged = fovea({"train", "--data", "mnist:" + (folder / "data").string(),
                                  "--model", "lenet_cnn", "--threads", "1", "--batch", "16", "--lr",
                                  "1e6", "--warmup", "0", "--out", folder / "nan", "--json"});
  EXPECT_EQ(diverged.code, 6) << diverged.err;
  const nlohmann::json error = diverged.json().at("error");
  EXPECT_EQ(error.at("kind"), "diverged");
  EXPECT_NE(error.at("message").get<std::string>().find("at step "), std::string::npos) << error;
  EXPECT_NE(error.at("details").at("first").get<std::string>().find("computed a number"),
            std::string::npos)
      << error;
}

TEST(Train, ResumingAFolderWithoutARunIsADataError) {
  TemporaryFolder folder;
  const Outcome outcome = fovea({"train", "--resume", folder / "nothing"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("does not exist"), std::string::npos) << outcome.err;
}

TEST(Train, BrokenDataIsADataError) {
  TemporaryFolder folder;
  write_data(folder);
  const std::string spec = "mnist:" + (folder / "data").string();
  EXPECT_EQ(fovea({"data", "info", "mnist:" + (folder / "nowhere").string()}).code, 3);
  const std::filesystem::path images = folder / "data/train-images-idx3-ubyte";
  const std::string uninterrupted = contents(images);
  put(images, uninterrupted.substr(0, uninterrupted.size() - 10));
  const Outcome outcome = fovea({"train", "--data", spec, "--out", folder / "run"});
  EXPECT_EQ(outcome.code, 3);
  for (const char* part : {"train-images-idx3-ubyte", "expected", "offset"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "run"))
      << "nothing is made for a run that cannot be";
}

}  // namespace
}  // namespace fovea::cli_test
