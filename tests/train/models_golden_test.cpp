#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fovea/kernels/winograd.h"
#include "fovea/models/registry.h"
#include "fovea/nn/trace.h"
#include "fovea/passes/autodiff.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

namespace fovea::train {
namespace {

/// A row of scripts/golden/models.py: "googlenet aux" of the family "googlenet", "resnet_1d
/// multivariate" of "series", with three channels.
struct Row {
  std::string family, model;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.model; }
};

double norm(const Array& array) {
  double sum = 0;
  for (float v : array.data<float>()) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

/// A model of the registry in f32, filled as scripts/golden/models.py fills PyTorch's.
class Net : public testing::TestWithParam<Row> {
 protected:
  explicit Net(int64_t images) : golden_(golden_fill::file("models_" + GetParam().family)) {
    const std::string name = GetParam().model.substr(0, GetParam().model.find(' '));
    const models::Entry entry = models::entry(name);
    Shape input = entry.input.slice(0, 1);
    if (GetParam().model.ends_with(" multivariate")) input = {3};
    while (input.rank() < entry.input.rank()) input = input.concat({number("side")});
    const models::Options options{
        .outputs = 10,
        .input = input,
        .choices = {{"dropout", 0}, {"drop_path", 0}, {"aux", GetParam().model.ends_with(" aux")}}};
    model_ = models::make(name, options);
    golden_fill::declare(state_, *model_, DType::f32);
    images_ = golden_fill::uniform("images " + std::to_string(number("draw")), DType::f32,
                                   Shape{images}.concat(input));
  }
  const Array& expected(const std::string& what) const {
    return golden_.at(GetParam().model + "/" + what);
  }
  int64_t number(const std::string& what) const {
    return static_cast<int64_t>(expected(what).item());
  }
  /// Adds to the biases of all norms.
  void lift(double by) {
    for (const nn::Variable* v : model_->variables()) {
      if (!v->name().ends_with(".running_mean")) continue;
      Array& bias = state_.get(v->name().substr(0, v->name().rfind('.')) + ".bias");
      for (int64_t i = 0; i < bias.numel(); ++i) bias.set(i, bias.at(i) + by);
    }
    state_.touch();
  }

  /// Winograd's larger rounding errors make relus flip: its kernels have tests of their own.
  const WinogradScope direct_{Winograd::never};
  std::map<std::string, Array> golden_;
  std::unique_ptr<nn::Module> model_;
  State state_;
  Array images_;
};

/// Of maps [N, K, spatial] every 15th row and column (and slice), as the golden files have them;
/// others as they are.
Array sparse(const Array& output) {
  constexpr int64_t step = 15;
  const Shape& shape = output.shape();
  Shape kept = shape.slice(0, 2);
  for (int axis = 2; axis < shape.rank(); ++axis)
    kept = kept.concat({(shape[axis] + step - 1) / step});
  Array result(DType::f32, kept);
  for (int64_t i = 0; i < result.numel(); ++i) {
    int64_t rest = i, from = 0, stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      from += rest % kept[axis] * (axis < 2 ? 1 : step) * stride;
      rest /= kept[axis];
      stride *= shape[axis];
    }
    result.set(i, output.at(from));
  }
  return result;
}

class NetInUse : public Net {
 protected:
  NetInUse() : Net(2) {}
};

class NetInTraining : public Net {
 protected:
  NetInTraining() : Net(4) {}
};

TEST_P(NetInUse, GivesPyTorchsLogits) {
  Inference inference(*model_, state_, {});
  const Array& want = expected("logits");
  double largest = 0, spread = 0, worst = 0;  // spread: how much the two images differ
  const Array got = sparse(inference.output(images_));
  ASSERT_EQ(got.shape(), want.shape());
  const int64_t count = want.numel();
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(want.at(i)));
    spread = std::max(spread, std::abs(want.at(i) - want.at((i + count / 2) % count)));
    worst = std::max(worst, std::abs(got.at(i) - want.at(i)));
  }
  EXPECT_LE(worst, 1e-4 * largest);
  EXPECT_LE(worst, 1e-3 * spread);
}

TEST_P(NetInTraining, GivesPyTorchsLossAndGradients) {
  lift(expected("lift").item());
  TrainStep step(*model_, state_, {.normalization = {}});
  const Shape output = nn::trace(*model_, images_.shape())->output("output").shape();
  const Shape target = output.slice(0, 1).concat(output.slice(2));
  const Array labels = golden_fill::labels("labels", target.numel(), 10).reshaped(target);
  const double loss = step.gradient(images_, labels, 1).loss;
  EXPECT_NEAR(loss, expected("loss").item(), 1e-4);

  const auto parameters = model_->parameters();
  const auto norms = expected("gradients").data<double>();
  ASSERT_EQ(parameters.size(), norms.size());
  // The head needs images of 299 pixels, with so many relus that some flip with any rounding.
  const double bound = GetParam().model == "inception_v3 aux" ? 1e-2 : 1e-3;
  const double largest = *std::max_element(norms.begin(), norms.end());
  for (size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_NEAR(norm(state_.get(gradient_name(parameters[i]->name()))), norms[i],
                std::max(bound * norms[i], 1e-6 * largest))
        << parameters[i]->name();
  }
}

