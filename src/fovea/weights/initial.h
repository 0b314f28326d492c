#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/images/preprocessing.h"
#include "fovea/models/registry.h"
#include "fovea/runtime/state.h"

namespace fovea {

/// What a net starts from instead of first weights by seed.
struct InitialWeights {
  std::vector<std::pair<std::string, Array>> weights;
  std::optional<Preprocessing> preprocessing;  ///< how the images it learned from were prepared
  std::string note;                            ///< for people: what of that is assumed; or ""
  std::string fingerprint;                     ///< 16 hex digits over names and bytes
};

/// Reads the weights of a model file, or of any other .safetensors, .pth or .pt: for the model of
/// that name, whose published weights say how the images of the latter were prepared, for an input
/// of this shape (C, H, W); of a model without any nothing is known. Errors: model when the file is
/// missing or broken.
InitialWeights read_initial_weights(const std::filesystem::path& path, std::string_view model,
                                    const Shape& input);

/// Copies the weights into a State that knows the model `name`'s arrays. Arrays of the head that
/// are missing, or of other classes, keep their first values: their names are given back. What had
/// to be changed about the names (see match_names) is added to the note. Errors: model, listing
/// what is missing, unexpected or of another shape besides.
std::vector<std::string> initialize(InitialWeights& initial, std::string_view name,
                                    const models::Config& config, const nn::Module& model,
                                    State& state);

}  // namespace fovea
