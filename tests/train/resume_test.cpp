// What may change when a run is resumed, and what must stay the same.

#include "fovea/train/resume.h"

#include <unistd.h>

#include "error_text.h"
#include "train/training.h"

namespace fovea::train {
namespace {

class Resuming : public Training {
 protected:
  Resuming() {
    settings_.schedule = "constant";  // the same for any number of epochs
    watch_.message = [this](const std::string& text) { messages_.push_back(text); };
  }
  Result go_on(const std::string& out, const Changes& changes = {}) {
    messages_.clear();
    return resume(folder_ / out, {&watch_}, {}, changes);
  }
  std::string refusal(ErrorKind kind, const std::string& out, const Changes& changes) {
    return error_text(kind, [&] { (void)go_on(out, changes); });
  }

  Watch watch_;
  std::vector<std::string> messages_;
};

TEST_F(Resuming, WithMoreEpochsEqualsARunThatBeganWithThem) {
  run("three", settings_);
  settings_.epochs = 2;
  run("two", settings_);
  const Result result = go_on("two", {{"epochs", "3"}});
  EXPECT_EQ(result.epochs, 3);
  EXPECT_EQ(result.history.size(), 3u);
  EXPECT_EQ(contents("two/last.safetensors"), contents("three/last.safetensors"));
  EXPECT_EQ(contents("two/config.toml"), contents("three/config.toml"));
  EXPECT_EQ(messages_[0], "epochs is 3 instead of 2: the schedule follows the new total");
  EXPECT_EQ(messages_[1], "resuming after 2 epochs and 0 batches, at a learning rate of 0.02");
}

TEST_F(Resuming, TheScheduleSpansTheNewTotal) {
  settings_.schedule = "cosine";
  settings_.warmup = 0;
  settings_.epochs = 2;
  run("run", settings_);
  go_on("run", {{"epochs", "4"}});
  EXPECT_EQ(messages_[1], "resuming after 2 epochs and 0 batches, at a learning rate of 0.01");
}

TEST_F(Resuming, FewerEpochsThanItHasBegunAreRefused) {
  stopped("run", settings_, 14);
  EXPECT_EQ(refusal(ErrorKind::usage, "run", {{"epochs", "1"}}),
            "--epochs 1: the run is in epoch 2 already\n  try     --epochs 2 or more");
  const Result result = go_on("run", {{"epochs", "2"}});
  EXPECT_EQ(result.epochs, 2);
  EXPECT_FALSE(result.stopped);
}

TEST_F(Resuming, SettingsThatWouldMakeItAnotherRunAreRefusedByName) {
  stopped("run", settings_, 5);
  const std::string config = contents("run/config.toml");
  EXPECT_EQ(refusal(ErrorKind::usage, "run", {{"epochs", "5"}, {"lr", "0.5"}}),
            "--lr cannot change when a run is resumed\n"
            "  run      0.02\n"
            "  given    0.5\n"
            "  possible --data, --epochs, --no-winograd, --save-every, --keep, --tensorboard, "
            "--workers, --cache, --threads\n"
            "  try      a new run that starts from this one's weights: --weights " +
                (folder_ / "run/last.safetensors").string());
  expect_error(ErrorKind::usage, "unknown setting \"epoch\"\n  nearest epochs", [&] {
    go_on("run", {{"epoch", "5"}});
  });
  EXPECT_EQ(contents("run/config.toml"), config);
  EXPECT_NO_THROW(go_on("run", {{"lr", "0.02"}, {"workers", "2"}})) << "the command repeated";
  EXPECT_EQ(messages_[0], "workers is 2 instead of 1");
}

TEST_F(Resuming, FindsDataThatWereMoved) {
  run("uninterrupted", settings_);
  stopped("part", settings_, 12);
  std::filesystem::rename(folder_ / "data", folder_ / "moved");
  expect_error(ErrorKind::data, "data", [&] { go_on("part"); });
  go_on("part", {{"data", "mnist:" + (folder_ / "moved").string()}});
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Resuming, OtherDataThanItBeganWithAreRefused) {
  stopped("run", settings_, 12);
  std::filesystem::create_directories(folder_ / "other");
  write_split(folder_ / "other", "train", 160);
  write_split(folder_ / "other", "t10k", 40);
  const std::string other = "mnist:" + (folder_ / "other").string();
  const std::string text = refusal(ErrorKind::data, "run", {{"data", other}});
  EXPECT_TRUE(text.starts_with("--data " + other +
                               " is not what this run trains on\n"
                               "  run     mnist, fingerprint "))
      << text;
  EXPECT_NE(text.find("\n  found   mnist, fingerprint "), std::string::npos) << text;
  // The same folder with other images is refused too.
  write_split(folder_ / "data", "train", 160);
  expect_error(ErrorKind::data, "is not what this run trains on", [&] { go_on("run"); });
}

TEST_F(Resuming, NoLongerNeedsTheInitialWeights) {
  Settings first = settings_;
  first.epochs = 1;
  const std::filesystem::path weights = run("first", first).folder / "last.safetensors";
  std::filesystem::copy_file(weights, folder_ / "start.safetensors");
  settings_.weights = folder_ / "start.safetensors";
  settings_.seed = 2;
  run("uninterrupted", settings_);
  stopped("part", settings_, 12);
  std::filesystem::remove(settings_.weights);
  go_on("part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
  EXPECT_NE(contents("part/config.toml").find("start.safetensors"), std::string::npos);
}

TEST_F(Resuming, AfterAStopDuringTheTestRepeatsTheTest) {
  std::stop_source stop;
  Watch watch;
  watch.epoch = [&](const EpochRecord& record, bool) {
    if (record.epoch == 3) stop.request_stop();
  };
  const Result first = train(settings_, folder_ / "run", {&watch}, stop.get_token());
  EXPECT_TRUE(first.stopped);
  EXPECT_EQ(first.test_samples, 0);
  const Result second = go_on("run");
  EXPECT_FALSE(second.stopped);
  EXPECT_EQ(second.test_samples, 40);
}

TEST_F(Resuming, OfAFolderInUseNamesTheProcess) {
  stopped("run", settings_, 5);
  std::string text;
  Watch watch;
  watch.start = [&](Trainer&) { text = refusal(ErrorKind::usage, "run", {}); };
  resume(folder_ / "run", {&watch});
  EXPECT_TRUE(text.starts_with("another process is training in " + (folder_ / "run").string()))
      << text;
  EXPECT_NE(text.find("process " + std::to_string(::getpid())), std::string::npos) << text;
}

}  // namespace
}  // namespace fovea::train
