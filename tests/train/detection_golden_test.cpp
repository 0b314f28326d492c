#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fovea/kernels/winograd.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/passes/autodiff.h"
#include "fovea/tasks/detection.h"
#include "fovea/train/step.h"
#include "golden_fill.h"

namespace fovea::train {
namespace {

/// A detection net in f32, filled as scripts/golden/detection.py fills torchvision's.
class Detector : public testing::TestWithParam<std::string> {
 protected:
  Detector() : golden_(golden_fill::file("detection")) {
    const Array side = expected("side");
    const Shape image{3, static_cast<int64_t>(side.at(0)), static_cast<int64_t>(side.at(1))};
    model_ = models::make(GetParam(), {.outputs = 10, .input = image});
    golden_fill::declare(state_, *model_, DType::f32);
    images_ = golden_fill::uniform("images " + std::to_string(int64_t(expected("draw").item())),
                                   DType::f32, Shape{2}.concat(image));
  }
  const Array& expected(const std::string& what) const {
    return golden_.at(GetParam() + "/" + what);
  }
  Array first_image() const {
    Array first(DType::f32, Shape{1}.concat(images_.shape().slice(1)));
    std::copy_n(images_.data<float>().begin(), first.numel(), first.data<float>().begin());
    return first;
  }
  void add_to(const std::string& name, double by) {
    Array& array = state_.get(name);
    for (int64_t i = 0; i < array.numel(); ++i) array.set(i, array.at(i) + by);
    state_.touch();
  }

