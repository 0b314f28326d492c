#pragma once

#include <cstddef>
#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// How much of the forward pass the backward pass may compute again.
struct RecomputeOptions {
  /// How many values, each computed from the one before, may be missing between two that are kept:
  /// more save more, until those of one such chain take as much memory as what they save. 0: none.
  int depth = 2;
  int ops = 2;                          ///< the maximum number of ops to compute a value again
  size_t min_bytes = size_t{1} << 16;   ///< smaller values are kept
  size_t min_saved = size_t{64} << 20;  ///< all are kept if those to compute again have fewer bytes
  /// How much longer the step may take, as a share of the time of its operations, of which 25 take
  /// about as long as to compute a byte again. Once that is spent, what follows is kept.
  double share = 0.05;
  /// Instead, all ops: the forward pass is cut into segments, what crosses the cuts is kept, and
  /// the backward pass computes one segment after another again, all but the last (Chen et al.
  /// 2016: Training deep nets with sublinear memory cost). In the last one, as above, whatever the
  /// time.
  bool segments = false;
};

/// Has the backward pass compute results of the forward pass again that take little more than
/// reading and writing memory (activations, sums, norms whose statistics are known) from values
/// that it needs anyway, right before it first uses them, so that they need not be kept from one
/// pass to the other. The gradients have the same bits. For graphs with gradients, after
/// simplify, which would merge both computations.
std::shared_ptr<Graph> recompute(const Graph& graph, const RecomputeOptions& options = {});

}  // namespace fovea
