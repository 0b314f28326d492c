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
/// "" chooses the last value before global pooling or flatten: the last with more than one position
/// that depends on the input and that the output depends on, or the last one of all if none has
/// more. Errors: usage when there is none, for an unknown name (with the names that there are), or
/// a layer without spatial axes.
Layer find_layer(const Tensor& input, const Tensor& output, const std::string& name);

/// The output if `layer` had the value `other` (of the same type but for the batch): the ops that
/// depend on it are added to the graph once more.
Tensor with_layer(const Tensor& output, const Tensor& layer, const Tensor& other);

}  // namespace fovea::explain
