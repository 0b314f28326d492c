// Ten and more illnesses, each planted into a small training that is healthy otherwise.

#include "fovea/doctor/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "fovea/core/random.h"
#include "fovea/nn.h"
#include "fovea/ops.h"

namespace fovea::doctor {
namespace {

constexpr int64_t side = 10, classes = 4;

struct Net : nn::Module {
  explicit Net() : Net(nn::Scope("net")) {}
  explicit Net(nn::Scope s)
      : Module(s),
        conv1(at("conv1"), 1, 8, {.kernel = 3, .padding = 1, .bias = false}),
        bn1(at("bn1"), 8),
        conv2(at("conv2"), 8, 8, {.kernel = 3, .padding = 1}),
        fc(at("fc"), 8 * 5 * 5, classes) {}
  Tensor forward(Tensor x) const override {
    x = relu(bn1(conv1(x)));
    x = max_pool2d(relu(conv2(x)), {.kernel = 2});
    return fc(flatten(x, 1));
  }
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::Linear fc;
};

/// Noise with two bright rows that say the class.
struct Data {
  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels;

  Data(int64_t count, uint64_t seed) {
    Random random(seed, "doctor");
    for (int64_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<int64_t>(random.below(classes)));
      for (int64_t p = 0; p < side * side; ++p) {
        const bool bright = p / side / 2 == labels.back();
        pixels.push_back(static_cast<uint8_t>(random.below(100) + (bright ? 120 : 0)));
      }
    }
  }
  int64_t size() const { return std::ssize(labels); }
  std::shared_ptr<const data::Dataset> images() const {
    return std::make_shared<data::ArrayDataset>(Array::of(pixels, {size(), side, side, 1}),
                                                Array::of(labels), meaning());
  }
  /// The same as numbers, times `scale`.
  std::shared_ptr<const data::Dataset> numbers(float scale) const {
    std::vector<float> values(pixels.begin(), pixels.end());
    for (float& value : values) value = (value - 75) / 65 * scale;
    return std::make_shared<data::ArrayDataset>(Array::of(values, {size(), 1, side, side}),
                                                Array::of(labels), meaning());
  }
  static data::Targets meaning() { return data::class_targets({"a", "b", "c", "d"}); }
};

class Doctor : public testing::Test {
 protected:
  Doctor() {
    settings_.model = "net";
    settings_.batch = 32;
    settings_.lr = 0.05;
    settings_.augment = "none";
    settings_.threads = 2;
  }
  data::DataSets sets() const { return {"planted", train_.images(), test_.images()}; }

  /// The checks that find a problem; `plant` may change the weights.
  std::vector<std::string> problems(const data::DataSets& sets,
                                    const std::function<void(State&)>& plant = nullptr) {
    train::Setup setup(settings_, sets, std::nullopt, &net_);
    if (!weights_.empty()) setup.start.weights = weights_;
    if (plant) {
      State state;
      nn::declare(state, net_, 1);
      for (const auto& [name, values] : weights_) state.set(name, values);
      plant(state);
      setup.start.weights.clear();
      for (const nn::Variable* variable : net_.variables())
        setup.start.weights.emplace_back(variable->name(), state.get(variable->name()).clone());
    }
    train::Experiment experiment(setup);
    std::vector<std::string> names;
    findings_ = examine(experiment);
    for (const Finding& finding : findings_) {
      EXPECT_TRUE(finding.verdict == "ok" || finding.verdict == "problem" ||
                  finding.verdict == "skipped");
      EXPECT_EQ(finding.verdict == "problem", !finding.remedy.empty()) << finding.check;
      EXPECT_FALSE(finding.measured.empty());
      if (finding.verdict == "problem") names.push_back(finding.check);
    }
    return names;
  }
  bool finds(const std::string& check, const data::DataSets& sets,
             const std::function<void(State&)>& plant = nullptr) {
    const std::vector<std::string> names = problems(sets, plant);
    const bool found = std::ranges::count(names, check) > 0;
    if (!found) {
      for (const Finding& f : findings_)
        ADD_FAILURE() << f.check << ": " << f.verdict << ", " << f.measured;
    }
    return found;
  }
  /// Trains for some steps; what follows begins with these weights.
  void train() {
    train::Setup setup(settings_, sets(), std::nullopt, &net_);
    train::Experiment experiment(setup);
    for (int i = 0; i < 100; ++i) experiment.train(experiment.next(), 0.05);
    for (const nn::Variable* variable : net_.variables()) {
      weights_.emplace_back(variable->name(), experiment.state().get(variable->name()).clone());
    }
  }

