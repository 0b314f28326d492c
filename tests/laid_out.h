#pragma once

#include "fovea/kernels/onednn/layout.h"
#include "fovea/ops/conv.h"
#include "fovea/passes/layout.h"

namespace fovea {

/// The graph with the layouts of a machine that prefers these, whatever the one of the test does.
inline std::shared_ptr<Graph> laid_out(const Graph& graph,
                                       const std::function<Layout(const Type&)>& preferred) {
  return assign_layouts(graph, preferred, [&](const Problem& problem) {
    std::vector<PricedLayouts> offers;
    const Op& op = problem.op;
    if (op.as<Conv>() || op.as<ConvBackwardData>() || op.as<ConvBackwardWeights>()) {
      for (Layouts& layouts : onednn::convolution_layouts(problem, preferred))
        offers.push_back({std::move(layouts), 0});
    }
    return offers;
  });
}

}  // namespace fovea
