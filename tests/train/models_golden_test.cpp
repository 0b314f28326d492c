#include <gtest/gtest.h>

#include <cmath>

#include "fovea/models/registry.h"
#include "fovea/passes/autodiff.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

namespace fovea::train {
namespace {

double norm(const Array& array) {
  double sum = 0;
  for (float v : array.data<float>()) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

/// A model of the registry in f32, filled as scripts/golden/models.py fills PyTorch's.
class Net : public testing::TestWithParam<std::string> {
 protected:
  Net() : golden_(golden_fill::file("models")) {
    const int64_t side = static_cast<int64_t>(expected("side").item());
    models::Options options{.classes = 10, .input = Shape{3, side, side}};
    if (models::entry(GetParam()).defaults.dropout > 0) options.dropout = 0;
    model_ = models::make(GetParam(), options);
    golden_fill::declare(state_, *model_, DType::f32);
    images_ = golden_fill::uniform("images", DType::f32, {2, 3, side, side});
  }
  const Array& expected(const std::string& what) const {
    return golden_.at(GetParam() + "/" + what);
  }

  std::map<std::string, Array> golden_;
  std::unique_ptr<nn::Module> model_;
  State state_;
  Array images_;
};

TEST_P(Net, InUseGivesPyTorchsLogits) {
  Inference inference(*model_, state_, {});
  const Array got = inference.logits(images_);
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < 20; ++i) {
    largest = std::max(largest, std::abs(expected("logits").at(i)));
    worst = std::max(worst, std::abs(got.at(i) - expected("logits").at(i)));
  }
  EXPECT_LE(worst, 1e-4 * largest);
}

TEST_P(Net, InTrainingGivesPyTorchsLossAndGradients) {
  TrainStep step(*model_, state_, {.normalization = {}});
  const double loss = step.gradient(images_, golden_fill::labels("labels", 2, 10), 1).loss;
  EXPECT_NEAR(loss, expected("loss").item(), 1e-4);

  const auto parameters = model_->parameters();
  ASSERT_EQ(static_cast<int64_t>(parameters.size()), expected("gradients").numel());
  // In 50 layers some relus stand so near to 0 that f32 flips them: PyTorch's own f32 is 4e-3 off.
  const double bound = GetParam() == "resnet50_cifar" ? 1e-2 : 1e-3;
  double largest = 0;
  for (double g : expected("gradients").data<double>()) largest = std::max(largest, g);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const double want = expected("gradients").at(static_cast<int64_t>(i));
    EXPECT_NEAR(norm(state_.get(gradient_name(parameters[i]->name()))), want,
                std::max(bound * want, 1e-6 * largest))
        << parameters[i]->name();
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, Net,
                         testing::Values("small_cnn", "deeper_cnn", "lenet_cnn", "vgg_style_cnn",
                                         "resnet18_cifar", "resnet34_cifar", "resnet50_cifar",
                                         "simple_cnn_224"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace fovea::train
