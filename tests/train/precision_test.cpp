// Training in bf16 and f16: every family of models, loss scaling, runs, and the choice by
// measuring.

#include "fovea/train/precision.h"

#include <cmath>

#include "error_text.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// The smallest model of each family, and images as small as it takes.
struct StepRow {
  std::string model;
  int64_t side;
  friend std::ostream& operator<<(std::ostream& out, const StepRow& row) {
    return out << row.model;
  }
};
const std::vector<StepRow> rows{{"small_cnn", 28},          {"deeper_cnn", 32},
                                {"keras_cnn", 28},          {"lenet5", 32},
                                {"lenet_cnn", 28},          {"vgg_style_cnn", 32},
                                {"simple_cnn_224", 32},     {"simple_cnn_gap", 32},
                                {"simple_cnn_deep", 32},    {"mini_resnet", 32},
                                {"resnet18_cifar", 16},     {"se_resnet18_cifar", 16},
                                {"resnet18", 64},           {"alexnet", 64},
                                {"vgg11_bn", 32},           {"googlenet", 64},
                                {"densenet121", 32},        {"squeezenet1_1", 64},
                                {"mobilenet_v1", 64},       {"mobilenet_v2", 64},
                                {"mobilenet_v3_small", 64}, {"shufflenet_v2_x0_5", 64},
                                {"efficientnet_b0", 64},    {"efficientnet_lite0", 64},
                                {"regnet_y_400mf", 64},     {"convnext_tiny", 64}};

class MixedStep : public testing::TestWithParam<StepRow> {
 protected:
  MixedStep()
      : entry_(models::entry(GetParam().model)),
        image_{entry_.input[0], GetParam().side, GetParam().side},
        model_(models::make(entry_.name, {.outputs = 10, .input = image_})),
        images_(DType::f32, Shape{4}.concat(image_)) {
    nn::declare(state_, *model_, 1);
    Random random(1, "images");
    for (float& v : images_.data<float>()) v = static_cast<float>(random.normal());
  }

  struct Measured {
    double loss, norm;
  };
  /// A step: its gradients are f32, and finite, for f16 once the loss scale is low enough.
  Measured step(DType dtype) {
    TrainStep step(*model_, state_, {.dtype = dtype});
    optim::LossScaler scaler(state_);
    Measured result{};
    do {
      result.loss = step.gradient(images_, Array::of(std::vector<int64_t>{0, 3, 5, 9}), 1).loss;
      result.norm = optim::GradientNorm().measure(state_).norm;
    } while (dtype == DType::f16 && !scaler.step(std::isfinite(result.norm)) &&
             !scaler.at_minimum());
    EXPECT_TRUE(std::isfinite(result.norm));
    for (const std::string& name : state_.names(Role::gradient))
      EXPECT_EQ(state_.type(name).dtype, DType::f32) << name;
    return result;
  }

  models::Entry entry_;
  Shape image_;
  std::unique_ptr<nn::Module> model_;
  State state_;
  Array images_;
};

