#include "fovea/optim/optimizer.h"

#include <cmath>

#include "error_text.h"

namespace fovea::optim {
namespace {

/// Two parameters of one value each, a weight and a bias, with their gradients.
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

TEST(AdamW, DecaysApartFromTheGradient) {
  const auto rule = adamw({.weight_decay = 0.1});
  Net net(*rule);
  rule->update(net.state, {.lr = 0.1});
  // The first step is lr in the direction of the gradient, whatever its size.
  EXPECT_NEAR(net.at("w"), 1 * (1 - 0.1 * 0.1) - 0.1 * 0.5 / (0.5 + 1e-8), 1e-14);
  EXPECT_NEAR(net.at("exp_avg:w"), 0.1 * 0.5, 1e-15);
  EXPECT_NEAR(net.at("exp_avg_sq:w"), 0.001 * 0.25, 1e-15);
  // Of twice the gradient the step is the same, with L2 it would not be.
  Net twice(*rule, 1, 1);
  rule->update(twice.state, {.lr = 0.1});
  EXPECT_NEAR(twice.at("w"), net.at("w"), 1e-8);
  // Without a gradient only the decay is left.
  Net still(*rule, 1, 0);
  rule->update(still.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(still.at("w"), 0.99);
}

TEST(AdamW, CorrectsTheBiasOfItsMeans) {
  const auto rule = adamw({.weight_decay = 0});
  Net net(*rule);
  for (int64_t step = 1; step <= 5; ++step) {  // of equal gradients every step is lr
    rule->update(net.state, {.lr = 0.1});
    EXPECT_NEAR(net.at("w"), 1 - 0.1 * static_cast<double>(step), 1e-7);
  }
}

// PyTorch counts the steps of each parameter: one without a gradient so far starts at the full
// rate.
TEST(AdamW, WhatWasFrozenStartsAsPyTorchStartsIt) {
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

TEST(Optimizers, MomentsThatFadeDoNotStayAsDenormals) {
  // They would slow every later update down by a factor of ten and more.
  for (const auto& rule : {sgd({.momentum = 0.5}), adamw({})}) {
    Net net(*rule, 1, 0, DType::f32);
    const std::string moment = rule->text() == "adamw" ? "exp_avg:w" : "momentum:w";
    net.state.set(moment, Array::full(DType::f32, {1, 1}, 1.5e-38));
    for (int step = 0; step < 8; ++step) rule->update(net.state, {.lr = 0.1});
    EXPECT_EQ(net.at(moment), 0) << rule->text();
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

TEST(Optimizers, MomentsThatWereNotDeclaredNameTheCallThatDoes) {
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

TEST(Optimizers, CanLeaveNormsAndBiasesAlone) {
  for (const auto& rule : {sgd({.momentum = 0, .weight_decay = 0.1, .decay = Decay::weights}),
                           adamw({.weight_decay = 0.1, .decay = Decay::weights})}) {
    Net net(*rule, 1, 0);
    rule->update(net.state, {.lr = 0.1});
    EXPECT_DOUBLE_EQ(net.at("w"), 0.99) << rule->text();
    EXPECT_EQ(net.at("b"), 1) << rule->text();
  }
}

TEST(Optimizers, DoTheSameInFloat32) {
  for (const auto& rule : {sgd({.weight_decay = 0.1}), adamw({.weight_decay = 0.1})}) {
    Net wide(*rule), narrow(*rule, 1, 0.5, DType::f32);
    for (int64_t step = 1; step <= 3; ++step) {
      rule->update(wide.state, {.lr = 0.1});
      rule->update(narrow.state, {.lr = 0.1});
    }
    EXPECT_NEAR(narrow.at("w"), wide.at("w"), 1e-6) << rule->text();
  }
}

TEST(Optimizers, TellProgramsThatTheStateChanged) {
  const auto rule = parse("sgd", "0");
  Net net(*rule);
  const uint64_t version = net.state.version();
  rule->update(net.state, {.lr = 0.1});
  EXPECT_NE(net.state.version(), version);
}

TEST(Clipping, ScalesToTheLargestNormAllowed) {
  const auto rule = parse("sgd:0", "0");
  Net net(*rule);
  net.state.set("grad:w", Array::full(DType::f64, {1, 1}, 3));
  net.state.set("grad:b", Array::full(DType::f64, {1}, -4));
  EXPECT_DOUBLE_EQ(gradient_norm(net.state), 5);
  EXPECT_DOUBLE_EQ(clip_scale(5, 1), 1 / (5 + 1e-6));
  EXPECT_EQ(clip_scale(0.5, 1), 1);
}

TEST(Clip, DoesNotHideAGradientThatIsNotFinite) {
  for (const double number : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Net net(*sgd({}), 1, 2);
    net.state.set("grad:w", Array::full(DType::f64, {1, 1}, number));
    net.state.set("grad:b", Array::full(DType::f64, {1}, 1));
    EXPECT_FALSE(std::isfinite(gradient_norm(net.state))) << number;
  }
  EXPECT_TRUE(std::isnan(clip_scale(std::nan(""), 1)));
  EXPECT_EQ(clip_scale(HUGE_VAL, 1), 0);  // 0 * inf is NaN
}

TEST(Parse, ReadsBackWhatItSays) {
  for (const char* text : {"sgd:0.9", "sgd:0", "nesterov:0.95", "adamw"})
    EXPECT_EQ(parse(text, "5e-4")->text(), text);
  EXPECT_EQ(parse("sgd", "0")->text(), "sgd:0.9");
  EXPECT_EQ(parse("nesterov", "0")->text(), "nesterov:0.9");
  const auto weights = parse("sgd:0", "0.1:weights");
  Net net(*weights, 1, 0);
  weights->update(net.state, {.lr = 0.1});
  EXPECT_DOUBLE_EQ(net.at("w"), 0.99);
  EXPECT_EQ(net.at("b"), 1);
}

TEST(Parse, SaysWhatThereIs) {
  const auto says = [](const char* optimizer, const char* decay) {
    return error_text(ErrorKind::usage, [&] { (void)parse(optimizer, decay); });
  };
  EXPECT_EQ(says("adam", "0"),
            "unknown optimizer \"adam\"\n"
            "  nearest adamw\n"
            "  try     sgd[:MOMENTUM], nesterov[:MOMENTUM], adamw");
  EXPECT_EQ(says("sgd:x", "0"), "optimizer: \"x\" is not a number of 0 or more");
  EXPECT_EQ(says("sgd:1", "0"), "optimizer: momentum is 1, below 1 is possible");
  EXPECT_EQ(says("nesterov:0", "0"), "optimizer: momentum is 0, above 0 and below 1 is possible");
  EXPECT_EQ(says("sgd", "-1"), "weight-decay: \"-1\" is not a number of 0 or more");
  EXPECT_EQ(says("sgd", ""), "weight-decay: \"\" is not a number of 0 or more");
  EXPECT_EQ(says("sgd", "0.1:norms"),
            "weight-decay: cannot read \"0.1:norms\"\n"
            "  try     a number, or NUMBER:weights to leave norms and biases alone");
  expect_error(ErrorKind::usage, "unknown optimizer \"adamw:0.9\"",
               [] { (void)parse("adamw:0.9", "0"); });
}

}  // namespace
}  // namespace fovea::optim
