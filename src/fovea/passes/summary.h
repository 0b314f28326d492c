#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "fovea/passes/receptive_field.h"

namespace fovea {

/// One call of a module of a traced model. All numbers are the module's own, those of the modules
/// inside it left out, so that a column adds up to its total.
struct LayerSummary {
  std::string path;        ///< "layer1.0.conv1"; empty for the model itself
  int depth = 0;           ///< 0 for the model itself
  std::string type;        ///< its class, "Conv2d"; empty where it is not known
  std::string ops;         ///< names of its own ops, "conv", "add relu"; empty for a container
  std::string window;      ///< of the op among them that has one, "3x3 stride 2 groups 32"
  Type output;             ///< of what it gives; of several results, the first
  bool recursive = false;  ///< it has parameters and was called before: they count there
  int64_t parameters = 0;  ///< elements; an array that several modules read counts in the first
  int64_t trainable = 0;   ///< of them, those that are trained
  int64_t buffers = 0;     ///< elements, counters of batches apart
  int64_t macs = 0;        ///< multiply-adds of convolutions and linear layers
  size_t bytes = 0;        ///< of all that its ops give
  ReceptiveField field;    ///< of `output`; empty where it has no positions
};

/// A model as a table, and its totals. Counts are for the batch that was traced: trace one image
/// for numbers of one.
struct Summary {
  std::string model;
  Type input, output;
  /// The model itself, then its calls as they began: each after the one that it is inside of.
  std::vector<LayerSummary> layers;
  int64_t parameters = 0, trainable = 0, buffers = 0, macs = 0;
  int64_t training_macs = 0;  ///< of layers that only training has: see add_training_layers
  size_t parameter_bytes = 0, bytes = 0;
  size_t pass_bytes = 0;  ///< what layers with parameters give, twice: the values, their gradients
  ReceptiveField field;   ///< of the last value before global pooling or flatten
  size_t arena_bytes = 0, arena_lower_bound = 0;  ///< for the caller to fill in; 0: not planned
};

/// The summary of a traced model with the input "input" [N, C, spatial] and the output "output", as
/// nn::trace makes it: a row for every call of a module (Graph::calls), also for one that does
/// nothing in this mode, such as Dropout in use. `parameters` names the State arrays that are
/// parameters; others that the graph reads are buffers. Those that nothing in the graph reads do
/// not count. In a train graph `trainable` counts what gradients are wanted for, in an eval graph
/// all parameters that are not frozen. Errors: usage when the graph has no such input or output.
Summary summarize(Graph& graph, std::span<const std::string> parameters);

/// Adds to the summary of a model's eval graph the modules with parameters that only its train
/// graph calls, auxiliary heads, with all inside them: their parameters count, their MACs apart
/// from those of use. Where `training` is of a larger batch, its numbers are brought to that of
/// `summary`.
void add_training_layers(Summary& summary, const Summary& training);

}  // namespace fovea