// Norms over a batch of four, of noise, amplify every rounding: gradients are of the same size, no
// more. Their values are compared op by op (tests/kernels/narrow_test.cpp).
TEST_P(MixedStep, HasTheLossOfF32WithinRounding) {
  const Measured f32 = step(DType::f32), bf16 = step(DType::bf16), f16 = step(DType::f16);
  EXPECT_NEAR(bf16.loss, f32.loss, 0.1 * f32.loss);
  EXPECT_NEAR(f16.loss, f32.loss, 0.02 * f32.loss);
  for (const Measured& narrow : {bf16, f16}) {
    EXPECT_LT(narrow.norm, 4 * f32.norm);
    EXPECT_GT(narrow.norm, f32.norm / 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, MixedStep, testing::ValuesIn(rows),
                         [](const auto& row) { return row.param.model; });

using MixedRun = Training;

TEST_F(MixedRun, LearnsAsF32Does) {
  settings_.epochs = 5;
  const double f32 = accuracy(run("f32", settings_));
  for (const char* precision : {"bf16", "f16"}) {
    settings_.precision = precision;
    const Result result = run(precision, settings_);
    EXPECT_NEAR(accuracy(result), f32, 0.1) << precision;
    EXPECT_EQ(result.precision, precision);
  }
}

TEST_F(MixedRun, OfF16RecordsItsLossScaleAndSkippedSteps) {
  settings_.precision = "f16";
  settings_.epochs = 1;
  const Result result = run("run", settings_);
  const tasks::Numbers& numbers = result.history.at(0).numbers;
  EXPECT_GE(tasks::find(numbers, "loss_scale").value_or(0), 1);
  EXPECT_GE(tasks::find(numbers, "skipped_steps").value_or(-1), 0);
  EXPECT_NE(contents("run/history.csv").find("loss_scale,skipped_steps"), std::string::npos);
}

TEST_F(MixedRun, ResumedEqualsARunThatWasNeverStopped) {
  for (const char* precision : {"bf16", "f16"}) {
    const std::string whole = std::string(precision) + "-whole", parts = precision;
    settings_.precision = precision;
    run(whole, settings_);
    stopped(parts, settings_, 13);
    resume(folder_ / parts);
    EXPECT_TRUE(same_weights(whole, parts)) << precision;
  }
}

TEST_F(MixedRun, CannotBeResumedInAnotherPrecision) {
  settings_.precision = "bf16";
  stopped("run", settings_, 3);
  expect_error(ErrorKind::usage, "--precision cannot change when a run is resumed", [&] {
    resume(folder_ / "run", {}, {}, {{"precision", "f32"}});
  });
}

TEST_F(MixedRun, ItsModelFileHoldsF32AndSaysHowItWasTrained) {
  settings_.epochs = 1;
  run("f32", settings_);
  settings_.precision = "bf16";
  run("bf16", settings_);
  const ModelFile exact = load_model(folder_ / "f32/last.safetensors"),
                  mixed = load_model(folder_ / "bf16/last.safetensors");
  for (const auto& [name, array] : mixed.weights) {
    EXPECT_TRUE(array.dtype() == DType::f32 || array.dtype() == DType::i64) << name;
  }
  EXPECT_EQ(mixed.training.at("setting.precision"), "bf16");
  EXPECT_FALSE(exact.training.contains("setting.precision"));
}

TEST_F(MixedRun, AutoTakesTheFasterPrecisionAndSaysSo) {
  settings_.precision = "auto";
  settings_.epochs = 1;
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  const Result result = train(settings_, folder_ / "run", {&watch});
  ASSERT_EQ(result.precisions.size(), 2u);
  const bool bf16 =
      result.precisions[1].images_per_second > 1.05 * result.precisions[0].images_per_second;
  EXPECT_EQ(result.precision, bf16 ? "bf16" : "f32");
  ASSERT_FALSE(messages.empty());
  EXPECT_TRUE(messages[0].starts_with("precision " + result.precision + ": measured f32 "))
      << messages[0];
  EXPECT_NE(contents("run/config.toml").find("precision = \"" + result.precision + "\""),
            std::string::npos);
}

TEST_F(MixedRun, AnUnknownPrecisionIsRefused) {
  settings_.precision = "fp16";
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("run", settings_); }),
            "--precision: \"fp16\" is not a precision\n  known   f32, bf16, f16, auto");
}

/// Logits that grow with the step until f16's gradients overflow.
class Loud : public nn::Module {
 public:
  explicit Loud(const nn::Scope& s) : Module(s), fc(at("fc"), 4, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x)) * 1000.0; }
  nn::Linear fc;
};

TEST(LossScaling, AStepWhoseGradientsOverflowIsSkippedUntilTheScaleIsLowEnough) {
  const Loud net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  TrainStep step(net, state, {.dtype = DType::f16});
  optim::LossScaler scaler(state);
  optim::GradientNorm norm;
  const Array images = Array::full(DType::f32, {2, 1, 2, 2}, 1);
  const Array labels = Array::of(std::vector<int64_t>{0, 2});
  const auto applied = [&] {
    step.gradient(images, labels, 1);
    return scaler.step(std::isfinite(norm.measure(state).norm));
  };
  int skipped = 0;
  while (!applied()) ++skipped;
  EXPECT_GT(skipped, 0);
  EXPECT_EQ(scaler.scale(), 65536 / std::pow(2, skipped));

  // What remains is the gradient of f32, whatever the scale.
  State exact;
  nn::declare(exact, net, 1);
  TrainStep(net, exact, {}).gradient(images, labels, 1);
  const std::string name = gradient_name("fc.weight");
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_NEAR(state.get(name).at(i), exact.get(name).at(i), 0.01 * 1000);
}

}  // namespace
}  // namespace fovea::train
