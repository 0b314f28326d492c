#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/images/preprocessing.h"
#include "fovea/models/selection.h"
#include "fovea/runtime/state.h"

namespace fovea {

/// What a net starts from instead of random weights.
struct InitialWeights {
  std::vector<std::pair<std::string, Array>> weights;
  std::optional<Preprocessing> preprocessing;  ///< of the images it was trained on
  std::string note;                            ///< for the user: what is assumed, or ""
  std::string fingerprint;                     ///< hash of names and bytes, 16 hex digits
};

/// Reads the weights of a model file, or of any other .safetensors, .pth or .pt file, for the model
/// of that name and an input of this shape (C, H, W). Without a model file the preprocessing is
/// that of the model's published weights, or unknown if it has none. Errors: model when the file is
/// missing or broken.
InitialWeights read_initial_weights(const std::filesystem::path& path, std::string_view model,
                                    const Shape& input);

/// Copies the weights into a State that declares the arrays of the model. Arrays of its `head` (see
/// models::head) that are missing, or for other classes, keep their initial values; their names are
/// returned. Changes to names (see match_names) are added to the note. Errors: model, listing any
/// other array that is missing, unexpected or of the wrong shape.
std::vector<std::string> initialize(InitialWeights& initial, const models::ArrayNames& head,
                                    const nn::Module& model, State& state);

}  // namespace fovea
