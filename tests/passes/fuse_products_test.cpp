#include "fovea/passes/fuse_products.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/pool.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/simplify.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

/// The gradients of a block with squeeze-and-excitation: a gate from each channel's mean.
std::shared_ptr<Graph> gated(bool gate_first, bool read_twice) {
  const auto graph = make(Mode::train);
  const Tensor x = norm_layer(image(*graph), "bn");
  const Tensor gate = sigmoid(adaptive_avg_pool2d(x, 1) * parameter(*graph, "w", {16, 1, 1}));
  const Tensor y = gate_first ? gate * x : x * gate;
  graph->output("loss", sum(read_twice ? y * x : y * y));
  return simplify(*autodiff(*graph, "loss"));
}

TEST(FuseProducts, AGateCostsItsBackwardPassThreeReadsAndAWrite) {
  for (const bool gate_first : {false, true}) {
    const auto derived = gated(gate_first, false), fused = fuse_products(*derived);
    EXPECT_EQ(count(*fused, "multiply_add"), 1);
    EXPECT_EQ(count(*fused, "adaptive_avg_pool_backward"), 0);
    EXPECT_GE(count(*fused, "sum_of_products"), 1);
    EXPECT_EQ(count(*fused, "mul"), count(*derived, "mul") - count(*fused, "sum_of_products"));
    EXPECT_TRUE(same_results(*derived, *fused));
  }
}

TEST(FuseProducts, WhatElseIsReadStays) {  // the gradient has a third part, in the middle
  const auto derived = gated(false, true), fused = fuse_products(*derived);
  EXPECT_TRUE(same_results(*derived, *fused));
}

TEST(FuseProducts, AveragesOfPartsStay) {
  const auto graph = make(Mode::train);
  const Tensor x = norm_layer(image(*graph), "bn");
  const Tensor rows = adaptive_avg_pool2d(x, {2, 1});
  graph->output("loss", sum(x * rows * rows));
  const auto derived = simplify(*autodiff(*graph, "loss")), fused = fuse_products(*derived);
  EXPECT_EQ(count(*fused, "multiply_add"), 0);
  EXPECT_TRUE(same_results(*derived, *fused));
}

}  // namespace
}  // namespace fovea::pass_test