  const Net net_;
  Data train_{600, 1}, test_{120, 2};
  train::Settings settings_;
  std::vector<std::pair<std::string, Array>> weights_;
  std::vector<Finding> findings_;
};

TEST_F(Doctor, FindsNothingInAHealthyTraining) {
  const std::vector<std::string> found = problems(sets());
  EXPECT_EQ(found, std::vector<std::string>{});
  for (const Finding& f : findings_) {
    if (f.verdict == "problem") ADD_FAILURE() << f.check << ": " << f.measured;
  }
}

TEST_F(Doctor, FindsNothingInAHealthyTrainedNet) {
  train();
  const std::vector<std::string> found = problems(sets());
  for (const Finding& f : findings_) {
    if (f.verdict == "problem") ADD_FAILURE() << f.check << ": " << f.measured;
  }
}

TEST_F(Doctor, LeavesTheWeightsAsTheyWere) {
  train::Setup setup(settings_, sets(), std::nullopt, &net_);
  train::Experiment experiment(setup);
  std::vector<Array> before;
  for (const nn::Variable* v : net_.variables())
    before.push_back(experiment.state().get(v->name()).clone());
  examine(experiment);
  for (size_t i = 0; i < before.size(); ++i) {
    const Array& after = experiment.state().get(net_.variables()[i]->name());
    EXPECT_EQ(std::memcmp(before[i].raw(), after.raw(), after.bytes()), 0);
  }
}

TEST_F(Doctor, FindsShuffledLabels) {
  Random random(7, "shuffle");
  for (size_t i = train_.labels.size(); i-- > 1;)
    std::swap(train_.labels[i], train_.labels[random.below(i + 1)]);
  EXPECT_TRUE(finds("labels follow inputs", sets()));
}

TEST_F(Doctor, FindsLabelsThatAreOneSampleOff) {
  std::rotate(train_.labels.begin(), train_.labels.begin() + 1, train_.labels.end());
  EXPECT_TRUE(finds("order of labels", sets()));
}

TEST_F(Doctor, FindsLabelsThatAreAllTheSame) {
  std::ranges::fill(train_.labels, 2);
  EXPECT_TRUE(finds("balance of labels", sets()));
}

TEST_F(Doctor, FindsMissingNormalisation) {
  EXPECT_TRUE(finds("scale of inputs", {"numbers", train_.numbers(100), test_.numbers(100)}));
  EXPECT_EQ(problems({"numbers", train_.numbers(1), test_.numbers(1)}), std::vector<std::string>{});
}

TEST_F(Doctor, FindsALearningRateThatIsAHundredTimesTooHigh) {
  settings_.lr *= 100;
  EXPECT_TRUE(finds("learning rate", sets()));
}

TEST_F(Doctor, FindsALearningRateThatIsAHundredTimesTooLow) {
  settings_.lr /= 100;
  EXPECT_TRUE(finds("learning rate", sets()));
}

TEST_F(Doctor, FindsADeadLayer) {
  EXPECT_TRUE(finds("dead units", sets(), [](State& state) {
    state.set("conv2.bias", Array::full(DType::f32, {8}, -1e3));
  }));
  EXPECT_TRUE(finds("gradients by layer", sets(), [](State& state) {
    state.set("conv2.bias", Array::full(DType::f32, {8}, -1e3));
  }));
}

TEST_F(Doctor, FindsALayerThatIsFrozenByMistake) {
  settings_.freeze = "conv1.*";
  EXPECT_TRUE(finds("frozen layers", sets()));
}

TEST_F(Doctor, FindsValidationDataThatAreTrainedOn) {
  std::copy_n(train_.pixels.begin(), 40 * side * side, test_.pixels.begin());
  EXPECT_TRUE(finds("leaking validation", sets()));
}

TEST_F(Doctor, FindsWeightsThatAreNotFinite) {
  EXPECT_TRUE(finds("finite numbers", sets(), [](State& state) {
    state.get("fc.weight").set(3, std::nan(""));
    state.touch("fc.weight");
  }));
  EXPECT_NE(findings_[0].measured.find("fc.weight"), std::string::npos) << findings_[0].measured;
}

TEST_F(Doctor, FindsRunningStatisticsOfOtherData) {
  train();
  EXPECT_TRUE(finds("running statistics", sets(), [](State& state) {
    state.set("bn1.running_mean", Array::full(DType::f32, {8}, 9));
    state.set("bn1.running_var", Array::full(DType::f32, {8}, 50));
  }));
}

TEST_F(Doctor, FindsInferenceThatDiffersFromTraining) {
  train();
  EXPECT_TRUE(finds("training and inference", sets(), [](State& state) {
    state.set("bn1.running_mean", Array::full(DType::f32, {8}, 9));
  }));
}

TEST_F(Doctor, FindsOverfitting) {
  // Few samples with random labels, learned by heart.
  train_ = Data(60, 3);
  Random random(5, "labels");
  for (int64_t& label : train_.labels) label = static_cast<int64_t>(random.below(classes));
  settings_.val = 0.3;
  for (int round = 0; round < 4; ++round) {
    train();
    weights_.erase(weights_.begin(), weights_.end() - std::ssize(net_.variables()));
  }
  EXPECT_TRUE(finds("overfitting", sets()));
}

TEST_F(Doctor, FindsANetThatCannotLearnABatch) {
  EXPECT_TRUE(finds("one batch by heart", sets(), [](State& state) {
    state.set("fc.weight", Array::full(DType::f32, state.type("fc.weight").shape, 0));
    state.set("conv2.bias", Array::full(DType::f32, {8}, -1e3));
    state.set("bn1.weight", Array::full(DType::f32, {8}, 0));
  }));
}

}  // namespace
}  // namespace fovea::doctor
