#pragma once

#include <limits>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "fovea/core/random.h"
#include "fovea/graph/graph.h"
#include "fovea/passes/recompute.h"

/// Tools for tests of passes: nets to rewrite, and checks that a graph still computes the same.
namespace fovea::pass_test {

/// Data by the name of an input or State array.
using Leaves = std::map<std::string, std::vector<double>>;

/// Random data for each leaf of a graph; variances positive.
Leaves random_leaves(const Graph& graph, uint64_t seed);

/// The outputs, and the updates under "update NAME", by the ops' float64 references. Leaves that
/// `leaves` lacks are drawn by their names, so that two graphs get the same.
Leaves results(const Graph& graph, Leaves leaves = {});

/// Both graphs have the same outputs and updates, and give the same numbers within 1e-9 of the
/// largest.
testing::AssertionResult same_results(const Graph& a, const Graph& b);

/// A net of convolutions, norms, relus and adds on N=2, C=16 images, wired at random: results used
/// twice, two norms that meet in one add, outputs in the middle. Outputs "loss" (a scalar), "a",
/// "b".
std::shared_ptr<Graph> random_net(Random& random, Mode mode);

/// A parameter and a State array, both f64.
Tensor parameter(Graph& graph, const std::string& name, const Shape& shape);
Tensor state(Graph& graph, const std::string& name, const Shape& shape);

/// A 3x3 convolution from 16 to 16 channels, and a batch norm that keeps its statistics.
Tensor conv_layer(const Tensor& x, const std::string& name, bool bias = false);
Tensor norm_layer(const Tensor& x, const std::string& name);

/// How many nodes are called `op`.
int count(const Graph& graph, std::string_view op);

/// Recomputes whatever the memory it saves and the time it takes.
inline const RecomputeOptions everything{
    .min_bytes = 0, .min_saved = 0, .share = std::numeric_limits<double>::infinity()};

inline std::shared_ptr<Graph> make(Mode mode) { return Graph::make(mode, DType::f64); }
/// An input of 1x16x2x2.
inline Tensor image(Graph& graph, const std::string& name = "x") {
  return graph.input(name, {DType::f64, {1, 16, 2, 2}});
}

}  // namespace fovea::pass_test
