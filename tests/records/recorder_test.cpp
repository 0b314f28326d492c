#include "fovea/records/recorder.h"

#include "train/training.h"

namespace fovea::records {
namespace {

class RecorderTest : public train::Training {
 protected:
  train::Result recorded(const std::string& out) {
    Recorder recorder("fovea train --epochs 3");
    return train::train(settings_, folder_ / out, {&recorder});
  }
};

TEST_F(RecorderTest, WritesWhatARunWas) {
  recorded("run");
  const Record record = read_record(folder_ / "run");
  EXPECT_EQ(record.status, "complete");
  EXPECT_EQ(record.model, settings_.model);
  EXPECT_EQ(record.settings.at("lr"), "0.02");
  EXPECT_EQ(record.train_samples, 135);
  EXPECT_EQ(record.val_samples, 15);
  EXPECT_EQ(record.test_samples, 40);
  EXPECT_EQ(record.input, (std::vector<int64_t>{1, 8, 8}));
  EXPECT_EQ(record.classes.size(), 10U);
  EXPECT_EQ(record.metric, "val_accuracy");
  EXPECT_EQ(record.epochs, 3);
  EXPECT_GT(record.best_epoch, 0);
  EXPECT_TRUE(tasks::find(record.test, "accuracy"));
  EXPECT_GT(record.timings.training, 0);
  EXPECT_GT(record.timings.step_median_ms, 0);
  ASSERT_EQ(record.sessions.size(), 1U);
  EXPECT_EQ(record.sessions[0].command, "fovea train --epochs 3");
  EXPECT_EQ(record.sessions[0].environment.threads, 2);
  EXPECT_FALSE(record.sessions[0].ended.empty());
  EXPECT_GT(record.peak_memory_bytes(), 1 << 20);
}

TEST_F(RecorderTest, HistoryJsonHasARowPerEpochWithTheNumbersOfTheCsv) {
  const train::Result result = recorded("run");
  EXPECT_EQ(contents("run/history.json"), history_text(result.history));
  EXPECT_EQ(read_history(folder_ / "run").size(), 3U);
}

TEST_F(RecorderTest, KeepsTheFirstBatchesAsTheyWereFed) {
  recorded("run");
  const Record record = read_record(folder_ / "run");
  ASSERT_EQ(record.batches.size(), 3U);
  for (const BatchPictures& batch : record.batches) {
    EXPECT_EQ(batch.labels.size(), 16U);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / batch.fed));
    EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / batch.original));
  }
  EXPECT_NE(contents("run/batch-1.png"), contents("run/batch-1-original.png"));  // crop:1
}

TEST_F(RecorderTest, WithoutAugmentationTheFedBatchesAreTheSamplesOfTheDataSet) {
  settings_.augment = "none";
  recorded("run");
  for (const char* number : {"1", "2", "3"}) {
    const std::string name = std::string("run/batch-") + number;
    EXPECT_EQ(contents(name + ".png"), contents(name + "-original.png")) << number;
  }
}

TEST_F(RecorderTest, MixedBatchesAreShownMixedWithTheSharesOfTheirClasses) {
  settings_.augment = "none";
  settings_.mix = "mixup:1";
  recorded("run");
  EXPECT_NE(contents("run/batch-1.png"), contents("run/batch-1-original.png"));
  const Record record = read_record(folder_ / "run");
  EXPECT_TRUE(std::ranges::any_of(record.batches[0].labels, [](const std::string& label) {
    return label.find('%') != std::string::npos;
  }));
}

TEST_F(RecorderTest, RecordingDoesNotChangeTheWeights) {
  recorded("recorded");
  run("plain", settings_);
  EXPECT_TRUE(same_weights("recorded", "plain"));
}

TEST_F(RecorderTest, AResumedRunHasASessionMoreAndTheSameHistory) {
  std::stop_source stop;
  train::Watch watch;
  watch.batch = [&, seen = 0](train::Trainer&) mutable {
    if (++seen == 12) stop.request_stop();
  };
  {
    Recorder recorder("first");
    train::train(settings_, folder_ / "run", {&watch, &recorder}, stop.get_token());
  }
  EXPECT_EQ(read_record(folder_ / "run").status, "stopped");
  Recorder recorder("second");
  train::resume(folder_ / "run", {&recorder});
  const Record record = read_record(folder_ / "run");
  EXPECT_EQ(record.status, "complete");
  ASSERT_EQ(record.sessions.size(), 2U);
  EXPECT_EQ(record.sessions[1].command, "second");
  EXPECT_EQ(record.sessions[1].from_epoch, 1);
  EXPECT_EQ(record.batches.size(), 3U);
  EXPECT_EQ(read_history(folder_ / "run").size(), 3U);
}

TEST_F(RecorderTest, AnErrorThatEndsARunIsInItsRecord) {
  Recorder recorder;
  settings_.lr = 1e30;
  settings_.clip = 0;
  try {
    train::train(settings_, folder_ / "run", {&recorder});
    FAIL();
  } catch (const Error& error) {
    recorder.failed(error.what());
  }
  EXPECT_EQ(read_record(folder_ / "run").status, "failed");
  EXPECT_NE(read_record(folder_ / "run").error.find("not finite"), std::string::npos);
}

TEST_F(RecorderTest, ARunWhoseProcessWasKilledIsInterruptedNotRunning) {
  recorded("run");
  EXPECT_EQ(state_of(folder_ / "run", "running"), "interrupted");
  const train::RunLock lock(folder_ / "run");
  EXPECT_EQ(state_of(folder_ / "run", "running"), "running");
  EXPECT_EQ(state_of(folder_ / "none", "complete"), "missing");
}

TEST(Record, ABrokenFileIsAnErrorThatNamesIt) {
  for (const char* text :
       {"", "{", "[]", "{\"format\": \"x\"}", "{\"format\": 1, \"epochs\": []}"}) {
    try {
      record_from_json(text, "runs/a/record.json");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(error.headline(), "runs/a/record.json: not the record of a run");
    }
  }
  EXPECT_THROW(record_from_json("{\"format\": 2}", "x"), Error);
}

TEST(Record, NumbersThatAreNotFiniteAreNull) {
  Record record;
  record.test = {{"loss", std::nan("")}};
  const std::string text = record_text(record);
  EXPECT_NE(text.find("\"loss\": null"), std::string::npos);
  EXPECT_TRUE(std::isnan(record_from_json(text, "x").test[0].second));
}

}  // namespace
}  // namespace fovea::records
