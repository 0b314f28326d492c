#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/nn/module.h"

// The layers that a net's text may have: see net_file.h.
namespace fovea::models {

/// A layer that combines the outputs of several.
class Merge : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  using Module::Module;
  virtual Tensor forward(const Tensor& first, const Tensors& others) const = 0;
};

/// A layer as a net's text may have it, and the shape of an input, C and spatial, that it accepts.
/// A layer that combines several takes "stem", which has that shape too. Tests build and run every
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
  /// Makes it for an input of this shape, N, C, spatial; a Merge for the first of its inputs. None
  /// for Sequential, which is a list of layers. Errors: as of the layer.
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Shape& input, const Arguments&)>
      build = nullptr;
  bool merges = false;  ///< it makes a Merge
};

/// The table, built-in ones first, in the order in which they are listed.
const std::vector<LayerKind>& layer_kinds();

/// Adds one of your own, so that a net's text knows it by its name. Not thread-safe: before
/// anything is made. Errors: usage when the name is taken, or as check(Choice).
void add_layer(LayerKind kind);

/// The kind of that name. Errors: model when there is none, with the nearest names.
const LayerKind& layer_kind(const std::string& name);

/// The table as text: for each kind a line with its name and help, one with its arguments, if it
/// has any, and one with its example, if that is more than the name.
std::string layer_kinds_text();

}  // namespace fovea::models
