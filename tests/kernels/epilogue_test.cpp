#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fovea/core/random.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/conv.h"
#include "fovea/runtime/eval.h"

namespace fovea {
namespace {

Array random_array(const Shape& shape, const std::string& name) {
  Random random(3, name);
  Array array(DType::f32, shape);
  for (float& value : array.data<float>()) value = static_cast<float>(random.normal());
  return array;
}

/// A convolution, then act(conv), from graphs of their own, so that the second is one kernel.
struct Results {
  Array conv, fused;
};
Results convolve(UnaryKind kind, double alpha, const Array& x, const Array& weight,
                 const ConvOptions& options) {
  const auto run = [&](bool activation) {
    return eval(
        [&](const Tensors& t) {
          const Tensor y = conv(t[0], t[1], {}, options);
          return Tensors{activation ? y.graph().add_one(Unary{kind, alpha}, {y}) : y};
        },
        {x, weight})[0];
  };
  return {run(false), run(true)};
}

TEST(Epilogue, OfAnyActivationIsWhatItIsByItself) {
  for (int64_t k = 0; k <= static_cast<int64_t>(UnaryKind::hardswish); ++k) {
    const auto kind = static_cast<UnaryKind>(k);
    const double alpha = kind == UnaryKind::elu ? 1 : 0.2;
    for (const auto& [channels, groups] : {std::pair{3, 1}, {32, 1}, {20, 1}, {32, 32}}) {
      const Results r = convolve(kind, alpha, random_array({9, channels, 6, 5}, "x"),
                                 random_array({32, channels / groups, 3, 3}, "w"),
                                 {.padding = 1, .groups = groups});
      for (int64_t i = 0; i < r.conv.numel(); ++i) {
        const double x = r.conv.at(i);
        ASSERT_NEAR(r.fused.at(i), unary_rule(kind).f(x, alpha), 2e-6 * (1 + std::abs(x)))
            << unary_rule(kind).name << " of " << x;
      }
    }
  }
}

TEST(Epilogue, PropagatesNaN) {
  for (int64_t k = 0; k <= static_cast<int64_t>(UnaryKind::hardswish); ++k) {
    const auto kind = static_cast<UnaryKind>(k);
    for (const int64_t channels : {3, 32}) {
      Array x = random_array({2, channels, 4, 4}, "x");
      x.set(0, std::numeric_limits<double>::quiet_NaN());
      const Results r = convolve(kind, 0.2, x, random_array({32, channels, 1, 1}, "w"), {});
      for (int64_t i = 0; i < r.conv.numel(); ++i) {
        ASSERT_EQ(std::isnan(r.fused.at(i)), std::isnan(r.conv.at(i))) << unary_rule(kind).name;
      }
    }
  }
}

}  // namespace
}  // namespace fovea
