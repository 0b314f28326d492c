#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "fovea/ops/conv.h"
#include "ops/harness.h"

/// Tools for worked examples: small inputs, and functions to run on them.
namespace fovea {

using harness::Data;
using harness::Function;

/// 1, 2, ..., as an image of one channel.
inline Data ramp(int64_t h, int64_t w) {
  Data data{{1, 1, h, w}, std::vector<double>(static_cast<size_t>(h * w))};
  std::iota(data.values.begin(), data.values.end(), 1.0);
  return data;
}

inline Data image(int64_t h, int64_t w, std::vector<double> values) {
  return {{1, 1, h, w}, std::move(values)};
}

inline Data vector(std::vector<double> values) {
  return {{static_cast<int64_t>(values.size())}, std::move(values)};
}

inline std::vector<double> one(const Function& f, const std::vector<Data>& in,
                               Mode mode = Mode::train) {
  return harness::run(f, in, mode)[0].values;
}

inline Function conv_with(const ConvOptions& options) {
  return [=](const Tensors& in) { return Tensors{conv2d(in[0], in[1], {}, options)}; };
}

inline void expect_near(const std::vector<double>& got, const std::vector<double>& expected,
                        double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

}  // namespace fovea
