#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/nn/module.h"

// The layers of nets in TOML: see net_file.h.
namespace fovea::models {

/// A layer that combines the outputs of several.
class Merge : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  using Module::Module;
  virtual Tensor forward(const Tensor& first, const Tensors& others) const = 0;
};

/// A layer as written in TOML, and the shape of an input (C, spatial...) that it accepts. A layer
/// that combines several outputs reads "stem", which has that shape too. Tests build and run every
/// example.
struct LayerExample {
  LayerExample(std::string line, Shape shape) : layer(std::move(line)), input(std::move(shape)) {}

  std::string layer;  ///< `{ type = "Conv2d", out_channels = 32, kernel_size = 3 }` or `"ReLU"`
  Shape input;
};

/// One row of the table of layers.
struct LayerKind {
  Choice choice;  ///< the `type` in a text and its arguments, named as in PyTorch where it has them
  LayerExample example;
  /// Builds it for an input of this shape (N, C, spatial...; of a Merge, the first of its inputs).
  /// Null for Sequential, which is a list of layers. Errors: those of the layer.
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Shape& input, const Arguments&)>
      build = nullptr;
  bool merges = false;  ///< whether it builds a Merge
};

/// The table, built-in ones first, in the order in which they are listed.
const std::vector<LayerKind>& layer_kinds();

/// Adds a layer of your own, which nets in TOML can then use by name. Not thread-safe: call it
/// before anything is built. Errors: usage when the name is taken, or as check(Choice).
void add_layer(LayerKind kind);

/// The layer of that name. Errors: model for an unknown one, with the nearest names.
const LayerKind& layer_kind(const std::string& name);

/// The table as text: for each layer a line with its name and help, one with its arguments, if any,
/// and one with its example, if that is more than the name.
std::string layer_kinds_text();

}  // namespace fovea::models
