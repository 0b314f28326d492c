#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "fovea/graph/graph.h"

namespace fovea {

struct PipelineOptions {
  std::string loss = {};    ///< the output to differentiate; empty: no gradients
  bool accumulate = false;  ///< gradients are added to what the State holds
  /// Chains of elementwise ops become one kernel each: for graphs of flat arrays, not for nets.
  bool fuse_elementwise = false;
  /// Called after each pass with its name, the graph before and after it, and the seconds it took.
  std::function<void(std::string_view pass, const Graph& before, const Graph& after,
                     double seconds)>
      observe = nullptr;
};

/// What compilation does to a traced graph, from top to bottom; the graph is verified after every
/// pass.
std::shared_ptr<Graph> run_passes(const Graph& traced, const PipelineOptions& options);

}  // namespace fovea
