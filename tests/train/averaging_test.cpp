// Averages of the weights, and updates by several batches together.

#include "fovea/train/averaging.h"

#include <cmath>
#include <cstring>
#include <map>

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "fovea/nn.h"
#include "fovea/optim/sgd.h"
#include "train/training.h"

namespace fovea::train {
namespace {

using Weights = std::map<std::string, Array>;

Weights weights_in(const std::filesystem::path& file) {
  Weights all;
  for (const auto& [name, array] : load_model(file).weights) all.emplace(name, array.clone());
  return all;
}

double difference(const Array& a, const Array& b) {
  double largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i) largest = std::max(largest, std::abs(a.at(i) - b.at(i)));
  return largest;
}

class Averages : public Training {
 protected:
  Averages() {
    settings_.augment = "none";
    settings_.warmup = 0;  // or the first update would change nothing
  }

  /// Stops a run of these settings before, at and after the ends of epochs, and resumes it.
  void expect_resumed_bytes() {
    run("uninterrupted", settings_);
    for (const int64_t batches : {7, 18, 20}) {  // 9 batches an epoch
      const std::string out = "cut" + std::to_string(batches);
      stopped(out, settings_, batches);
      resume(folder_ / out);
      EXPECT_TRUE(same_weights("uninterrupted", out)) << batches;
    }
  }
};

TEST_F(Averages, AnEmaIsSavedInPlaceOfTheWeights) {
  settings_.ema = 0.9;
  Array average;
  Watch watch;
  watch.batch = [&](Trainer& trainer) {
    const Array& now = trainer.state().get("conv1.weight");
    if (trainer.progress().updates == 1) {  // it began as the initial weights
      State first;
      nn::declare(first, *trainer.setup().model, static_cast<uint64_t>(settings_.seed));
      average = first.get("conv1.weight").clone();
    }
    for (int64_t i = 0; i < now.numel(); ++i) average.set(i, 0.9 * average.at(i) + 0.1 * now.at(i));
  };
  const Result result = train(settings_, folder_ / "run", {&watch});
  EXPECT_LT(difference(weights_in(folder_ / "run/last.safetensors").at("conv1.weight"), average),
            1e-6);
  EXPECT_GT(accuracy(result), 0.8);
}

TEST_F(Averages, OfSwaAreTheMeanOverEpochsWithStatisticsOfTheirOwn) {
  settings_.average = "swa:2";
  std::vector<Array> epochs;
  Watch watch;
  watch.batch = [&](Trainer& trainer) {
    if (trainer.progress().batch == trainer.batches())
      epochs.push_back(trainer.state().get("conv1.weight").clone());
  };
  train(settings_, folder_ / "run", {&watch});
  const Weights last = weights_in(folder_ / "run/last.safetensors");
  Array mean = epochs[1].clone();
  for (int64_t i = 0; i < mean.numel(); ++i) mean.set(i, (mean.at(i) + epochs[2].at(i)) / 2);
  EXPECT_LT(difference(last.at("conv1.weight"), mean), 1e-6);
  Settings plain = settings_;
  plain.average.clear();
  run("plain", plain);
  const Weights raw = weights_in(folder_ / "plain/last.safetensors");
  EXPECT_EQ(difference(raw.at("conv1.weight"), epochs[2]), 0) << "averages do not change training";
  EXPECT_GT(difference(raw.at("bn1.running_var"), last.at("bn1.running_var")), 0);
}

TEST_F(Averages, LookaheadEndsOnTheSlowCopy) {
  settings_.average = "lookahead:4:0.8:2";
  int64_t synchronized = 0;
  Watch watch;
  watch.batch = [&](Trainer& trainer) {
    const Array& now = trainer.state().get("conv1.weight");
    const Array& copy = trainer.state().get("slow:conv1.weight");
    const bool same = std::memcmp(now.raw(), copy.raw(), now.bytes()) == 0;
    EXPECT_EQ(same, trainer.progress().updates % 4 == 0 || trainer.progress().updates == 27);
    synchronized += same;
  };
  const Result result = train(settings_, folder_ / "run", {&watch});
  EXPECT_EQ(synchronized, 7);
  EXPECT_GT(accuracy(result), 0.8);
}

TEST_F(Averages, EachResumesToTheSameBytes) {
  settings_.average = "swa:2";
  expect_resumed_bytes();
}

TEST_F(Averages, EmaAndLookaheadTogetherResumeToTheSameBytes) {
  settings_.ema = 0.95;
  settings_.average = "lookahead:4:0.8:2";
  expect_resumed_bytes();
}

TEST_F(Averages, ErrorsSayWhatIsWrong) {
  const auto says = [&](double ema, const char* average) {
    settings_.ema = ema;
    settings_.average = average;
    return error_text(ErrorKind::usage, [&] { (void)Averaging(settings_); });
  };
  EXPECT_EQ(says(0.9, "swa"),
            "--average swa cannot be combined with --ema: only one average is evaluated");
  EXPECT_EQ(says(0, "swa:9"),
            "--average swa: start is after the end of the run\n  start   9\n  epochs  3");
  EXPECT_NE(says(0, "mean").find("known   swa[:START], lookahead[:EVERY[:DECAY[:POWER]]]"),
            std::string::npos);
}

/// A norm of the inputs, two numbers per sample.
class Norm : public nn::Module {
 public:
  explicit Norm(const nn::Scope& s) : Module(s), bn(at("bn"), 2), fc(at("fc"), 2, 2) {}
  Tensor forward(Tensor x) const override { return fc(bn(x)); }
  nn::BatchNorm1d bn;
  nn::Linear fc;
};

TEST(Statistics, AreTheMeanOverAllBatches) {
  const Norm net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  state.get("bn.running_mean").set(0, 1e6);  // of other weights
  TrainStep step(net, state, {.normalization = {}});
  const Array labels = Array::of(std::vector<int64_t>{0, 1, 1});
  Random random(1, "statistics");
  double mean = 0, variance = 0;
  for (int64_t batch = 1; batch <= 4; ++batch) {
    Array x(DType::f32, {3, 2});
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < 6; ++i) x.set(i, random.normal());
    for (int64_t i = 0; i < 6; i += 2) sum += x.at(i) / 3;
    for (int64_t i = 0; i < 6; i += 2) squares += (x.at(i) - sum) * (x.at(i) - sum) / 2;
    mean += sum / 4;
    variance += squares / 4;
    step.measure_statistics(x, labels, batch, batch);
  }
  EXPECT_NEAR(state.get("bn.running_mean").at(0), mean, 1e-6);
  EXPECT_NEAR(state.get("bn.running_var").at(0), variance, 1e-6);
  EXPECT_EQ(state.get("bn.num_batches_tracked").at(0), 0);
  EXPECT_TRUE(state.names(Role::gradient).empty());
}

