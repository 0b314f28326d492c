#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fovea/images/preprocessing.h"
#include "fovea/models/freeze.h"
#include "fovea/runtime/state.h"

namespace fovea::train {

/// What a net starts from instead of first weights by seed.
struct StartingPoint {
  std::vector<std::pair<std::string, Array>> weights;
  std::optional<Preprocessing> preprocessing;  ///< how the images it learned from were prepared
  std::string note;                            ///< for people: what of that is assumed; or ""
  std::string fingerprint;                     ///< 16 hex digits over names and bytes
};

/// Reads the weights of a model file, or of any other .safetensors, .pth or .pt: for the model of
/// that name, whose published weights say how the images of the latter were prepared, for an input
/// of this shape (C, H, W); of a model without any nothing is known. Errors: model when the file is
/// missing or broken.
StartingPoint read_starting_point(const std::filesystem::path& path, std::string_view model,
                                  const Shape& input);

/// Copies the weights into a State that knows the model `name`'s arrays. Arrays of the head that
/// are missing, or of other classes, keep their first values: their names are given back. What had
/// to be changed about the names (see match_names) is added to the note. Errors: model, listing
/// what is missing, unexpected or of another shape besides.
std::vector<std::string> start_from(StartingPoint& start, std::string_view name,
                                    const models::Config& config, const nn::Module& model,
                                    State& state);

/// The arrays that a run keeps as they are, by what they held when it began, so that it can say
/// whether they did.
class FrozenArrays {
 public:
  FrozenArrays() = default;
  /// The parameters and buffers of `state` that `frozen` names.
  FrozenArrays(State& state, const models::Frozen& frozen);

  int64_t count() const { return static_cast<int64_t>(hashes_.size()); }
  /// How many hold other bytes now.
  int64_t changed(State& state) const;

  /// As one line, for a checkpoint, and back. Errors (back): model when it is no such line.
  std::string text() const;
  static FrozenArrays parse(std::string_view text);

 private:
  std::map<std::string, std::string> hashes_;  ///< of the bytes, in hex, by name
};

}  // namespace fovea::train
