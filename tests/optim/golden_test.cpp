// Updates of parameters and learning rates as PyTorch, or the paper's formulas, have them.

#include <gtest/gtest.h>

#include <set>

#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "golden_fill.h"

namespace fovea::optim {
namespace {

const std::map<std::string, Shape>& shapes() {
  static const std::map<std::string, Shape> all{
      {"wide", {4, 6}}, {"tall", {7, 3}}, {"filter", {4, 3, 3, 3}}, {"vector", {5}}};
  return all;
}

/// The golden parameters of each optimiser, by the text of --optimizer and "STEPS/NAME".
std::map<std::string, std::map<std::string, Array>> golden_updates() {
  std::map<std::string, std::map<std::string, Array>> all;
  for (const auto& [key, array] : golden_fill::file("optimizers")) {
    const size_t slash = key.find('/');
    all[key.substr(0, slash)].emplace(key.substr(slash + 1), array);
  }
  return all;
}

/// Ten updates as in scripts/golden/optimizers.py; `check` is called after the first and the last.
void train(const std::string& text, DType dtype, const std::map<std::string, Array>& expected,
           const std::function<void(const std::string& key, const Array& got)>& check) {
  State state;
  const auto rule = parse(text, "0.01");
  for (const auto& [name, shape] : shapes()) {
    if (!expected.contains("1/" + name)) continue;
    state.declare(name, {dtype, shape}, Role::parameter);
    state.set(name, golden_fill::uniform("parameter:" + name, dtype, shape));
    state.declare("grad:" + name, {dtype, shape}, Role::gradient);
  }
  rule->declare(state);
  for (int step = 1; step <= 10; ++step) {
    for (const std::string& name : state.names(Role::parameter)) {
      state.set("grad:" + name,
                golden_fill::uniform("gradient:" + std::to_string(step) + ":" + name, dtype,
                                     shapes().at(name)));
    }
    rule->update(state, {.lr = 0.02});
    if (step != 1 && step != 10) continue;
    for (const std::string& name : state.names(Role::parameter))
      check(std::to_string(step) + "/" + name, state.get(name));
  }
}

double largest_difference(const Array& a, const Array& b) {
  double largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i) largest = std::max(largest, std::abs(a.at(i) - b.at(i)));
  return largest;
}

TEST(OptimizerGolden, TenUpdatesAreThoseOfPyTorch) {
  std::set<std::string> names;
  for (const auto& [text, expected] : golden_updates()) {
    names.insert(text.substr(0, text.find(':')));
    size_t compared = 0;
    train(text, DType::f64, expected, [&](const std::string& key, const Array& got) {
      EXPECT_LT(largest_difference(got, expected.at(key)), 1e-12) << text << " " << key;
      ++compared;
    });
    EXPECT_EQ(compared, expected.size()) << text;
  }
  EXPECT_EQ(names, (std::set<std::string>{"adamw", "lamb", "muon", "nesterov", "rmsprop", "sgd"}));
}

TEST(OptimizerGolden, InFloat32TheyAreCloseToThat) {
  for (const auto& [text, expected] : golden_updates()) {
    train(text, DType::f32, expected, [&](const std::string& key, const Array& got) {
      EXPECT_LT(largest_difference(got, expected.at(key)), 2e-5) << text << " " << key;
    });
  }
}

TEST(ScheduleGolden, RatesAreThoseOfPyTorch) {
  const std::map<std::string, Array> golden = golden_fill::file("schedules");
  std::vector<double> scores;
  for (int64_t i = 0; i < 20; ++i) scores.push_back(golden.at("metric").at(i));
  for (const auto& [text, rates] : golden) {
    if (text == "metric") continue;
    const int64_t count = rates.numel();
    const double step = 20 / static_cast<double>(count);
    const Schedule schedule(text, 20, 0, step);
    for (int64_t i = 0; i < count; ++i) {
      const double epoch = static_cast<double>(i) * step;
      const auto past = std::span(scores).first(static_cast<size_t>(epoch));
      EXPECT_NEAR(schedule.factor(epoch, past), rates.at(i), 1e-12) << text << " at " << epoch;
    }
  }
}

}  // namespace
}  // namespace fovea::optim
