// What a callback may request from a run.

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "fovea/train/checkpoint.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// A callback built from functions that may control the run.
struct Lead : Callback {
  std::function<void(Trainer&)> gradients, batch;
  std::function<void(Trainer&, EpochRecord&)> epoch;

  void on_gradients(Trainer& trainer) override {
    if (gradients) gradients(trainer);
  }
  void on_batch(Trainer& trainer) override {
    if (batch) batch(trainer);
  }
  void on_epoch(Trainer& trainer, EpochRecord& record, bool) override {
    if (epoch) epoch(trainer, record);
  }
};

TEST_F(Training, ACallbackStopsARunThatResumesToTheSameBytes) {
  run("uninterrupted", settings_);
  Lead lead;
  lead.batch = [](Trainer& trainer) {
    if (trainer.progress().updates == 12) trainer.stop();
  };
  const Result first = train(settings_, folder_ / "part", {&lead});
  EXPECT_TRUE(first.stopped);
  EXPECT_EQ(first.epochs, 1);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Training, ACallbackCompletesARunWithItsTest) {
  Lead lead;
  lead.epoch = [](Trainer& trainer, EpochRecord& record) {
    if (record.epoch == 2) trainer.finish();
  };
  const Result result = train(settings_, folder_ / "run", {&lead});
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.epochs, 2);
  EXPECT_EQ(result.test_samples, 40);
  EXPECT_EQ(resume(folder_ / "run").epochs, 2);  // it stays complete
}

TEST_F(Training, SkippedUpdatesChangeNoWeight) {
  Lead lead;
  lead.gradients = [](Trainer& trainer) { trainer.skip_update(); };
  settings_.epochs = 1;
  const Result result = train(settings_, folder_ / "run", {&lead});
  const ModelFile after = load_model(result.folder / "last.safetensors");
  const auto model = models::make("small_cnn", {.outputs = 10, .input = Shape{1, 8, 8}});
  State state;
  nn::declare(state, *model, 1);
  for (const auto& [name, array] : after.weights) {
    if (state.role(name) != Role::parameter) continue;
    for (int64_t i = 0; i < array.numel(); ++i)
      ASSERT_EQ(array.at(i), state.get(name).at(i)) << name;
  }
}

TEST_F(Training, ARateChangedByACallbackIsKeptInTheCheckpoint) {
  settings_.schedule = "constant";
  settings_.warmup = 0;
  const auto halve = [](Trainer& trainer, EpochRecord& record) {
    if (record.epoch == 1) trainer.scale_lr(0.5);
  };
  Lead lead;
  lead.epoch = halve;
  const Result uninterrupted = train(settings_, folder_ / "uninterrupted", {&lead});
  EXPECT_EQ(uninterrupted.history[0].lr, 0.02);
  EXPECT_EQ(uninterrupted.history[1].lr, 0.01);
  lead.batch = [](Trainer& trainer) {
    if (trainer.progress().updates == 14) trainer.stop();
  };
  train(settings_, folder_ / "part", {&lead});
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Training, NumbersOfACallbackAreInTheHistory) {
  Lead lead;
  lead.batch = [](Trainer& trainer) {
    trainer.add("batches", static_cast<double>(trainer.progress().batch));
    if (trainer.progress().updates == 12) {
      trainer.save();
      trainer.stop();
    }
  };
  train(settings_, folder_ / "run", {&lead});
  EXPECT_EQ(checkpoint_progress(folder_ / "run").at("added"), "batches=3\n");
  const Result result = resume(folder_ / "run", {&lead});
  EXPECT_EQ(tasks::find(result.history[1].numbers, "batches"), 9);
  EXPECT_NE(contents("run/history.csv").find(",batches,seconds,"), std::string::npos);
}

TEST_F(Training, SavingLeavesACheckpointInTheMiddleOfAnEpoch) {
  Lead lead;
  std::string saved;
  lead.batch = [&](Trainer& trainer) {
    const auto progress = checkpoint_progress(trainer.folder());
    if (progress.contains("batch") && progress.at("batch") != "0") saved = progress.at("batch");
    if (trainer.progress().updates == 4) trainer.save();
  };
  train(settings_, folder_ / "run", {&lead});
  EXPECT_EQ(saved, "4");
}

}  // namespace
}  // namespace fovea::train
