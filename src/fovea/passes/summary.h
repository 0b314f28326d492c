#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "fovea/passes/receptive_field.h"

namespace fovea {

/// One call of a module of a traced model. All numbers are the module's own, without the modules
/// inside it, so that a column adds up to its total.
struct LayerSummary {
  std::string path;        ///< "layer1.0.conv1"; empty for the model itself
  int depth = 0;           ///< 0 for the model itself
  std::string type;        ///< its class, "Conv2d"; empty if unknown
  std::string ops;         ///< names of its own ops, "conv", "add relu"; empty for a container
  std::string window;      ///< of the op that has one, "3x3 stride 2 groups 32"
  Type output;             ///< of its result; of several, the first
  bool recursive = false;  ///< it has parameters, counted in an earlier call
  int64_t parameters = 0;  ///< elements; an array read by several modules counts in the first
  int64_t trainable = 0;   ///< of these, those that are trained
  int64_t buffers = 0;     ///< elements, without batch counters
  int64_t macs = 0;        ///< multiply-adds of convolutions and linear layers
  size_t bytes = 0;        ///< of all results of its ops
  ReceptiveField field;    ///< of `output`; empty if it has no positions
};

/// A model as a table, and its totals. Counts are for the traced batch: trace one image for counts
/// per image.
struct Summary {
  std::string model;
  Type input, output;
  /// The model itself, then its calls in the order they began: each after the one that contains it.
  std::vector<LayerSummary> layers;
  int64_t parameters = 0, trainable = 0, buffers = 0, macs = 0;
  int64_t training_macs = 0;  ///< of layers used only in training: see add_training_layers
  size_t parameter_bytes = 0, bytes = 0;
  size_t pass_bytes = 0;  ///< results of layers with parameters, twice: values and gradients
  ReceptiveField field;   ///< of the last value before global pooling or flatten
  size_t arena_bytes = 0, arena_lower_bound = 0;  ///< filled in by the caller; 0: not planned
};

/// The summary of a traced model with the input "input" [N, C, spatial] and the output "output", as
/// nn::trace makes it: a row for every call of a module (Graph::calls), also for one that does
/// nothing in this mode, such as Dropout in eval mode. `parameters` names the State arrays that are
/// parameters; others that the graph reads are buffers. Arrays that the graph does not read do not
/// count. In a train graph `trainable` counts parameters with gradients, in an eval graph all
/// parameters that are not frozen. Errors: usage when the graph has no such input or output.
Summary summarize(Graph& graph, std::span<const std::string> parameters);

/// Adds to the summary of a model's eval graph the modules with parameters that only its train
/// graph calls (auxiliary heads), with everything inside them: their parameters count, their MACs
/// are kept separate. If `training` is for a larger batch, its numbers are scaled to that of
/// `summary`.
void add_training_layers(Summary& summary, const Summary& training);

}  // namespace fovea
