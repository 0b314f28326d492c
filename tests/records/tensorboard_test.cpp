#include "fovea/records/tensorboard.h"

#include <cstdlib>

#include "error_text.h"
#include "fovea/records/recorder.h"
#include "paths.h"
#include "train/training.h"

namespace fovea::records {
namespace {

class TensorBoardTest : public train::Training {
 protected:
  train::Result recorded(const std::string& out, std::stop_token stop = {},
                         std::vector<train::Callback*> others = {}) {
    Recorder recorder;
    TensorBoard tensorboard;
    others.insert(others.end(), {&recorder, &tensorboard});
    return train::train(settings_, folder_ / out, others, stop);
  }
  void resume(const std::string& out) {
    Recorder recorder;
    TensorBoard tensorboard;
    train::resume(folder_ / out, {&recorder, &tensorboard});
  }
  /// Step, tag and value of all scalars but speeds, in order.
  std::vector<std::string> scalars(const std::string& run) {
    std::vector<std::string> lines;
    for (const Event& event : read_events(bytes(run))) {
      for (const auto& [tag, value] : event.scalars) {
        if (!tag.starts_with("speed/"))
          lines.push_back(std::to_string(event.time.step) + " " + tag + " " +
                          std::to_string(value));
      }
    }
    return lines;
  }
  std::string bytes(const std::string& run) {
    return read_text(find_event_file(folder_ / run), ErrorKind::data);
  }
};

TEST_F(TensorBoardTest, ARunsFileHasItsNumbersAndNothingBroken) {
  const train::Result result = recorded("run");
  const std::vector<Event> events = read_events(bytes("run"));
  EXPECT_EQ(events.back().end, bytes("run").size());
  std::map<std::string, int> counts;
  for (const Event& event : events) {
    for (const auto& [tag, value] : event.scalars) ++counts[tag];
  }
  EXPECT_EQ(counts["batch/loss"], 27);  // 9 batches of 3 epochs
  EXPECT_EQ(counts["train/loss"], 3);
  EXPECT_EQ(counts["val/accuracy"], 3);
  EXPECT_EQ(counts["test/accuracy"], 1);
  EXPECT_NEAR(*tasks::find(events[events.size() - 2].scalars, "test/accuracy"),
              train::accuracy(result), 1e-6);
}

TEST_F(TensorBoardTest, AStoppedAndResumedRunHasTheNumbersOfOneThatWasNot) {
  recorded("straight");
  for (const int batches : {4, 9, 13}) {
    const std::string out = "stopped" + std::to_string(batches);
    std::stop_source stop;
    train::Watch watch;
    watch.batch = [&, seen = 0](train::Trainer&) mutable {
      if (++seen == batches) stop.request_stop();
    };
    recorded(out, stop.get_token(), {&watch});
    resume(out);
    EXPECT_EQ(scalars(out), scalars("straight")) << batches;
  }
}

TEST_F(TensorBoardTest, WhatWasWrittenAfterTheLastCheckpointHappensOnce) {
  recorded("straight");
  // As a crash leaves it: ahead of the checkpoint of the first epoch, with a torn record.
  std::string first;
  train::Watch watch;
  watch.batch = [&](train::Trainer& trainer) {
    if (trainer.progress().updates == 12) throw Error(ErrorKind::internal, "crash");
  };
  EXPECT_THROW(recorded("crashed", {}, {&watch}), Error);
  const std::filesystem::path file = find_event_file(folder_ / "crashed");
  put(file, bytes("crashed") + bytes("straight").substr(0, 20));
  resume("crashed");
  EXPECT_EQ(scalars("crashed"), scalars("straight"));
}

TEST_F(TensorBoardTest, HistogramsAreOfWeightsAndGradients) {
  settings_.epochs = 1;
  recorded("plain");
  settings_.tensorboard = "histograms";
  recorded("full");
  EXPECT_GT(read_events(bytes("full")).size(), read_events(bytes("plain")).size() + 4);
  EXPECT_NE(bytes("full").find("gradients/"), std::string::npos);
}

TEST_F(TensorBoardTest, AResumedRunWritesWhatItsSettingsSay) {
  settings_.tensorboard = "histograms";
  std::stop_source stop;
  train::Watch watch;
  watch.epoch = [&](train::EpochRecord&, bool) { stop.request_stop(); };
  recorded("run", stop.get_token(), {&watch});
  const std::string before = bytes("run");
  resume("run");
  EXPECT_NE(bytes("run").substr(before.size()).find("gradients/"), std::string::npos);

  settings_.tensorboard = "off";
  recorded("none");
  EXPECT_TRUE(find_event_file(folder_ / "none").empty());
  settings_.tensorboard = "scalar";
  expect_error(ErrorKind::usage,
               "--tensorboard: unknown value \"scalar\"\n  known   off, scalars, "
               "histograms",
               [&] { recorded("wrong"); });
}

TEST_F(TensorBoardTest, TheWeightsAreThoseOfARunWithoutIt) {
  settings_.tensorboard = "histograms";
  recorded("with");
  run("without", settings_);
  EXPECT_TRUE(same_weights("with", "without"));
}

// Where python3 has it: $FOVEA_PYTHON, or python3.
TEST_F(TensorBoardTest, TensorBoardsOwnReaderReadsTheFile) {
  const char* chosen = std::getenv("FOVEA_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "python3";
  if (std::system((python + " -c 'import tensorboard' 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << "TensorBoard is not installed for " << python;
  settings_.epochs = 2;
  settings_.tensorboard = "histograms";
  recorded("run");
  const std::string script =
      (std::filesystem::path(tests_folder()) / "records" / "read_events.py").string();
  EXPECT_EQ(std::system((python + " " + script + " " + (folder_ / "run").string()).c_str()), 0);
}

}  // namespace
}  // namespace fovea::records
