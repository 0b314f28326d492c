// The environment of the program: streams that are closed, full or pipes, limits on threads.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

constexpr const char* net = R"(
input = [1, 4, 4]
classes = 3
layers = ["Flatten", { name = "fc", type = "Linear", out_features = "classes" }]
)";

Arguments digits_training(const TemporaryFolder& folder, const std::string& threads) {
  write_digits(folder / "data", 60, 20, 12);
  return {"train",     "--data",    "mnist:" + (folder / "data").string(),
          "--model",   "small_cnn", "--batch",
          "20",        "--epochs",  "1",
          "--augment", "none",      "--threads",
          threads,     "--out",     folder / "run"};
}

/// A picture under a name that looks like a flag, in a folder that the program runs in.
void write_picture(const std::filesystem::path& path) {
  Image image{.height = 4, .width = 5, .channels = 1, .pixels = std::vector<uint8_t>(20, 128)};
  encode_png(path, image);
}

TEST(Process, MessagesThatCannotBeWrittenEndNoTraining) {
  for (const Surroundings& lost :
       {Surroundings{.errors = "/dev/full"}, Surroundings{.no_errors = true}}) {
    TemporaryFolder folder;
    const Outcome outcome = fovea(digits_training(folder, "1"), lost);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.out.find("test accuracy"), std::string::npos) << outcome.out;
    EXPECT_EQ(fovea({"train", "--modle", "x"}, lost).code, 2);
  }
}

TEST(Process, AFileOpenedWhileStandardErrorIsClosedGetsNoMessages) {
  TemporaryFolder folder;
  ASSERT_EQ(fovea(digits_training(folder, "1"), {.no_errors = true}).code, 0);
  for (const char* name : {"config.toml", "history.csv", "log.txt"}) {
    const std::string text = contents(folder / "run" / name);
    EXPECT_EQ(text.find("images/s"), std::string::npos) << name << ":\n" << text;
  }
}

TEST(Process, AnIgnoredHangUpStaysIgnored) {  // nohup
  TemporaryFolder folder;
  const auto before = std::signal(SIGHUP, SIG_IGN);
  Running run(digits_training(folder, "1"));
  std::signal(SIGHUP, before);
  run.await(folder / "run/config.toml");
  run.signal(SIGHUP);
  const Outcome outcome = run.wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(Process, IsNamedAfterTheProgram) {  // for pkill, killall and top
  TemporaryFolder folder;
  Running run(digits_training(folder, "1"), {.set = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}});
  run.await(folder / "run/config.toml");
  EXPECT_EQ(run.name(), "fovea");
  EXPECT_EQ(run.wait().code, 0);
}

TEST(Process, OpenMpsLimitsMakeTeamsSmallerAndNothingHangs) {
  for (const char* variable :
       {"OMP_THREAD_LIMIT=1", "OMP_DYNAMIC=true", "OMP_MAX_ACTIVE_LEVELS=0"}) {
    TemporaryFolder folder;
    const Outcome outcome = fovea(digits_training(folder, "2"), {.set = {variable}});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const bool fewer = outcome.err.find("threads: only 1 of 2 can be started") != std::string::npos;
    EXPECT_EQ(fewer, std::string(variable) != "OMP_DYNAMIC=true") << variable << outcome.err;
  }
}

TEST(Process, ALimitOnProcessesIsAReadableError) {
  const Outcome outcome = fovea({"models", "--threads", "4", "--json"}, {.processes = 1});
  if (outcome.code == 98 || outcome.code == 99) GTEST_SKIP() << "another user cannot run it";
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.json().is_array());
  EXPECT_NE(outcome.err.find("threads: only 1 of 4 can be started"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("Ctrl-C will end this at once"), std::string::npos) << outcome.err;
}

TEST(Process, NamesAfterADoubleDashAreFiles) {
  TemporaryFolder folder;
  write_picture(folder / "-in.png");
  const Surroundings here{.folder = folder / ""};
  EXPECT_EQ(fovea({"filter", "--kernel", "box", "--", "-in.png", "--out.png"}, here).code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "--out.png"));
  EXPECT_EQ(fovea({"filter", "--kernel", "box", "-in.png", "out.png"}, here).code, 2);
}

TEST(Process, StandardInputAndOutputAreFiles) {
  TemporaryFolder folder;
  write_picture(folder / "in.png");
  const Surroundings here{.folder = folder / "", .input = folder / "in.png"};
  const Outcome file = fovea({"filter", "--kernel", "box", "--raw", "in.png", "x.npy"}, here);
  ASSERT_EQ(file.code, 0) << file.err;
  for (const auto& [in, out] : {std::pair("-", "-"), std::pair("/dev/stdin", "/dev/stdout"),
                                std::pair("/dev/fd/0", "/dev/fd/1")}) {
    const Outcome streams = fovea({"filter", "--kernel", "box", "--raw", in, out}, here);
    EXPECT_EQ(streams.code, 0) << streams.err;
    EXPECT_EQ(streams.out, contents(folder / "x.npy"));
    EXPECT_NE(streams.err.find("4x5 pixels"), std::string::npos) << streams.err;
  }
  const Outcome both = fovea({"filter", "--kernel", "box", "--raw", "--json", "-", "-"}, here);
  EXPECT_EQ(both.code, 2);
  EXPECT_EQ(both.json().at("error").at("message"),
            "OUT - and --json cannot both use standard output");
}

TEST(Process, ANetAndWeightsComeThroughPipes) {
  TemporaryFolder folder;
  put(folder / "net.toml", net);
  const Outcome file = fovea({"summary", "--model", folder / "net.toml", "--json"});
  ASSERT_EQ(file.code, 0) << file.err;
  const Outcome stream =
      fovea({"summary", "--model", "-", "--json"}, {.input = folder / "net.toml"});
  EXPECT_EQ(stream.code, 0) << stream.err;
  EXPECT_EQ(stream.json(), file.json());
}

TEST(Process, APipeLongerThanAPictureCanBeIsRefused) {
  const Outcome outcome = fovea({"filter", "--kernel", "box", "/dev/zero", "/dev/null"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("bytes, at most"), std::string::npos) << outcome.err;
}

TEST(Process, ClosedStandardOutputIsAnErrorAndNoFileGetsTheResult) {
  EXPECT_EQ(fovea({"--help"}, {.output = "/dev/full"}).code, 5);
}

}  // namespace
}  // namespace fovea::cli_test
