#include "fovea/train/early_stopping.h"

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "train/training.h"

namespace fovea::train {
namespace {

TEST(EarlyStopping, CountsEpochsSinceTheLastImprovement) {
  const auto stagnant = [](const std::vector<double>& scores, double min_change = 0) {
    return EarlyStopping({.patience = 2, .min_change = min_change}).stagnant(scores);
  };
  EXPECT_EQ(stagnant({}), 0);
  EXPECT_EQ(stagnant({0.5}), 0);
  EXPECT_EQ(stagnant({0.5, 0.5}), 1) << "an equal value is no improvement";
  EXPECT_EQ(stagnant({0.5, 0.4, 0.6}), 0);
  EXPECT_EQ(stagnant({0.5, 0.6, 0.4, 0.55}), 2);
  EXPECT_EQ(stagnant({-0.5, -0.4, -0.3}), 0);
  // Small steps count once they add up to the minimum change.
  EXPECT_EQ(stagnant({0.5, 0.51, 0.52}, 0.03), 2);
  EXPECT_EQ(stagnant({0.5, 0.51, 0.52, 0.54}, 0.03), 0);
}

/// Adds a metric of its own to the record of each epoch, in place of the monitored one.
struct Script : Callback {
  std::vector<double> values;
  void on_epoch(Trainer& trainer, EpochRecord& record, bool) override {
    for (auto& [name, value] : record.numbers) {
      if (name == trainer.monitored()) value = values[static_cast<size_t>(record.epoch - 1)];
    }
  }
};

TEST_F(Training, ARunEndsWhenItsMetricStopsImproving) {
  settings_.epochs = 9;
  settings_.schedule = "constant";
  Script script;
  script.values = {0.1, 0.3, 0.2, 0.3, 0.4, 0.9, 0.9, 0.9, 0.9};
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  EarlyStopping early({.patience = 2});
  const Result result = train(settings_, folder_ / "run", {&script, &watch, &early});
  EXPECT_EQ(result.epochs, 4);
  EXPECT_TRUE(result.early_stopped);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.test_samples, 40) << "the best model is tested";
  EXPECT_EQ(messages,
            std::vector<std::string>{"stopped early: val_accuracy has not improved in 2 epochs"});
}

TEST_F(Training, PatienceIsASettingAndResumesToTheSameEpoch) {
  settings_.epochs = 12;
  settings_.lr = 1e-6;  // nothing improves by that much
  settings_.patience = 3;
  settings_.min_change = 0.9;
  const Result uninterrupted = run("uninterrupted", settings_);
  EXPECT_EQ(uninterrupted.epochs, 4);
  EXPECT_TRUE(uninterrupted.early_stopped);
  stopped("part", settings_, 22);
  const Result resumed = resume(folder_ / "part");
  EXPECT_EQ(resumed.epochs, 4);
  EXPECT_TRUE(resumed.early_stopped);
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
  EXPECT_EQ(resume(folder_ / "part").epochs, 4) << "it stays complete";
  settings_.patience = 0;
  settings_.epochs = 2;
  settings_.min_change = 0;
  EXPECT_FALSE(run("all", settings_).early_stopped);
}

TEST_F(Training, PatienceNeedsSomethingToWatch) {
  settings_.patience = 2;
  settings_.val = 0;
  expect_error(ErrorKind::usage, "--patience has no effect without validation data",
               [&] { run("no", settings_); });
  settings_.patience = 0;
  settings_.schedule = "plateau";
  expect_error(ErrorKind::usage, "--schedule plateau has no effect without validation data",
               [&] { run("no", settings_); });
  settings_.val = 0.1;
  settings_.min_change = 0.1;
  expect_error(ErrorKind::usage, "--min-change has no effect without --patience",
               [&] { run("no", settings_); });
}

TEST_F(Training, ModelsOfEpochsAreKept) {
  settings_.epochs = 5;
  settings_.save_every = "2";
  run("all", settings_);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "all/epoch-0002.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "all/epoch-0004.safetensors"));
  EXPECT_EQ(load_model(folder_ / "all/epoch-0004.safetensors").training.at("epoch"), "4");
  settings_.save_every = "1";
  settings_.keep = 2;
  run("two", settings_);
  EXPECT_EQ(contents("two/epoch-0005.safetensors"), contents("two/last.safetensors"));
  EXPECT_EQ(contents("two/epoch-0004.safetensors"), contents("all/epoch-0004.safetensors"))
      << "what is saved does not change the training, nor its model file";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "two/epoch-0003.safetensors"));
  settings_.save_every = "10m";
  expect_error(ErrorKind::usage, "--keep has no effect without --save-every N in epochs",
               [&] { run("no", settings_); });
}

}  // namespace
}  // namespace fovea::train
