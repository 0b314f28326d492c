// Runs of tasks other than image classification.

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/npy.h"
#include "fovea/predict/predictor.h"
#include "fovea/tasks/regression.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// 300 numeric samples [C, spatial...]; the targets are two sums of them, or a class.
void write_numbers(const std::filesystem::path& folder, const Shape& one, bool classes) {
  const int64_t n = 300, row = one.numel();
  Array x(DType::f32, Shape{n}.concat(one)), y(DType::f32, {n, 2}), k(DType::i64, {n});
  Random random(3, "numbers");
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0, half = 0;
    for (int64_t j = 0; j < row; ++j) {
      const double value = random.normal();
      x.set(i * row + j, value);
      sum += value;
      half += j < row / 2 ? value : 0;
    }
    y.set(2 * i, sum / static_cast<double>(row));
    y.set(2 * i + 1, 1 - half / static_cast<double>(row));
    k.set(i, sum > 0 ? 1 : 0);
  }
  write_npy(folder / "x.npy", x);
  write_npy(folder / "y.npy", classes ? k : y);
}

class Tasks : public Training {
 protected:
  Tasks() {
    put(folder_ / "line.toml",
        "layers = [\"Flatten\", { name = \"fc\", type = \"Linear\", out_features = \"classes\" }]");
    settings_.model = folder_ / "line.toml";
    settings_.data = "arrays:" + (folder_ / "").string();
    settings_.augment = "standard";  // nothing, for numbers
    settings_.epochs = 30;
    settings_.lr = 0.05;
    settings_.weight_decay = "0";
  }
};

TEST_F(Tasks, NumbersOfAnyRankAreLearnedSavedAndUsed) {
  for (const Shape& one : {Shape{6}, Shape{2, 5}, Shape{1, 3, 4}, Shape{1, 2, 2, 3}}) {
    write_numbers(folder_ / "", one, false);
    const std::string out = "rank" + std::to_string(one.rank());
    const Result result = run(out, settings_);
    EXPECT_EQ(result.best_metric, "val_r2");
    EXPECT_GT(tasks::find(result.test, "r2").value_or(-1), 0.95) << out;
    EXPECT_TRUE(tasks::find(result.history[0].numbers, "train_r2")) << out;
    EXPECT_FALSE(tasks::find(result.test, "accuracy"));
    Predictor predictor(result.folder / "best.safetensors");
    EXPECT_EQ(predictor.task().name(), "regress");
    EXPECT_EQ(predictor.input(), one);
    const Array x = read_npy(folder_ / "x.npy"), y = read_npy(folder_ / "y.npy");
    const auto predictions = predictor.predict(x);
    const auto& numbers = dynamic_cast<const tasks::NumbersPrediction&>(*predictions[7]).numbers;
    EXPECT_NEAR(numbers[0].second, y.at(14), 0.3);
  }
}

TEST_F(Tasks, AModelOfImagesRefusesOtherInputs) {
  write_numbers(folder_ / "", {2, 5}, false);
  settings_.model = "small_cnn";
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("no", settings_); }),
            "small_cnn takes inputs of 3 axes, but those of the data set have 2\n"
            "  model   [C=3, H=2, W=5]\n"
            "  data    [2, 5]");
}

TEST_F(Tasks, ARegressionResumesToTheSameBytes) {
  write_numbers(folder_ / "", {2, 5}, false);
  settings_.epochs = 3;
  run("uninterrupted", settings_);
  stopped("part", settings_, 20);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Tasks, NumericInputsCanHaveClasses) {
  write_numbers(folder_ / "", {2, 5}, true);
  const Result result = run("run", settings_);
  EXPECT_GT(accuracy(result), 0.8);
  EXPECT_EQ(result.best_metric, "val_accuracy");
}

TEST_F(Training, TheMonitoredMetricDecidesWhichEpochIsBest) {
  settings_.monitor = "loss";
  const Result result = run("loss", settings_);
  EXPECT_EQ(result.best_metric, "val_loss");
  double least = 1e9;
  int64_t epoch = 0;
  for (const EpochRecord& record : result.history) {
    const double loss = *tasks::find(record.numbers, "val_loss");
    if (loss < least) epoch = record.epoch;
    least = std::min(least, loss);
  }
  EXPECT_EQ(result.best_epoch, epoch);
  EXPECT_EQ(result.best_value, least);
  EXPECT_EQ(load_model(result.folder / "best.safetensors").training.at("setting.monitor"), "loss");
  settings_.monitor = "r2";
  expect_error(ErrorKind::usage, "unknown metric \"r2\"", [&] { run("no", settings_); });
  settings_.monitor = "";
  settings_.task = "regress";
  expect_error(ErrorKind::usage, "the task regress cannot learn such targets",
               [&] { run("no", settings_); });
}

TEST_F(Training, MixedBatchesAreLearnedAndResumedToTheSameBytes) {
  settings_.augment = "crop:1,mixup:0.2,cutmix:0.1";
  settings_.epochs = 6;
  const Result result = run("uninterrupted", settings_);
  EXPECT_GT(accuracy(result), 0.9);
  stopped("part", settings_, 20);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
  EXPECT_EQ(contents("uninterrupted/log.txt").find("no fast kernel"), std::string::npos);
}

TEST_F(Tasks, MixingThatDoesNotFitTheInputsIsAUsageError) {
  write_numbers(folder_ / "", {5}, true);
  settings_.augment = "cutmix";
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("no", settings_); }),
            "--augment: cutmix:1 needs inputs with spatial axes\n"
            "  found   f32[5]");
}

}  // namespace
}  // namespace fovea::train
