#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea::train {

/// A training step's graph without its gradients, as one that measures the running statistics of
/// batch norms anew: they become the mean of the statistics of the batches so far, of which the
/// input "count" (f64) is the number, this one included. Nothing else is updated.
std::shared_ptr<Graph> statistics_graph(const Graph& step);

}  // namespace fovea::train
