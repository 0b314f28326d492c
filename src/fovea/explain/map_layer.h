#pragma once

#include <string>
#include <string_view>

#include "fovea/graph/graph.h"

namespace fovea::explain {

/// A value inside a model whose map shows where a class was seen.
struct Layer {
  /// The module that returned it, "layer4", or a module and the ops after it: "conv3+relu".
  std::string name;
  Tensor value;  ///< [N, C, spatial...]
};

/// The layer of that name in a graph in which a model maps `input` [N, C, spatial...] to `output`.
/// "" chooses the deepest value with a map: of those between input and output the last one with the
/// fewest positions, but more than one, or the last of all if none has more. That is the value
/// before global pooling or flatten, or before a map of classes is scaled up to the input's size.
/// Errors: usage when there is none, for an unknown name (with the names that there are), or a
/// layer without spatial axes.
Layer find_layer(const Tensor& input, const Tensor& output, const std::string& name);

/// The deepest value with a map that all of `outputs` come from: the feature map that a head with
/// several branches sees. Errors: usage when there is none.
Layer shared_layer(const Tensor& input, const Tensors& outputs);

/// The output if `layer` had the value `other` (of the same type but for the batch): the ops that
/// depend on it are added to the graph once more.
Tensor with_layer(const Tensor& output, const Tensor& layer, const Tensor& other);

}  // namespace fovea::explain
