#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "error_text.h"
#include "fovea/models/registry.h"
#include "fovea/nn/trace.h"
#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/runtime/program.h"
#include "golden_fill.h"

// Nets for series of different lengths, padded to one.
namespace fovea {
namespace {

constexpr int64_t series_channels = 2, outputs = 3;
const std::vector<int64_t> lengths{20, 13, 7};

/// Series of those lengths, padded to `length` with `padding`; the last channel is the mask.
Array padded(int64_t length, float padding) {
  Array batch =
      Array::full(DType::f32, {std::ssize(lengths), series_channels + 1, length}, padding);
  for (int64_t n = 0; n < std::ssize(lengths); ++n) {
    for (int64_t c = 0; c <= series_channels; ++c) {
      const Array values = golden_fill::uniform("series " + std::to_string(n * 10 + c), DType::f32,
                                                {lengths[static_cast<size_t>(n)]});
      for (int64_t i = 0; i < length; ++i) {
        const bool own = i < values.numel();
        const bool mask = c == series_channels;
        batch.set((n * (series_channels + 1) + c) * length + i, mask  ? double(own)
                                                                : own ? values.at(i)
                                                                      : padding);
      }
    }
  }
  return batch;
}

class SeriesNet : public testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<nn::Module> net(bool masked) {
    return models::make(GetParam(), {.outputs = outputs,
                                     .input = Shape{series_channels + masked, 20},
                                     .choices = {{"masked", masked}}});
  }
  SeriesNet() : net_(net(true)) { golden_fill::declare(state_, *net_, DType::f32); }

  std::vector<Array> run(const nn::Module& net, const Array& x, Mode mode, State& state) {
    const auto graph = nn::trace(net, x.shape(), mode);
    if (mode == Mode::train) {
      const Tensor output = graph->output("output");
      graph->output("loss", sum(output * output));
    }
    const Program program(*graph, {.passes = {.loss = mode == Mode::train ? "loss" : ""}});
    for (const auto& [name, id] : program.graph().updates()) {
      if (name.starts_with(gradient_name("")))
        state.declare(name, program.graph().value(id).type, Role::gradient);
    }
    std::vector<Array> results = program.run(memory_, state, {{"input", x}});
    for (Array& result : results) result = result.clone();
    return results;
  }

  std::unique_ptr<nn::Module> net_;
  State state_;
  Memory memory_;
};

void expect_near(const Array& a, const Array& b, double bound, const std::string& what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  for (int64_t i = 0; i < a.numel(); ++i)
    ASSERT_NEAR(a.at(i), b.at(i), bound * (1 + std::abs(a.at(i)))) << what << "[" << i << "]";
}

TEST_P(SeriesNet, GivesAPaddedSeriesWhatItGivesForItAlone) {
  const Array together = run(*net_, padded(32, -5), Mode::eval, state_)[0];
  const auto plain = net(false);
  for (int64_t n = 0; n < std::ssize(lengths); ++n) {
    const int64_t length = lengths[static_cast<size_t>(n)];
    Array alone(DType::f32, {1, series_channels, length});
    for (int64_t c = 0; c < series_channels; ++c) {
      const Array values =
          golden_fill::uniform("series " + std::to_string(n * 10 + c), DType::f32, {length});
      for (int64_t i = 0; i < length; ++i) alone.set(c * length + i, values.at(i));
    }
    const Array own = run(*plain, alone, Mode::eval, state_)[0];
    for (int64_t k = 0; k < outputs; ++k)
      EXPECT_NEAR(own.at(k), together.at(n * outputs + k), 1e-4 * (1 + std::abs(own.at(k)))) << n;
  }
}

TEST_P(SeriesNet, LearnsNothingFromPadding) {
  // A training step: outputs, running statistics and gradients, with little padding and with much
  // of other values.
  std::vector<State> states(2);
  std::vector<Array> results;
  for (State& state : states) {
    golden_fill::declare(state, *net_, DType::f32);
    const bool first = &state == states.data();
    results.push_back(run(*net_, first ? padded(20, 0) : padded(37, 9), Mode::train, state)[0]);
  }
  expect_near(results[0], results[1], 2e-4, "output");
  for (const nn::Variable* v : net_->buffers()) {
    if (!v->name().ends_with("num_batches_tracked"))
      expect_near(states[0].get(v->name()), states[1].get(v->name()), 2e-4, v->name());
  }
  for (const nn::Variable* v : net_->parameters()) {
    const std::string name = gradient_name(v->name());
    const Array &a = states[0].get(name), &b = states[1].get(name);
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < a.numel(); ++i) {
      largest = std::max(largest, std::abs(a.at(i)));
      difference = std::max(difference, std::abs(a.at(i) - b.at(i)));
    }
    EXPECT_LE(difference, 5e-3 * largest + 1e-3) << name;
  }
}

TEST_P(SeriesNet, WithoutPaddingAMaskChangesNothing) {
  Array all = padded(7, 0);
  const int64_t rows = series_channels + 1;
  Array without(DType::f32, {3, series_channels, 7});
  for (int64_t n = 0; n < 3; ++n) {
    for (int64_t i = 0; i < 7; ++i) all.set((n * rows + series_channels) * 7 + i, 1);
    std::memcpy(without.raw() + n * series_channels * 7 * 4, all.raw() + n * rows * 7 * 4,
                static_cast<size_t>(series_channels) * 7 * 4);
  }
  State other;
  golden_fill::declare(other, *net_, DType::f32);
  const auto plain = net(false);
  expect_near(run(*net_, all, Mode::train, state_)[0], run(*plain, without, Mode::train, other)[0],
              1e-3, "output");
  for (const nn::Variable* v : plain->buffers())
    expect_near(state_.get(v->name()), other.get(v->name()), 1e-3, v->name());
}

TEST_P(SeriesNet, ANetOfAMaskAloneIsRefused) {
  EXPECT_EQ(
      error_text(
          ErrorKind::usage,
          [] {
            (void)models::make(GetParam(), {.input = Shape{1, 20}, .choices = {{"masked", true}}});
          }),
      "masked: the last channel is the mask, and there is no other\n  input   [1, 20]");
}

INSTANTIATE_TEST_SUITE_P(Registry, SeriesNet,
                         testing::Values("fcn_1d", "resnet_1d", "inception_time"),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace fovea
