#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "fovea/graph/graph.h"

namespace fovea {

struct PipelineOptions {
  std::string loss = {};    ///< the output to differentiate; empty: no gradients
  bool accumulate = false;  ///< gradients are added to those in the State
  bool scale_loss = false;  ///< see GradientOptions
  /// bf16 or f16: see narrow_precision; other types leave the graph as it was traced.
  DType precision = DType::f32;
  /// Fuses chains of elementwise ops into one kernel each: for graphs of flat arrays, not for nets.
  bool fuse_elementwise = false;
  bool recompute = false;  ///< segments of the forward pass: see RecomputeOptions
  int threads = 1;  ///< the team that the kernels are chosen for; a Program sets it to its own
  /// Called after each pass with its name, the graph before and after it, and the seconds it took.
  std::function<void(std::string_view pass, const Graph& before, const Graph& after,
                     double seconds)>
      observe = nullptr;
};

/// Applies the passes of compilation to a traced graph, in order; the graph is verified after each
/// one.
std::shared_ptr<Graph> run_passes(const Graph& traced, const PipelineOptions& options);

}  // namespace fovea
