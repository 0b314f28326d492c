#include "fovea/kernels/simd/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fovea/core/parallel.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

template <class T>
std::vector<T> random_numbers(int64_t n, std::string_view purpose) {
  Random random(1, purpose);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values) v = static_cast<T>(static_cast<float>(random.normal()));
  return values;
}

template <class T>
struct Parameters {
  explicit Parameters(int64_t n)
      : param(random_numbers<T>(n, "param")),
        grad(random_numbers<T>(n, "grad")),
        first(static_cast<size_t>(n)),
        second(static_cast<size_t>(n)) {}
  std::vector<T> param, grad, first, second;
};

/// Runs the same steps in f32 (each instruction set, 1 to 3 threads) and f64: they must agree to
/// 16 eps, and threads must not change a bit.
template <class Step>
void expect_f32_like_f64(const Step& steps) {
  for (int64_t n : {0, 1, 7, 33, 1000, 40001}) {
    Parameters<double> exact(n);
    steps(exact);
    for_each_instruction_set([&](std::string_view set) {
      std::vector<float> one_thread;
      for (int team : {1, 2, 3}) {
        set_threads(team);
        Parameters<float> p(n);
        steps(p);
        for (size_t i = 0; i < p.param.size(); ++i) {
          ASSERT_NEAR(p.param[i], exact.param[i],
                      16 * 0x1p-23 * std::max(1.0, std::abs(exact.param[i])))
              << set << ", element " << i << " of " << n;
        }
        if (team == 1) one_thread = p.param;
        EXPECT_EQ(p.param, one_thread) << set << ", " << team << " threads";
      }
    });
  }
  set_threads(available_threads());
}

TEST(Sgd, FollowsItsFormulaByHand) {
  double param = 1, buffer = 99;
  const double grad = 0.5;
  SgdStep step{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .first_step = true};
  sgd_update(&param, &grad, &buffer, 1, step);  // g = 0.51
  EXPECT_DOUBLE_EQ(buffer, 0.51);
  EXPECT_DOUBLE_EQ(param, 1 - 0.051);
  step.first_step = false;
  step.nesterov = true;
  step.grad_scale = 2;
  const double g = 1 + 0.01 * param, expected = 0.9 * 0.51 + g;
  const double before = param;
  sgd_update(&param, &grad, &buffer, 1, step);
  EXPECT_DOUBLE_EQ(buffer, expected);
  EXPECT_DOUBLE_EQ(param, before - 0.1 * (g + 0.9 * expected));
  sgd_update(&param, &grad, static_cast<double*>(nullptr), 1, {.lr = 0});  // no buffer is needed
}

TEST(Sgd, VectorsFollowTheFloat64Form) {
  for (bool nesterov : {false, true}) {
    for (double momentum : {0.0, 0.9}) {
      expect_f32_like_f64([&](auto& p) {
        SgdStep step{.lr = 0.1,
                     .momentum = momentum,
                     .nesterov = nesterov,
                     .weight_decay = 5e-4,
                     .first_step = true,
                     .grad_scale = 0.7};
        for (int i = 0; i < 3; ++i) {
          sgd_update(p.param.data(), p.grad.data(), p.first.data(),
                     static_cast<int64_t>(p.param.size()), step);
          step.first_step = false;
        }
      });
    }
  }
}

TEST(AdamW, FollowsItsFormulaByHand) {
  double param = 1, m = 0, v = 0;
  const double grad = 0.5;
  AdamWStep step{.lr = 0.1, .weight_decay = 0.01};
  adamw_update(&param, &grad, &m, &v, 1, step);  // the first step is lr * sign(g)
  EXPECT_NEAR(param, (1 - 0.001) - 0.1, 1e-8);
  EXPECT_DOUBLE_EQ(m, 0.05);
  EXPECT_DOUBLE_EQ(v, 0.00025);
  step.step = 2;
  step.grad_scale = 0;
  const double before = param;
  adamw_update(&param, &grad, &m, &v, 1, step);
  const double expected =
      0.1 / (1 - 0.81) * 0.045 / (std::sqrt(0.00025 * 0.999) / std::sqrt(1 - 0.999 * 0.999) + 1e-8);
  EXPECT_NEAR(param, before * 0.999 - expected, 1e-12);
}

TEST(AdamW, VectorsFollowTheFloat64Form) {
  expect_f32_like_f64([&](auto& p) {
    AdamWStep step{.lr = 0.01, .weight_decay = 0.05, .grad_scale = 1.3};
    for (step.step = 1; step.step <= 3; ++step.step) {
      adamw_update(p.param.data(), p.grad.data(), p.first.data(), p.second.data(),
                   static_cast<int64_t>(p.param.size()), step);
    }
  });
}

TEST(SumOfSquares, IsExactToDoubleAndTheSameOnAnyTeam) {
  for (int64_t n : {0, 1, 31, 1000, 200001}) {
    const std::vector<float> x = random_numbers<float>(n, "squares");
    const std::vector<double> wide(x.begin(), x.end());
    double expected = 0;
    for (double v : wide) expected += v * v;
    EXPECT_NEAR(sum_of_squares(wide.data(), n), expected, 1e-10 * expected);
    for_each_instruction_set([&](std::string_view set) {
      set_threads(1);
      const double one = sum_of_squares(x.data(), n);
      EXPECT_NEAR(one, expected, 1e-10 * expected) << set;
      for (int team : {2, 3}) {
        set_threads(team);
        EXPECT_EQ(sum_of_squares(x.data(), n), one) << set;
      }
    });
    set_threads(available_threads());
  }
  const float large[] = {1e30f, 1e30f};  // squares beyond f32: a huge gradient is still a number
  EXPECT_NEAR(sum_of_squares(large, 2), 2e60, 1e54);
  const float broken[] = {1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(std::isnan(sum_of_squares(broken, 2)));
}

}  // namespace
}  // namespace fovea::kernel_test
