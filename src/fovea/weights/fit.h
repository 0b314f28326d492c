#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea {

/// Copies of the model's parameters and buffers, in PyTorch's order, which training does not
/// change.
std::vector<std::pair<std::string, Array>> weights_of(const nn::Module& model, State& state);

/// The same arrays without copying: they belong to the State and change with it. For writing a
/// file.
std::vector<std::pair<std::string, Array>> shared_weights_of(const nn::Module& model, State& state);

/// `weights` under names that `model` knows: if all names share a prefix ("model.", "backbone.")
/// and match more of the model's names without it, it is removed; if the model's own names share
/// one that the weights lack, it is added. `note` reports this to the user, or is "". Arrays are
/// not copied.
struct MatchedNames {
  std::vector<std::pair<std::string, Array>> weights;
  std::string note;
};
MatchedNames match_names(const nn::Module& model,
                         std::vector<std::pair<std::string, Array>> weights);

/// The arrays of `weights` for `model`, in its order and under its names; arrays are not copied.
/// Names in other versions of the same networks are understood ("shortcut" for "downsample",
/// "norm.1" for "norm1"), and prefixes of all names (see match_names). Batch counters, which older
/// files lack, start at 0, and may have any shape of one element; auxiliary heads that the model
/// was built without ("aux1.", "aux2.", "AuxLogits.", "aux_classifier.") and counters of norms
/// that are frozen are ignored. Errors: model, listing what is
/// missing (with the nearest unused name), unexpected or of the wrong shape.
std::vector<std::pair<std::string, Array>> fit_weights(
    const nn::Module& model, const std::vector<std::pair<std::string, Array>>& weights);

/// The image channels that `weights` are for, from the first convolution of `model`, which was
/// built for `channels`; none if they lack that array or it does not fit otherwise.
std::optional<int64_t> image_channels(const nn::Module& model, int64_t channels,
                                      const std::vector<std::pair<std::string, Array>>& weights);

/// Copies the arrays for the model from `weights` into `state`, converted to its dtypes. Errors: as
/// fit_weights; the State is then unchanged.
void load_weights(const nn::Module& model, State& state,
                  const std::vector<std::pair<std::string, Array>>& weights);

}  // namespace fovea
