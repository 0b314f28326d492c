#include "fovea/optim/optimizer.h"

#include <cmath>
#include <cstring>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/optim/adamw.h"
#include "fovea/optim/lamb.h"
#include "fovea/optim/muon.h"
#include "fovea/optim/rmsprop.h"
#include "fovea/optim/sgd.h"
#include "runtime/allocations.h"

namespace fovea::optim {
namespace {

/// Two parameters of one element each, a weight and a bias, with their gradients.
struct Net {
  State state;
  explicit Net(const Optimizer& optimizer, double value = 1, double gradient = 0.5,
               DType dtype = DType::f64) {
    for (const auto& [name, shape] : {std::pair<std::string, Shape>{"w", {1, 1}}, {"b", {1}}}) {
      state.declare(name, {dtype, shape}, Role::parameter);
      state.set(name, Array::full(dtype, shape, value));
      state.declare("grad:" + name, {dtype, shape}, Role::gradient);
      state.set("grad:" + name, Array::full(dtype, shape, gradient));
    }
    state.declare("alone", {dtype, {1}}, Role::parameter);  // nothing depends on it
    state.set("alone", Array::full(dtype, {1}, value));
    optimizer.declare(state);
  }
  double at(const std::string& name) { return state.get(name).at(0); }
};

TEST(Sgd, AddsWeightDecayToTheGradient) {
  const auto rule = sgd({.momentum = 0.9, .weight_decay = 0.1});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.1 * (0.5 + 0.1));
  rule->update(net.state, {.lr = 0.1});
  const double g = 0.5 + 0.1 * 0.94, buffer = 0.9 * 0.6 + g;
  EXPECT_DOUBLE_EQ(net.at("w"), 0.94 - 0.1 * buffer);
  EXPECT_DOUBLE_EQ(net.at("momentum:w"), buffer);
  EXPECT_EQ(net.at("alone"), 1);
}

TEST(Sgd, NesterovLooksAhead) {
  const auto rule = sgd({.momentum = 0.9, .nesterov = true, .weight_decay = 0.1});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.1 * (0.6 + 0.9 * 0.6));
}

TEST(Sgd, WithoutMomentumKeepsNothing) {
  const auto rule = sgd({.momentum = 0});
  Net net(*rule);
  EXPECT_TRUE(net.state.names(Role::moment).empty());
  for (int64_t step = 1; step <= 2; ++step) rule->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 0.9);
}

TEST(Sgd, ClippingScalesTheGradientAndNotTheDecay) {
  const auto rule = sgd({.momentum = 0, .weight_decay = 0.1});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1, .gradient_scale = 0.5});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.1 * (0.25 + 0.1));
}

