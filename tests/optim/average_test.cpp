#include "fovea/optim/average.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "error_text.h"
#include "fovea/core/random.h"

namespace fovea::optim {
namespace {

constexpr int64_t n = 1000;

/// A weight and running statistics, which change at each call of `move`.
struct MovingNet {
  State state;
  explicit MovingNet(DType dtype = DType::f32) {
    state.declare("w", {dtype, {n}}, Role::parameter);
    state.declare("mean", {dtype, {n}}, Role::buffer);
    state.declare("batches", {DType::i64, {}}, Role::buffer);
    move();
  }
  void move() {
    for (const char* name : {"w", "mean"}) {
      for (int64_t i = 0; i < n; ++i) state.get(name).set(i, random.normal());
    }
    state.touch();
  }
  std::vector<double> list(const std::string& name) {
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(state.get(name).at(i));
    return values;
  }
  Random random{1, "average"};
};

void expect_near(const std::vector<double>& got, const std::vector<double>& expected) {
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(Average, ExponentialFollowsItsFormula) {
  MovingNet net;
  Average ema = Average::exponential(0.9);
  ema.declare(net.state);
  std::vector<double> expected = net.list("w"), statistics = net.list("mean");
  for (int step = 0; step < 20; ++step) {
    net.move();
    ema.update(net.state);
    const std::vector<double> w = net.list("w"), mean = net.list("mean");
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] = 0.9 * expected[i] + 0.1 * w[i];
      statistics[i] = 0.9 * statistics[i] + 0.1 * mean[i];
    }
  }
  expect_near(net.list("average:w"), expected);
  expect_near(net.list("average:mean"), statistics);
  EXPECT_FALSE(net.state.contains("average:batches"));
}

TEST(Average, EqualIsTheMeanOfAllUpdates) {
  MovingNet net;
  Average swa = Average::equal();
  swa.declare(net.state);
  std::vector<double> sum(n, 0);
  for (int step = 1; step <= 20; ++step) {
    net.move();
    swa.update(net.state);
    const std::vector<double> now = net.list("w");
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += now[i];
    EXPECT_EQ(net.state.get("averaged").at(0), step);
    if (step == 1) {
      EXPECT_EQ(net.list("average:w"), now);
    }
  }
  for (double& s : sum) s /= 20;
  expect_near(net.list("average:w"), sum);
}

TEST(Average, SwapsBackAndForth) {
  MovingNet net;
  Average ema = Average::exponential(0.5);
  ema.declare(net.state);
  net.move();
  ema.update(net.state);
  const auto weights = net.list("w"), averages = net.list("average:w");
  const uint64_t version = net.state.version();
  ema.swap(net.state);
  EXPECT_NE(net.state.version(), version);
  EXPECT_EQ(net.list("w"), averages);
  EXPECT_EQ(net.list("average:w"), weights);
  ema.swap(net.state);
  EXPECT_EQ(net.list("w"), weights);
}

TEST(Average, AResumedRunKeepsItsAverages) {
  MovingNet net;
  Average::exponential(0.9).declare(net.state);
  const auto averages = net.list("average:w");
  net.move();
  Average::exponential(0.9).declare(net.state);
  EXPECT_EQ(net.list("average:w"), averages);
}

TEST(Average, SaysWhatIsWrong) {
  MovingNet net;
  Average ema = Average::exponential(0.9);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { ema.update(net.state); }),
            "average: the average of \"w\" is not declared\n"
            "  try     average.declare(state) once, after nn::declare(state, model, seed)");
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)Average::exponential(1.5); }),
            "average: the decay is 1.5; a number from 0 to 1 is expected");
}

}  // namespace
}  // namespace fovea::optim