const std::vector<Row> trained{{"small", "small_cnn"},
                               {"small", "deeper_cnn"},
                               {"small", "keras_cnn"},
                               {"small", "simple_cnn_224"},
                               {"small", "simple_cnn_gap"},
                               {"small", "simple_cnn_deep"},
                               {"small", "lenet_cnn"},
                               {"small", "vgg_style_cnn"},
                               {"small", "lenet5"},
                               {"airbench", "airbench94"},
                               {"resnet_cifar", "resnet18_cifar"},
                               {"resnet_cifar", "resnet34_cifar"},
                               {"resnet_cifar", "resnet50_cifar"},
                               {"resnet_cifar", "se_resnet18_cifar"},
                               {"resnet", "resnet18"},
                               {"resnet", "resnet50"},
                               {"resnet", "resnext50_32x4d"},
                               {"alexnet", "alexnet"},
                               {"vgg", "vgg11_bn"},
                               {"googlenet", "googlenet"},
                               {"googlenet", "googlenet aux"},
                               {"inception_v3", "inception_v3"},
                               {"inception_v3", "inception_v3 aux"},
                               {"densenet", "densenet121"},
                               {"squeezenet", "squeezenet1_1"},
                               {"mobilenet", "mobilenet_v1"},
                               {"mobilenet", "mobilenet_v2"},
                               {"mobilenet", "mobilenet_v3_small"},
                               {"shufflenet_v2", "shufflenet_v2_x0_5"},
                               {"efficientnet", "efficientnet_b0"},
                               {"efficientnet_lite", "efficientnet_lite0"},
                               {"regnet", "regnet_y_400mf"},
                               {"convnext", "convnext_tiny"},
                               {"series", "fcn_1d"},
                               {"series", "resnet_1d"},
                               {"series", "resnet_1d multivariate"},
                               {"series", "inception_time"},
                               {"series", "inception_time multivariate"},
                               {"sound", "m5"},
                               {"sound", "m5_small"},
                               {"sound", "wavenet"},
                               {"unet", "unet"},
                               {"unet", "unet_paper"},
                               {"unet_3d", "unet_3d"},
                               {"video_resnet", "r3d_18"},
                               {"video_resnet", "mc3_18"},
                               {"video_resnet", "r2plus1d_18"},
                               {"segmentation", "fcn_resnet50"},
                               {"segmentation", "fcn_resnet50 aux"},
                               {"segmentation", "deeplabv3_resnet50"},
                               {"segmentation", "deeplabv3_mobilenet_v3_large aux"},
                               {"segmentation", "lraspp_mobilenet_v3_large"}};
const std::vector<Row> used_only{{"resnet", "wide_resnet50_2"},
                                 {"resnet", "mini_resnet"},
                                 {"vgg", "vgg11"},
                                 {"squeezenet", "squeezenet1_0"},
                                 {"mobilenet", "mobilenet_v3_large"},
                                 {"shufflenet_v2", "shufflenet_v2_x1_0"},
                                 {"efficientnet", "efficientnet_b5"},
                                 {"segmentation", "fcn_resnet101"},
                                 {"segmentation", "deeplabv3_resnet101"},
                                 {"larger", "resnet101_cifar"},
                                 {"larger", "resnet152_cifar"},
                                 {"larger", "resnet34"},
                                 {"larger", "resnet101"},
                                 {"larger", "resnet152"},
                                 {"larger", "resnext101_32x8d"},
                                 {"larger", "wide_resnet101_2"},
                                 {"larger", "vgg13"},
                                 {"larger", "vgg13_bn"},
                                 {"larger", "vgg16"},
                                 {"larger", "vgg16_bn"},
                                 {"larger", "vgg19"},
                                 {"larger", "vgg19_bn"},
                                 {"larger", "densenet161"},
                                 {"larger", "densenet169"},
                                 {"larger", "densenet201"},
                                 {"larger", "shufflenet_v2_x1_5"},
                                 {"larger", "shufflenet_v2_x2_0"},
                                 {"larger", "efficientnet_b1"},
                                 {"larger", "efficientnet_b2"},
                                 {"larger", "efficientnet_b3"},
                                 {"larger", "efficientnet_b4"},
                                 {"larger", "efficientnet_b6"},
                                 {"larger", "efficientnet_b7"},
                                 {"larger", "convnext_small"},
                                 {"larger", "convnext_base"},
                                 {"larger", "convnext_large"}};

std::string test_name(const testing::TestParamInfo<Row>& row) {
  std::string name = row.param.model;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Registry, NetInUse, testing::ValuesIn(trained), test_name);
INSTANTIATE_TEST_SUITE_P(Others, NetInUse, testing::ValuesIn(used_only), test_name);
INSTANTIATE_TEST_SUITE_P(Registry, NetInTraining, testing::ValuesIn(trained), test_name);

}  // namespace
}  // namespace fovea::train
