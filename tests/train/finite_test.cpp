// Runs whose numbers stop being finite.

#include <cmath>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/formats/npy.h"
#include "fovea/models/choices.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/predict/predictor.h"
#include "train/training.h"

namespace fovea::train {
namespace {

TEST_F(Training, ANaNLossNamesStepAndLayer) {
  settings_.lr = 1e6;
  settings_.warmup = 0;
  settings_.optimizer = "sgd:0";
  settings_.model = "lenet_cnn";
  const std::string text = error_text(ErrorKind::diverged, [&] { run("run", settings_); });
  EXPECT_TRUE(text.starts_with("the loss is ")) << text;
  EXPECT_NE(text.find(" at step "), std::string::npos) << text;
  EXPECT_NE(text.find(" (epoch 1, batch "), std::string::npos) << text;
  EXPECT_NE(text.find("\n  first   "), std::string::npos) << text;
  EXPECT_NE(text.find(" computed a number that is not finite\n  try     a lower --lr (it was "),
            std::string::npos)
      << text;
  EXPECT_NE(contents("run/log.txt").find("the loss is "), std::string::npos);
}

TEST_F(Training, ANetThatBreaksInItsLastStepIsNotSavedAsAResult) {
  settings_.lr = 1e6;
  settings_.warmup = 0;
  settings_.epochs = 1;
  settings_.batch = 68;  // two steps, whose losses are numbers
  settings_.model = "lenet_cnn";
  settings_.optimizer = "sgd:0";
  (void)error_text(ErrorKind::diverged, [&] { run("run", settings_); });
  EXPECT_EQ(saved("run"), 0);
}

/// y = sqrt(x), whose slope at 0 is infinite.
struct Root {
  static constexpr std::string_view name = "root";
  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  Tensors gradient(const Node& node, const Tensors& dy) const {
    return {dy[0] * 0.5 / Tensor(dy[0].graph_ptr(), node.outputs[0])};
  }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = std::sqrt(v.in[0][i]);
  }
};

/// Its loss is finite but its gradient is not: relu gives zeros.
class RootNet : public nn::Module {
 public:
  RootNet(const nn::Scope& s, const models::Config& c)
      : Module(s), hidden(at("hidden"), c.input.numel(), 16), fc(at("fc"), 16, c.outputs) {}
  Tensor forward(Tensor x) const override {
    x = relu(hidden(flatten(x)));
    return fc(x.graph().add_one(Root{}, {x}));
  }
  nn::Linear hidden, fc;
};

TEST_F(Training, AGradientThatIsNotFiniteBesideAFiniteLossReachesNoFile) {
  models::add({.name = "root_net",
               .input = {1, 8, 8},
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<RootNet>(s, c);
               }});
  settings_.model = "root_net";
  for (const double clip : {0., 1.}) {
    settings_.val = 0;
    settings_.clip = clip;
    const std::string name = clip > 0 ? "clipped" : "run";
    const std::string text = error_text(ErrorKind::diverged, [&] { run(name, settings_); });
    EXPECT_TRUE(
        text.starts_with("the gradients are not finite at step 1 (epoch 1, batch 1)\n"
                         "  first   div computed a number that is not finite\n"))
        << text;
    EXPECT_EQ(saved(name), 0);
  }
}

/// Its gradients are finite, but so large that one step is not.
class SteepNet : public nn::Module {
 public:
  SteepNet(const nn::Scope& s, const models::Config& c)
      : Module(s), fc(at("fc"), c.input.numel(), c.outputs) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x * 1e33)); }
  nn::Linear fc;
};

TEST_F(Training, AnUpdateThatMakesAWeightInfiniteIsNotSaved) {
  models::add({.name = "steep_net",
               .input = {1, 8, 8},
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<SteepNet>(s, c);
               }});
  settings_.model = "steep_net";
  settings_.optimizer = "sgd:0";
  settings_.batch = 1000;  // one step per epoch
  settings_.val = 0;
  settings_.lr = 1e6;
  settings_.warmup = 0;
  const std::string text = error_text(ErrorKind::diverged, [&] { run("run", settings_); });
  EXPECT_TRUE(
      text.starts_with("the net is not finite after step 1: it is not saved\n"
                       "  first   weight fc.weight holds "))
      << text;
  EXPECT_EQ(saved("run"), 0);
}

TEST_F(Training, WeightsThatAreNotFiniteAreNamedBeforeAnythingIsTrained) {
  Settings first = settings_;
  first.epochs = 1;
  settings_.weights = (run("first", first).folder / "last.safetensors").string();
  ModelFile file = load_model(settings_.weights);
  const std::string name = file.weights[0].first;
  Array broken = file.weights[0].second.clone();
  broken.set(1, NAN);
  file.weights[0].second = broken;
  save_model(folder_ / "broken.safetensors", file);
  settings_.weights = (folder_ / "broken.safetensors").string();
  expect_error(ErrorKind::diverged,
               " at step 1 (epoch 1, batch 1)\n  first   weight " + name + " holds NaN\n",
               [&] { run("run", settings_); });
  EXPECT_EQ(saved("run"), 0);
}

TEST_F(Training, ADataSetsNumbersThatAreNotFiniteAreNotBlamedOnTheTraining) {
  Array x = Array::full(DType::f32, {64, 1, 8, 8}, 0.5);
  Array classes(DType::i64, {64});
  for (int64_t i = 0; i < 64; ++i) {
    x.set(i * 64, static_cast<double>(i % 2));
    classes.set(i, i % 2);
  }
  Array broken = x.clone();
  broken.set(777, NAN);
  const auto data = [&](const std::string& name, const Array& train, const Array& val) {
    const std::filesystem::path folder = folder_ / name;
    std::filesystem::create_directories(folder);
    for (const char* split : {"train", "val", "test"}) {
      write_npy(folder / (split + std::string("_x.npy")),
                split == std::string("val") ? val : train);
      write_npy(folder / (split + std::string("_y.npy")), classes);
    }
    return "arrays:" + folder.string();
  };
  settings_.augment = "none";
  settings_.model = "lenet_cnn";
  settings_.data = data("train", broken, x);
  expect_error(
      ErrorKind::diverged,
      "first   the input holds NaN\n  try     inputs without such numbers; fovea data check",
      [&] { run("first", settings_); });
  settings_.data = data("val", x, broken);
  expect_error(ErrorKind::diverged,
               "the net's output is not finite\n  first   the input holds NaN\n"
               "  at      validation after epoch 1 (step 4)\n  try     inputs without such numbers",
               [&] { run("run", settings_); });
  EXPECT_NE(contents("run/log.txt").find("validation after epoch 1 (step 4)"), std::string::npos);
}

}  // namespace
}  // namespace fovea::train