TEST(AdamW, DecaysIndependentlyOfTheGradient) {
  const auto rule = adamw({.weight_decay = 0.1});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  // The first step is lr in the direction of the gradient, whatever its size.
  EXPECT_NEAR(net.at("w"), 1 * (1 - 0.1 * 0.1) - 0.1 * 0.5 / (0.5 + 1e-8), 1e-14);
  EXPECT_NEAR(net.at("exp_avg:w"), 0.1 * 0.5, 1e-15);
  EXPECT_NEAR(net.at("exp_avg_sq:w"), 0.001 * 0.25, 1e-15);
  // Twice the gradient gives the same step; with L2 it would not.
  Net twice(*rule, 1, 1);
  rule->update(twice.state, {.lr = 0.1});
  EXPECT_NEAR(twice.at("w"), net.at("w"), 1e-8);
  // Without a gradient only the decay remains.
  Net still(*rule, 1, 0);
  rule->update(still.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(still.at("w"), 0.99);
}

TEST(AdamW, CorrectsTheBiasOfItsMeans) {
  const auto rule = adamw({.weight_decay = 0});
  Net net(*rule);
  for (int64_t step = 1; step <= 5; ++step) {  // with equal gradients every step is lr
    rule->update(net.state, {.lr = 0.1});
    EXPECT_NEAR(net.at("w"), 1 - 0.1 * static_cast<double>(step), 1e-7);
  }
}

// PyTorch counts the steps of each parameter: one without a gradient so far starts at the full
// rate.
TEST(AdamW, UnfrozenParametersStartAsInPyTorch) {
  const auto rule = adamw({.weight_decay = 0.1});
  Net net(*rule);
  for (int step = 1; step <= 20; ++step) rule->update(net.state, {.lr = 0.01});
  EXPECT_EQ(net.at("alone"), 1);
  net.state.declare("grad:alone", {DType::f64, {1}}, Role::gradient);
  net.state.set("grad:alone", Array::full(DType::f64, {1}, 0.5));
  rule->update(net.state, {.lr = 0.01});
  // torch.optim.AdamW([w, alone], 0.01, weight_decay=0.1), alone.grad None in the first 20 steps.
  EXPECT_NEAR(net.at("alone"), 0.9890000002, 1e-12);
  EXPECT_NEAR(net.at("w"), 0.7712954397700216, 1e-12);
  EXPECT_EQ(net.at("step:alone"), 1);
  EXPECT_EQ(net.at("step:w"), 21);
}

TEST(Optimizers, FadingMomentsDoNotBecomeDenormals) {
  // They would slow down every later update by a factor of ten or more.
  for (const auto& rule : {sgd({.momentum = 0.5}), adamw({})}) {
    Net net(*rule, 1, 0, DType::f32);
    const std::string moment = net.state.contains("exp_avg:w") ? "exp_avg:w" : "momentum:w";
    net.state.set(moment, Array::full(DType::f32, {1, 1}, 1.5e-38));
    for (int step = 0; step < 8; ++step) rule->update(net.state, {.lr = 0.1});
    EXPECT_EQ(net.at(moment), 0);
  }
  volatile float small = 1.5e-38F;
  EXPECT_GT(small / 4, 0) << "the caller's own arithmetic is left as it was";
}

TEST(Optimizers, AnUpdateThatWouldTrainNothingIsRefused) {
  const auto rule = sgd({});
  Net net(*rule);
  const auto says = [&](const Update& update) {
    return error_text(ErrorKind::usage, [&] { rule->update(net.state, update); });
  };
  EXPECT_EQ(says({.gradient_scale = 1}),
            "optimizer: the update has no learning rate\n"
            "  try     optimizer->update(state, {.lr = 0.1})");
  EXPECT_TRUE(says({.lr = -1}).starts_with("optimizer: the learning rate is -1, not 0 or more"));
  EXPECT_EQ(net.at("w"), 1);
  rule->update(net.state, {.lr = 0});  // as a warm-up begins
}

TEST(Optimizers, UndeclaredMomentsNameTheMissingCall) {
  State state;
  for (const auto& [name, role] :
       {std::pair("fc.weight", Role::parameter), std::pair("grad:fc.weight", Role::gradient)})
    state.declare(name, {DType::f32, {2}}, role);
  for (const auto& rule : {sgd({}), adamw({})}) {
    const std::string text =
        error_text(ErrorKind::usage, [&] { rule->update(state, {.lr = 0.1}); });
    EXPECT_TRUE(text.starts_with("optimizer: the moments of \"fc.weight\" are not declared\n"))
        << text;
    EXPECT_NE(text.find("optimizer->declare(state) once, after nn::declare(state, model, seed)"),
              std::string::npos)
        << text;
  }
  EXPECT_NO_THROW(sgd({.momentum = 0})->update(state, {.lr = 0.1}));
}

TEST(Optimizers, CanExemptNormsAndBiasesFromDecay) {
  for (const auto& rule : {sgd({.momentum = 0, .weight_decay = 0.1, .decay = Decay::weights}),
                           adamw({.weight_decay = 0.1, .decay = Decay::weights})}) {
    Net net(*rule, 1, 0);
    rule->update(net.state, {.lr = 0.1});
    EXPECT_DOUBLE_EQ(net.at("w"), 0.99);
    EXPECT_EQ(net.at("b"), 1);
  }
}

TEST(Optimizers, GiveTheSameInFloat32) {
  for (const auto& rule : {sgd({.weight_decay = 0.1}), adamw({.weight_decay = 0.1})}) {
    Net wide(*rule), narrow(*rule, 1, 0.5, DType::f32);
    for (int64_t step = 1; step <= 3; ++step) {
      rule->update(wide.state, {.lr = 0.1});
      rule->update(narrow.state, {.lr = 0.1});
    }
    EXPECT_NEAR(narrow.at("w"), wide.at("w"), 1e-6);
  }
}

TEST(Optimizers, TellProgramsThatTheStateChanged) {
  const auto rule = parse("sgd", "0");
  Net net(*rule);
  const uint64_t version = net.state.version();
  rule->update(net.state, {.lr = 0.1});
  EXPECT_NE(net.state.version(), version);
}

/// What an optimiser computes in f32 for arrays of n elements in `updates` updates; gradients are
/// the same in each.
struct Trained {
  State state;
  Trained(Optimizer& rule, int64_t n, int updates) {
    Random random(1, "trained");
    for (const char* name : {"p", "grad:p"}) {
      state.declare(name, {DType::f32, {n}}, name[0] == 'p' ? Role::parameter : Role::gradient);
      for (float& v : state.get(name).data<float>()) v = static_cast<float>(random.normal());
    }
    rule.declare(state);
    for (int i = 0; i < updates; ++i) rule.update(state, {.lr = 0.1, .gradient_scale = 0.7});
  }
};

// Each operation rounded to f32 in the order of the formulas, and fused if the CPU can.
TEST(Optimizers, RoundAsTheirFormulasDo) {
  const auto f = [](double x) { return static_cast<float>(x); };
  const int64_t n = 1000;
  Trained before(*sgd({}), n, 0);
  const auto p = before.state.get("p").data<float>(), g = before.state.get("grad:p").data<float>();
  Trained after(*sgd({.momentum = 0.9, .nesterov = true, .weight_decay = 5e-4}), n, 2);
  Trained adam(*adamw({.weight_decay = 0.05}), n, 1);
  size_t different = 0;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    float w = p[i], b = 0;
    for (int k = 0; k < 2; ++k) {
      const float d = std::fma(w, f(5e-4), f(0.7) * g[i]);
      b = std::fma(f(0.9), b, d);
      w = std::fma(-f(0.1), std::fma(f(0.9), b, d), w);
    }
    different += w != after.state.get("p").data<float>()[i];
    const float h = f(0.7) * g[i], m = f(1 - 0.9) * h, v = f(1 - 0.999) * (h * h);
    const float scale = f(1 / std::sqrt(1 - 0.999)), rate = f(0.1 / (1 - 0.9));
    const float kept = f(1 - 0.1 * 0.05) * p[i];
    w = std::fma(-rate, m / std::fma(std::sqrt(v), scale, f(1e-8)), kept);
    different += w != adam.state.get("p").data<float>()[i];
  }
  if (instruction_set() == "SSE4") GTEST_SKIP() << "products and sums are rounded apart";
  EXPECT_EQ(different, 0u);
}

