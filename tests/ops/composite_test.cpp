#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "ops/draw.h"

namespace fovea::harness {
namespace {

using SmoothFunction = std::function<Tensor(const Tensors&)>;

/// A function built from ops; its first input is any image, the others fit its channels.
struct Composite {
  std::string name;
  SmoothFunction f;
  int vectors = 0;  ///< inputs [C] after the image
};
void PrintTo(const Composite& composite, std::ostream* out) { *out << composite.name; }

/// The sum of f's values times fixed numbers, and its gradients, at one point.
struct Point {
  double loss = 0;
  std::vector<std::vector<double>> gradients;
};

Point evaluate_at(const SmoothFunction& f, const std::vector<Shape>& shapes,
                  const std::vector<std::vector<double>>& data) {
  const auto graph = Graph::make(Mode::eval, DType::f64);
  Tensors inputs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    inputs.push_back(graph->input("x" + std::to_string(i), {DType::f64, shapes[i]}));
  }
  const Tensor y = f(inputs);
  Array factors(DType::f64, y.shape());
  for (int64_t i = 0; i < factors.numel(); ++i)
    factors.set(i, std::cos(static_cast<double>(3 * i)));
  const Tensor loss = sum(y * graph->constant(factors));
  const Tensors wanted = gradients(loss, inputs);
  Values values(graph->values().size());
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(inputs[i].id())] = data[i];
  evaluate(*graph, values);
  Point point{values[static_cast<size_t>(loss.id())][0], {}};
  for (const Tensor& t : wanted) point.gradients.push_back(values[static_cast<size_t>(t.id())]);
  return point;
}

class Composites : public ::testing::TestWithParam<Composite> {};

// Functions built from ops have gradients for free; if one is infinite, or jumps, the parts do not
// fit together.
TEST_P(Composites, HaveTheirGradient) {
  constexpr double h = 1e-6;
  const Composite& composite = GetParam();
  for (uint64_t draw = 0; draw < 40; ++draw) {
    Random random(5, composite.name, draw);
    Shape image = pick_image(random, 4 * pick(random, 1, 2), 4);
    image.set(0, pick(random, 1, 3));
    std::vector<Shape> shapes{image};
    for (int i = 0; i < composite.vectors; ++i) shapes.push_back({image[1]});
    std::vector<std::vector<double>> data, direction;
    for (const Shape& shape : shapes) {
      for (auto* list : {&data, &direction}) {
        list->emplace_back(static_cast<size_t>(shape.numel()));
        normal(random, {list->back().data(), shape});
      }
    }
    const auto moved = [&](double by) {
      auto point = data;
      for (size_t i = 0; i < point.size(); ++i) {
        for (size_t k = 0; k < point[i].size(); ++k) point[i][k] += by * direction[i][k];
      }
      return evaluate_at(composite.f, shapes, point).loss;
    };
    const double numeric = (moved(h) - moved(-h)) / (2 * h);
    double analytic = 0, magnitude = 1;
    const Point here = evaluate_at(composite.f, shapes, data);
    for (size_t i = 0; i < data.size(); ++i) {
      for (size_t k = 0; k < data[i].size(); ++k) {
        analytic += here.gradients[i][k] * direction[i][k];
        magnitude += std::abs(here.gradients[i][k] * direction[i][k]);
      }
    }
    ASSERT_NEAR(analytic, numeric, 1e-5 * magnitude) << to_string(image);
  }
}

/// As targets: 0 or 1 by a fixed pattern, or the logarithms of a distribution.
Tensor pattern(const Tensor& like) {
  Array bits(DType::f64, like.shape());
  for (int64_t i = 0; i < bits.numel(); ++i) bits.set(i, i * 7 % 3 == 0 ? 1 : 0);
  return like.graph().constant(bits);
}

const std::vector<Composite> composites{
    {"group_norm", [](const Tensors& x) { return group_norm(x[0], 2, x[1], x[2], 0.1); }, 2},
    {"instance_norm", [](const Tensors& x) { return instance_norm(x[0], {}, x[1], 0.1); }, 1},
    {"layer_norm_channels",
     [](const Tensors& x) { return layer_norm_channels(x[0], x[1], x[2], 0.1); }, 2},
    {"global_response_norm",
     [](const Tensors& x) { return global_response_norm(x[0], x[1], x[2], 0.1); }, 2},
    {"prelu", [](const Tensors& x) { return prelu(x[0], x[1]); }, 1},
    {"layer_scale", [](const Tensors& x) { return layer_scale(x[0], x[1]); }, 1},
    {"channel_shuffle", [](const Tensors& x) { return channel_shuffle(x[0], 2); }},
    {"softmax_last", [](const Tensors& x) { return softmax(x[0], -1); }},
    {"max_axes",
     [](const Tensors& x) {
       return max(x[0], {0, -1}, true) * x[0];
     }},
    {"mean_axes", [](const Tensors& x) { return mean(x[0], {1}, true) * x[0]; }},
    {"padded_pool",
     [](const Tensors& x) {
       const Tensor padded = pad(x[0], 1, PadMode::replicate);
       return avg_pool(padded, {.kernel = 2, .stride = 1});
     }},
    {"mse", [](const Tensors& x) { return mse_loss(x[0], pattern(x[0])); }},
    {"smooth_l1", [](const Tensors& x) { return smooth_l1_loss(x[0], pattern(x[0]), 0.7); }},
    {"focal", [](const Tensors& x) { return focal_loss(x[0], pattern(x[0])); }},
    {"dice", [](const Tensors& x) { return dice_loss(sigmoid(x[0]), pattern(x[0])); }},
    {"ssim",
     [](const Tensors& x) {
       const Tensor y = sigmoid(x[0]);
       return ssim(y, pattern(y), {.window = 3});
     }},
    {"kl", [](const Tensors& x) { return kl_div(log_softmax(x[0]), log_softmax(pattern(x[0]))); }},
};

INSTANTIATE_TEST_SUITE_P(Ops, Composites, ::testing::ValuesIn(composites),
                         [](const auto& composite) { return composite.param.name; });

// A dead channel is all zeros, a confident logit is extreme: neither may give NaN.
TEST(Composites, AreFiniteAtTheEdges) {
  const auto finite = [](const SmoothFunction& f, double value) {
    const std::vector<Shape> shapes{{1, 2, 3}, {2}, {2}};
    const Point point = evaluate_at(f, shapes, {std::vector<double>(6, value), {1, 1}, {0.5, 0.5}});
    for (const auto& gradient : point.gradients) {
      for (double g : gradient) EXPECT_TRUE(std::isfinite(g)) << value;
    }
    EXPECT_TRUE(std::isfinite(point.loss)) << value;
  };
  finite([](const Tensors& x) { return global_response_norm(x[0], x[1], x[2]); }, 0);
  finite([](const Tensors& x) { return group_norm(x[0], 1, x[1], x[2]); }, 0);
  for (double value : {-800.0, 0.0, 800.0}) {
    finite([](const Tensors& x) { return focal_loss(x[0], pattern(x[0])) + sum(x[1] * x[2]); },
           value);
  }
}

}  // namespace
}  // namespace fovea::harness
