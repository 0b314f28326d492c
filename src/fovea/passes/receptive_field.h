#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// What one position of a value sees of the image along one axis: position p sees pixels
/// p * jump + start to p * jump + start + size - 1. Those outside the image are padding.
struct FieldAxis {
  int64_t size = 1, jump = 1, start = 0;
  bool operator==(const FieldAxis&) const = default;
};

/// One entry per spatial axis. Empty for a value that has no positions in the image: it does not
/// depend on it, or sees all of it (after a global mean, flatten or a linear layer).
using ReceptiveField = std::vector<FieldAxis>;

/// The receptive field of every value of the graph, by value id, in `image` [N, C, spatial]: the
/// pixels that could influence it, judging by shapes alone. Windows (Op::window) widen it; an op
/// without one that keeps the spatial sizes passes it on; where branches meet, it spans all of
/// them. Influence only through a value without positions (the gate of a squeeze-and-excite block,
/// the statistics of a batch) is not counted. Errors: usage when `image` has no spatial axis.
std::vector<ReceptiveField> receptive_fields(const Graph& graph, const Tensor& image);

/// The field of the last value that has positions, before global pooling or flatten: the usual
/// definition of a net's receptive field. Errors: as receptive_fields.
ReceptiveField receptive_field(const Graph& graph, const Tensor& image);

/// "10", or "10x20" if the axes differ.
std::string size_text(const ReceptiveField& field);
/// The same for the jumps.
std::string jump_text(const ReceptiveField& field);

}  // namespace fovea
