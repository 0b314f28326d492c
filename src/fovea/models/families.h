#pragma once

#include "fovea/models/choices.h"
#include "fovea/models/registry.h"

// What the files of models share. Each defines the entries of one family, in a function that has
// the name of the file; CMakeLists.txt lists the files, and the registry calls those functions.
namespace fovea::models {

/// An entry's `build` for a model whose constructor takes (Scope, Config), and then `plan`: what
/// tells the members of its family apart.
template <class Net, class... Plan>
auto build(const Plan&... plan) {
  return [=](const nn::Scope& scope, const Config& config) -> std::unique_ptr<nn::Module> {
    return std::make_unique<Net>(scope, config, plan...);
  };
}

/// In a train graph, what an auxiliary head makes of `x`, as an output of that name.
void add_side_output(const std::string& name, const nn::Module& head, const Tensor& x);

/// The multiple of 8 nearest to `channels`, at least 8, and the next one where that would take away
/// more than a tenth: how nets that come in widths round theirs (as TensorFlow's MobileNets do).
int64_t round_channels(double channels);

}  // namespace fovea::models