// A second copy of 11 million parameters would be 45 MB, and time.
TEST(Optimizers, ReplaceArraysInPlace) {
  for (const auto& rule :
       {sgd({}), sgd({.nesterov = true, .weight_decay = 0.1}), sgd({.momentum = 0}), adamw({})}) {
    Trained net(*rule, 100000, 1);
    const std::byte* where = net.state.get("p").raw();
    EXPECT_LT(rule->program(net.state).arena().bytes, size_t{1} << 13);
    for (const StepInfo& info : rule->program(net.state).reference_steps())
      EXPECT_TRUE(info.problem.ends_with("-> f64[]")) << info.problem;  // scalars
    const runtime_test::LargeAllocations allocations;
    for (int i = 0; i < 3; ++i) rule->update(net.state, {.lr = 0.1});
    EXPECT_EQ(allocations.count(), 0);
    EXPECT_EQ(net.state.get("p").raw(), where);
  }
}

TEST(Optimizers, CompileAgainOnlyWhenOtherParametersHaveGradients) {
  const auto rule = sgd({});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  const Program* first = &rule->program(net.state);
  rule->update(net.state, {.lr = 0.2, .gradient_scale = 0.5});
  EXPECT_EQ(&rule->program(net.state), first);
  net.state.declare("grad:alone", {DType::f64, {1}}, Role::gradient);
  rule->update(net.state, {.lr = 0.1});
  EXPECT_NE(&rule->program(net.state), first);
  net.state.remove("grad:alone");
  EXPECT_EQ(&rule->program(net.state), first);
}

