#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea {

/// Copies of the model's parameters and buffers, in PyTorch's order: they stay what they are while
/// training goes on.
std::vector<std::pair<std::string, Array>> weights_of(const nn::Module& model, State& state);

/// The same arrays without a copy: they are the State's own and change with it. For writing a file.
std::vector<std::pair<std::string, Array>> shared_weights_of(const nn::Module& model, State& state);

/// What `model` takes of `weights`, in its own order and under its names; arrays are not copied.
/// Names that other versions of the same networks give are understood ("shortcut" for "downsample",
/// "norm.1" for "norm1"). Batch counters, which older files do not have, start at 0; auxiliary
/// heads that the model was made without ("aux1.", "aux2.", "AuxLogits.") are left out. Errors:
/// model, listing what is missing (with the nearest name that was not used), unexpected or of
/// another shape.
std::vector<std::pair<std::string, Array>> fit_weights(
    const nn::Module& model, const std::vector<std::pair<std::string, Array>>& weights);

/// Copies into `state` what the model takes of `weights`, converted to the State's dtypes. Errors:
/// as fit_weights; the State is then as it was.
void load_weights(const nn::Module& model, State& state,
                  const std::vector<std::pair<std::string, Array>>& weights);

}  // namespace fovea
