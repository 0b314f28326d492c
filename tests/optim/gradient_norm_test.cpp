#include "fovea/optim/gradient_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fovea/core/parallel.h"
#include "fovea/core/random.h"

namespace fovea::optim {
namespace {

void set_gradients(State& state, DType dtype, double w, double b) {
  for (const auto& [name, value] : {std::pair<std::string, double>{"w", w}, {"b", b}}) {
    state.declare("grad:" + name, {dtype, {1}}, Role::gradient);
    state.set("grad:" + name, Array::full(dtype, {1}, value));
  }
}

TEST(GradientNorm, ClippingScalesToTheMaximumNorm) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    State state;
    set_gradients(state, dtype, 3, -4);
    GradientNorm norm;
    EXPECT_DOUBLE_EQ(norm.measure(state).norm, 5);
    EXPECT_EQ(norm.measure(state).clip_scale, 1);
    EXPECT_DOUBLE_EQ(norm.measure(state, 1).clip_scale, 1 / (5 + 1e-6));
    EXPECT_EQ(norm.measure(state, 7).clip_scale, 1);
  }
}

TEST(GradientNorm, DoesNotHideAGradientThatIsNotFinite) {
  for (const double number : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    State state;
    set_gradients(state, DType::f32, number, 1);
    GradientNorm norm;
    const GradientNorm::Result result = norm.measure(state, 1);
    EXPECT_FALSE(std::isfinite(result.norm)) << number;
    // 0 * inf is NaN.
    EXPECT_TRUE(std::isnan(number) ? std::isnan(result.clip_scale) : result.clip_scale == 0);
  }
}

TEST(GradientNorm, FollowsTheSetOfGradients) {
  State state;
  GradientNorm norm;
  EXPECT_EQ(norm.measure(state, 1).norm, 0);
  set_gradients(state, DType::f32, 3, -4);
  EXPECT_DOUBLE_EQ(norm.measure(state).norm, 5);
  state.remove("grad:b");
  EXPECT_DOUBLE_EQ(norm.measure(state).norm, 3);
}

TEST(GradientNorm, IsTheSameOnAnyTeam) {
  State state;
  double expected = 0;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "grad:" + std::to_string(i);
    state.declare(name, {DType::f32, {200001}}, Role::gradient);
    Random random(1, name);
    for (float& v : state.get(name).data<float>()) {
      v = static_cast<float>(random.normal());
      expected += static_cast<double>(v) * v;
    }
  }
  set_threads(1);
  const double one = GradientNorm().measure(state).norm;
  EXPECT_NEAR(one, std::sqrt(expected), 1e-9);
  for (int team : {2, 3}) {
    set_threads(team);
    EXPECT_EQ(GradientNorm().measure(state).norm, one);
  }
  set_threads(available_threads());
}

}  // namespace
}  // namespace fovea::optim