TEST(Optimizers, ParametersHaveRatesOfTheirOwn) {
  const auto rule = sgd({.momentum = 0});
  const auto named = [](const char* name) {
    return [name](std::string_view parameter) { return parameter == name; };
  };
  rule->add({.contains = named("w"), .lr_scale = 0.5});
  rule->add({.contains = [](std::string_view) { return true; }, .lr_scale = 2});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.05 * 0.5);
  EXPECT_DOUBLE_EQ(net.at("b"), 1 - 0.2 * 0.5);
  rule->update(net.state, {.lr = 0.1, .group_lrs = {0, 1}});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.05 * 0.5);
  EXPECT_DOUBLE_EQ(net.at("b"), 1 - 0.2 * 0.5 - 0.5);
  expect_error(ErrorKind::usage, "the learning rate is -1, not 0 or more", [&] {
    rule->update(net.state, {.lr = 0.1, .group_lrs = {0, -1}});
  });
}

TEST(Optimizers, AGroupHasAnOptimizerOfItsOwn) {
  const auto rule = sgd({.momentum = 0, .weight_decay = 0.1});
  rule->add({.contains = [](std::string_view name) { return name == "b"; },
             .optimizer = adamw({.weight_decay = 0})});
  Net net(*rule), alone(*adamw({.weight_decay = 0}));
  rule->update(net.state, {.lr = 0.1});
  adamw({.weight_decay = 0})->update(alone.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 0.1 * (0.5 + 0.1));
  EXPECT_EQ(net.at("b"), alone.at("b"));
  EXPECT_TRUE(net.state.contains("exp_avg:b"));
  EXPECT_FALSE(net.state.contains("exp_avg:w"));
}

TEST(Optimizers, ClippingByValueLimitsEachElement) {
  const auto rule = sgd({.momentum = 0});
  for (const double gradient : {0.5, -0.5, 0.1}) {
    Net net(*rule, 1, gradient);
    rule->update(net.state, {.lr = 1, .gradient_scale = 0.8, .clip_value = 0.25});
    EXPECT_DOUBLE_EQ(net.at("w"), 1 - std::clamp(gradient * 0.8, -0.25, 0.25));
  }
}

TEST(Muon, RefusesArraysThatAreNoMatrices) {
  EXPECT_EQ(error_text(ErrorKind::usage, [] { Net net(*muon({})); }),
            "muon updates matrices and convolution filters, not arrays of fewer than two axes\n"
            "  try       --group vectors:optimizer=nesterov,lr=X for biases and norms\n"
            "  parameter b f64[1]");
}

// Its products of matrices, and LAMB's norms, would otherwise cost more than the training step.
TEST(Optimizers, RunOnFastKernels) {
  for (const auto& rule : {muon({.rescale = true}), lamb({}), rmsprop({.centered = true})}) {
    State state;
    for (const auto& [name, shape] : {std::pair<std::string, Shape>{"tall", {64, 3, 3, 3}},
                                      {"wide", {64, 64, 3, 3}},
                                      {"matrix", {10, 128}}}) {
      state.declare(name, {DType::f32, shape}, Role::parameter);
      state.declare("grad:" + name, {DType::f32, shape}, Role::gradient);
    }
    rule->declare(state);
    for (const StepInfo& info : rule->program(state).reference_steps())
      EXPECT_TRUE(info.problem.ends_with("-> f64[]")) << info.problem;  // scalars
  }
}

// A batch without any gradient, or weights of zero, must not make NaN of it.
TEST(Optimizers, StayFiniteWhereNormsAreZero) {
  for (const auto& rule : {lamb({}), muon({.rescale = true}), rmsprop({.centered = true})}) {
    rule->add(
        {.contains = [](std::string_view name) { return name != "w"; }, .optimizer = sgd({})});
    for (const double value : {0.0, 1.0}) {
      for (const double gradient : {0.0, 1.0}) {
        Net net(*rule, value, gradient);
        for (int i = 0; i < 2; ++i) rule->update(net.state, {.lr = 0.1});
        EXPECT_TRUE(std::isfinite(net.at("w"))) << value << " " << gradient;
      }
    }
  }
}

/// Adagrad with a rate by the name of the parameter.
class Adagrad : public Optimizer {
 public:
  std::vector<Moment> moments(const Type& parameter) const override {
    return {{"sum", parameter, 0.25}};
  }
  void step(ParameterStep& p) const override {
    p["sum"] = p["sum"] + p.gradient * p.gradient;
    const double factor = p.name == "w" ? 2 : 1;
    p.parameter = p.parameter - factor * p.lr * (p.gradient / sqrt(p["sum"]));
  }
};

