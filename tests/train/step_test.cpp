#include "fovea/train/step.h"

#include <cstring>
#include <map>

#include "error_text.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/optim/adamw.h"
#include "fovea/optim/sgd.h"
#include "fovea/weights/fit.h"

namespace fovea::train {
namespace {

/// Two layers; the output does not depend on the second.
class HalfUsed : public nn::Module {
 public:
  explicit HalfUsed(const nn::Scope& s) : Module(s), fc(at("fc"), 4, 3), idle(at("idle"), 4, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x)); }
  nn::Linear fc, idle;
};

/// A layer that the module holds but does not register.
class Unregistered : public nn::Module {
 public:
  explicit Unregistered(const nn::Scope& s) : Module(s), fc(nn::Scope("fc"), 4, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x)); }
  nn::Linear fc;
};

const Array ones = Array::full(DType::f32, {2, 1, 2, 2}, 1);
const Array labels = Array::of(std::vector<int64_t>{0, 2});

std::map<std::string, Array> copies(const nn::Module& model, State& state) {
  std::map<std::string, Array> all;
  for (const auto& [name, array] : weights_of(model, state)) all.emplace(name, array);
  return all;
}

bool equal(const Array& a, const Array& b) { return std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }

TEST(TrainStep, ParametersWithoutAGradientStayUnchanged) {
  // Not even weight decay changes it, as in PyTorch.
  for (const auto& optimizer : {optim::sgd({.weight_decay = 0.1}), optim::adamw({})}) {
    const HalfUsed net(nn::Scope("net"));
    State state;
    nn::declare(state, net, 1);
    optimizer->declare(state);
    TrainStep step(net, state, {});
    const auto before = copies(net, state);
    for (int64_t i = 1; i <= 3; ++i) {
      (void)step.gradient(ones, labels, i);
      optimizer->update(state, {.lr = 0.1});
    }
    EXPECT_TRUE(equal(state.get("idle.weight"), before.at("idle.weight")));
    EXPECT_FALSE(equal(state.get("fc.weight"), before.at("fc.weight")));
    EXPECT_EQ(state.names(Role::gradient),
              (std::vector<std::string>{"grad:fc.weight", "grad:fc.bias"}));
  }
}

TEST(TrainStep, ArraysFrozenByALaterStepDoNotMoveByOldGradients) {
  const HalfUsed net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  const auto optimizer = optim::sgd({});
  optimizer->declare(state);
  TrainStep all(net, state, {});
  TrainStep bias(net, state, {.normalization = {}, .frozen = [](std::string_view name) {
                                return name == "fc.weight";
                              }});
  (void)all.gradient(ones, labels, 1);
  optimizer->update(state, {.lr = 0.1});
  const auto before = copies(net, state);
  (void)bias.gradient(ones, labels, 2);
  optimizer->update(state, {.lr = 0.1});
  EXPECT_TRUE(equal(state.get("fc.weight"), before.at("fc.weight")));
  EXPECT_FALSE(equal(state.get("fc.bias"), before.at("fc.bias")));
  (void)all.gradient(ones, labels, 3);  // and the other way round
  EXPECT_TRUE(state.contains("grad:fc.weight"));
}

TEST(TrainStep, LossAndMetricsAreThoseOfTheMixedBatch) {
  const HalfUsed net(nn::Scope("net"));
  const data::Targets classes = data::class_targets({"a", "b", "c"});
  const tasks::Metric total{.name = "total", .sum = [](const Tensor&, const Tensor& t) {
                              return sum(cast(t, DType::f64));
                            }};
  State state;
  nn::declare(state, net, 1);
  TrainStep step(
      net, state,
      {.normalization = {},
       .mixing = {data::Augmentation::parse("mixup").batch, {DType::f32, {1, 2, 2}}, classes},
       .metrics = {total},
       .seed = 3});
  const Array inputs = Array::of(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 1, 2, 2});
  const auto at = [&](int64_t number) {
    const StepResult result = step.gradient(inputs, labels, number);
    EXPECT_EQ(result.sums[0].item(), 2);  // shares, not labels
    return std::pair(result.loss, result.output.at(0));
  };
  const auto first = at(1), second = at(2);
  EXPECT_NE(first, second);  // each step draws its own numbers
  EXPECT_EQ(first, at(1));   // which depend on its number alone
}

TEST(TrainStep, WeightsThatWereKeptAreNotOverwritten) {
  const HalfUsed net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  const auto optimizer = optim::sgd({});
  optimizer->declare(state);
  TrainStep step(net, state, {});
  const auto best = weights_of(net, state);
  const double before = best[0].second.at(0);
  (void)step.gradient(ones, labels, 1);
  optimizer->update(state, {.lr = 0.1});
  EXPECT_EQ(best[0].second.at(0), before);
  EXPECT_EQ(shared_weights_of(net, state)[0].second.at(0), state.get("fc.weight").at(0));
}

TEST(TrainStep, AnUndeclaredNetNamesTheCallThatDeclaresIt) {
  const HalfUsed net(nn::Scope("net"));
  State state;
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { TrainStep(net, state, {}); }),
            "train step: the State has no array \"fc.weight\" of the model net\n"
            "  try     nn::declare(state, model, seed) before TrainStep is made");
  Inference inference(net, state, {});
  expect_error(ErrorKind::usage, "try     nn::declare(state, model, seed)",
               [&] { (void)inference.output(ones); });
}

TEST(TrainStep, ALayerThatItsModuleDoesNotRegisterIsNamedWithItsRemedy) {
  const Unregistered net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  TrainStep step(net, state, {});
  const std::string text =
      error_text(ErrorKind::usage, [&] { (void)step.gradient(ones, labels, 1); });
  for (const char* part : {"program: the State has no array \"weight\"\n", "step_test.cpp:",
                           "name(at(\"name\"), ...) in the constructor of the module"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace fovea::train