/// A net without norms.
constexpr std::string_view plain_text =
    "layers = [\n"
    "  { name = \"conv\", type = \"Conv2d\", out_channels = 8, kernel_size = 3 },\n"
    "  \"ReLU\", \"Flatten\",\n"
    "  { name = \"fc\", type = \"Linear\", out_features = \"classes\" },\n"
    "]\n";

// 135 images: 8 batches of 16 and one of 7, or 48, 48 and 39.
TEST_F(Averages, AccumulatedBatchesTrainAsOneLargeBatch) {
  put(folder_ / "plain.toml", plain_text);
  settings_.model = folder_ / "plain.toml";
  settings_.schedule = "cosine";
  for (const double clip : {0.0, 0.1}) {
    settings_.clip = clip;
    const std::string name = clip > 0 ? "clipped" : "plain";
    Settings large = settings_, parts = settings_;
    large.batch = 48;
    parts.accumulate = 3;
    run(name + "_large", large);
    run(name + "_parts", parts);
    const Weights a = weights_in(folder_ / (name + "_large/last.safetensors")),
                  b = weights_in(folder_ / (name + "_parts/last.safetensors"));
    for (const auto& [array, values] : a)
      EXPECT_LT(difference(values, b.at(array)), 1e-5) << name << " " << array;
  }
}

TEST_F(Averages, AccumulatedUpdatesResumeToTheSameBytes) {
  settings_.accumulate = 4;  // 4, 4 and 1
  settings_.ema = 0.9;
  expect_resumed_bytes();
  const Result part = stopped("part", settings_, 5);
  EXPECT_TRUE(part.stopped) << "after all batches of the update";
  settings_.accumulate = 100;  // more than an epoch has
  EXPECT_EQ(run("few", settings_).epochs, 3);
}

}  // namespace
}  // namespace fovea::train
