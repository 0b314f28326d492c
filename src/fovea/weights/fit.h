#pragma once

#include <cstdint>
#include <optional>
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

/// `weights` under names that `model` knows: where all of them begin with one prefix ("model.",
/// "backbone.") and more of the model's names are found without it, it is taken off; where the
/// model's own names all begin with one that the weights lack, it is put before them. `note` says
/// which, for people; "" where nothing was changed. Arrays are not copied.
struct MatchedNames {
  std::vector<std::pair<std::string, Array>> weights;
  std::string note;
};
MatchedNames match_names(const nn::Module& model,
                         std::vector<std::pair<std::string, Array>> weights);

/// What `model` takes of `weights`, in its own order and under its names; arrays are not copied.
/// Names that other versions of the same networks give are understood ("shortcut" for "downsample",
/// "norm.1" for "norm1"), and prefixes of all names (see match_names). Batch counters, which older
/// files do not have, start at 0, and may have any shape of one element; auxiliary heads that the
/// model was made without ("aux1.", "aux2.", "AuxLogits.") are left out. Errors: model, listing
/// what is missing (with the nearest name that was not used), unexpected or of another shape.
std::vector<std::pair<std::string, Array>> fit_weights(
    const nn::Module& model, const std::vector<std::pair<std::string, Array>>& weights);

/// The channels of the images that `weights` are for, by their array of the first convolution of
/// `model`, which itself was made for `channels`; nothing where they have none that fits otherwise.
std::optional<int64_t> image_channels(const nn::Module& model, int64_t channels,
                                      const std::vector<std::pair<std::string, Array>>& weights);

/// Copies into `state` what the model takes of `weights`, converted to the State's dtypes. Errors:
/// as fit_weights; the State is then as it was.
void load_weights(const nn::Module& model, State& state,
                  const std::vector<std::pair<std::string, Array>>& weights);

}  // namespace fovea