TEST(Optimizers, FromOutsideKeepTheirDeclaredMoments) {
  Adagrad rule;
  Net net(rule);
  rule.update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("sum:w"), 0.5);
  EXPECT_DOUBLE_EQ(net.at("w"), 1 - 2 * 0.1 * 0.5 / std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(net.at("b"), 1 - 0.1 * 0.5 / std::sqrt(0.5));
}

class Wrong : public Optimizer {
 public:
  void step(ParameterStep& p) const override { p.parameter = p.lr * 1.0; }
};

TEST(Optimizers, ANewValueOfAnotherTypeIsRefused) {
  Wrong rule;
  Net net(rule);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { rule.update(net.state, {.lr = 0.1}); }),
            "optimizer: the new value of \"w\" has another type\n"
            "  given    f64[]\n"
            "  expected f64[1, 1]");
  EXPECT_EQ(net.at("w"), 1);
}

/// A parameter of 1 after one update of `text` with the gradient 0.5.
double after(const char* text, const char* decay = "0", int updates = 1) {
  const auto rule = parse(text, decay);
  Net net(*rule);
  for (int i = 0; i < updates; ++i) rule->update(net.state, {.lr = 0.1});
  return net.at("w");
}

TEST(Parse, ReadsNamesAndArguments) {
  EXPECT_EQ(after("sgd", "0", 2), after("sgd:0.9", "0", 2));
  EXPECT_EQ(after("sgd:momentum=0.5", "0", 2), after("sgd:0.5", "0", 2));
  EXPECT_NE(after("sgd:0", "0", 2), after("sgd", "0", 2));
  EXPECT_EQ(after("nesterov"), after("nesterov:0.9"));
  EXPECT_EQ(after("adamw", "0", 2), after("adamw:0.9:0.999,eps=1e-8", "0", 2));
  EXPECT_NE(after("adamw:eps=1"), after("adamw"));
  const auto weights = parse("sgd:0", "0.1:weights");
  Net net(*weights, 1, 0);
  weights->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 0.99);
  EXPECT_EQ(net.at("b"), 1);
}

TEST(Parse, ErrorsListTheKnownNames) {
  const auto says = [](const char* optimizer, const char* decay) {
    return error_text(ErrorKind::usage, [&] { (void)parse(optimizer, decay); });
  };
  const std::string adam = says("adam", "0");
  EXPECT_TRUE(adam.starts_with("unknown optimizer \"adam\"\n  nearest adamw\n")) << adam;
  EXPECT_NE(
      adam.find("sgd[:MOMENTUM], nesterov[:MOMENTUM], adamw[:BETA1[:BETA2[:EPS]]], rmsprop[:ALPHA"),
      std::string::npos)
      << adam;
  EXPECT_EQ(says("sgd:x", "0"),
            "optimizer sgd: momentum must be a number of at least 0 and below 1, not \"x\"\n"
            "  usage   sgd[:MOMENTUM]");
  for (const auto& [text, what] : {std::pair("sgd:1", "below 1, not \"1\""),
                                   {"nesterov:0", "above 0 and below 1, not \"0\""},
                                   {"sgd:0.9:1", "at most 1 argument"},
                                   {"adamw:beta3=0", "no argument \"beta3\""}}) {
    EXPECT_NE(says(text, "0").find(what), std::string::npos) << says(text, "0");
  }
  for (const char* decay : {"-1", "", "0.1:norms", "-1:weights", "0.1:weights:weights"}) {
    EXPECT_EQ(says("sgd", decay),
              "weight-decay must be a number of at least 0, or NUMBER:weights, not \"" +
                  std::string(decay) +
                  "\"\n"
                  "  try     0.0005, or 0.0005:weights to exempt norms and biases");
  }
}

TEST(Parse, KnowsAddedOptimizers) {
  add({.choice = {.name = "adagrad", .arguments = {}},
       .make = [](const Arguments&, const WeightDecay&) { return std::make_unique<Adagrad>(); }});
  EXPECT_DOUBLE_EQ(after("adagrad"), 1 - 2 * 0.1 * 0.5 / std::sqrt(0.5));
  expect_error(ErrorKind::usage, "taken", [] { add(optimizers()[0]); });
}

}  // namespace
}  // namespace fovea::optim