  const WinogradScope direct_{Winograd::never};  // see models_golden_test.cpp
  std::map<std::string, Array> golden_;
  std::unique_ptr<nn::Module> model_;
  State state_;
  Array images_;
};

TEST_P(Detector, SaysWhatTorchvisionsSays) {
  Inference inference(*model_, state_, {});
  const Array got = inference.output(first_image());
  const Array& want = expected("outputs");
  constexpr int64_t step = 7;
  ASSERT_EQ(got.dim(1), want.dim(0));
  ASSERT_EQ((got.dim(2) + step - 1) / step, want.dim(1));
  for (int64_t row = 0; row < want.dim(0); ++row) {
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < want.dim(1); ++i) {
      const double w = want.at(row * want.dim(1) + i);
      largest = std::max(largest, std::abs(w));
      worst = std::max(worst, std::abs(got.at(row * got.dim(2) + i * step) - w));
    }
    const double bound = GetParam().starts_with("ssdlite") ? 2e-4 : 1e-4;
    EXPECT_LE(worst, bound * std::max(largest, 1.0)) << "row " << row;
  }
}

TEST_P(Detector, HasTorchvisionsLossAndGradients) {
  const double by = expected("lift").item();
  for (const nn::Variable* v : model_->variables()) {
    if (v->name().ends_with(".running_mean"))
      add_to(v->name().substr(0, v->name().rfind('.')) + ".bias", by);
  }
  nn::for_each<nn::GroupNorm>(*model_, [&](nn::GroupNorm& norm) { add_to(norm.bias->name(), by); });
  const auto loss = [](const Tensor& output, const Tensor& targets) {
    return tasks::detection_loss(output, targets);
  };
  TrainStep step(*model_, state_, {.loss = loss});
  const double got = step.gradient(images_, expected("targets"), 1).loss;
  EXPECT_NEAR(got, expected("loss").item(), 1e-4 * std::max(1.0, expected("loss").item()));

  const auto parameters = model_->parameters();
  const auto norms = expected("gradients").data<double>();
  ASSERT_EQ(parameters.size(), norms.size());
  const double largest = *std::max_element(norms.begin(), norms.end());
  for (size_t i = 0; i < parameters.size(); ++i) {
    double sum = 0;
    for (float v : state_.get(gradient_name(parameters[i]->name())).data<float>())
      sum += static_cast<double>(v) * v;
    EXPECT_NEAR(std::sqrt(sum), norms[i], std::max(1e-3 * norms[i], 1e-6 * largest))
        << parameters[i]->name();
  }
}

double iou(const Array& a, int64_t i, const Array& b, int64_t j) {
  const auto side = [](const Array& boxes, int64_t k, int64_t c) { return boxes.at(4 * k + c); };
  const double w = std::min(side(a, i, 2), side(b, j, 2)) - std::max(side(a, i, 0), side(b, j, 0));
  const double h = std::min(side(a, i, 3), side(b, j, 3)) - std::max(side(a, i, 1), side(b, j, 1));
  const auto area = [&](const Array& x, int64_t k) {
    return (side(x, k, 2) - side(x, k, 0)) * (side(x, k, 3) - side(x, k, 1));
  };
  const double both = std::max(w, 0.0) * std::max(h, 0.0);
  return both / (area(a, i) + area(b, j) - both);
}

/// Boxes that the image cuts to nothing have no overlap: their corners agree.
bool same_box(const Array& a, int64_t i, const Array& b, int64_t j) {
  double off = 0;
  for (int64_t c = 0; c < 4; ++c) off = std::max(off, std::abs(a.at(4 * i + c) - b.at(4 * j + c)));
  return off < 0.01 || iou(a, i, b, j) >= 0.99;
}

TEST_P(Detector, FindsTorchvisionsBoxes) {
  const double by = expected("shift").item(), scale = expected("scale").item();
  for (const nn::Variable* v : model_->parameters()) {
    if (scale != 1 && (v->name().find(".cls_logits.") != std::string::npos ||
                       v->name().find(".bbox_reg.") != std::string::npos)) {
      Array& array = state_.get(v->name());
      for (int64_t i = 0; i < array.numel(); ++i) array.set(i, array.at(i) * scale);
    }
    const bool ssd = v->name().find("module_list") != std::string::npos;
    const bool of_classes = v->name().find("classification_head") != std::string::npos &&
                            (v->name().ends_with("cls_logits.bias") ||
                             (ssd && v->name().ends_with(".1.bias") && v->shape()[0] == 60));
    if (!of_classes) continue;
    Array& bias = state_.get(v->name());
    for (int64_t i = 0; i < bias.numel(); ++i)
      bias.set(i, bias.at(i) + (ssd && i % 10 == 0 ? -by : by));
  }
  state_.touch();
  std::vector<std::string> names;
  for (int k = 1; k < 10; ++k) names.push_back("class " + std::to_string(k));
  const tasks::Detection task(data::box_targets(names, 4));
  Inference inference(*model_, state_, {}, DType::f32, [&](const Traced& traced) {
    traced.output.graph().output("decoded", task.decoded(traced.output));
  });
  const auto found = task.predict(inference.run(first_image())[1], 0, 0)->arrays();
  const Array &boxes = found[0].second, &scores = found[1].second, &labels = found[2].second;
  const Array &want = expected("boxes"), &want_scores = expected("scores");
  ASSERT_GE(want.dim(0), 5) << "the case says nothing";
  EXPECT_EQ(boxes.dim(0), want.dim(0));
  for (int64_t i = 0; i < want.dim(0); ++i) {
    bool there = false;
    for (int64_t j = 0; j < boxes.dim(0) && !there; ++j) {
      there = labels.at(j) == expected("labels").at(i) &&
              std::abs(scores.at(j) - want_scores.at(i)) < 1e-3 && same_box(boxes, j, want, i);
    }
    EXPECT_TRUE(there) << "box " << i << " of " << want.dim(0) << ", score " << want_scores.at(i);
  }
}

TEST_P(Detector, HasTorchvisionsNames) {
  std::string lines;
  const auto net = models::make(GetParam());
  for (const nn::Variable* v : net->variables()) lines += v->name() + to_string(v->shape()) + "\n";
  EXPECT_EQ(golden_fill::fnv(lines), static_cast<uint64_t>(expected("names").data<int64_t>()[0]))
      << lines.substr(0, 3000);
}

INSTANTIATE_TEST_SUITE_P(Nets, Detector,
                         testing::Values("fcos_resnet18_fpn", "fcos_resnet50_fpn",
                                         "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace fovea::train
