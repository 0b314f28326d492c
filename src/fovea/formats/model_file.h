#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/error.h"
#include "fovea/formats/weight_file.h"
#include "fovea/graph/type.h"
#include "fovea/images/preprocessing.h"

namespace fovea {

/// Weights with everything needed to use them.
struct ModelFile {
  std::string architecture;                      ///< its name in the registry of models
  std::map<std::string, std::string> arguments;  ///< its options: classes, in_channels, input, ...
  /// How a picture becomes its input; none if its input is numbers, f32[N, C, spatial...].
  std::optional<Preprocessing> preprocessing;
  /// How files that are no pictures become its input, as data::make_modality reads it; "": none do.
  std::string modality = {};
  /// Of each channel of what the modality makes: the network's graph normalises with them. Empty:
  /// it takes the numbers as they are.
  std::vector<double> mean = {}, std = {};
  std::string task = "classify";                ///< its name in the table of tasks
  Type target = {DType::i64, Shape{}};          ///< of one sample: see data::Targets
  std::vector<std::string> class_names;         ///< of the classes or numbers; empty: unknown
  std::vector<int64_t> class_ids = {};          ///< see data::Targets::ids
  std::map<std::string, std::string> training;  ///< how it was trained: recipe, metrics, data, ...
  std::vector<std::pair<std::string, Array>> weights;  ///< parameters and buffers by name
};

/// Writes `model` as a .safetensors file whose weights any reader of the format can load; the rest
/// is in its metadata, as strings under keys that begin with "fovea." (lists and numbers as JSON).
/// Equal models give equal files; a crash leaves the old file or the new one. Bytes of class names
/// that are not UTF-8 are replaced. Errors: usage when the model could not be loaded again (no
/// architecture, an invalid preprocessing, a duplicate name); io when it cannot be written.
void save_model(const std::filesystem::path& path, const ModelFile& model);

/// Reads it back. The weights are read-only (see safetensors.h). Errors: model when the file is not
/// a safetensors file, lacks all or part of Fovea's metadata, comes from a newer version, or
/// contains invalid values.
ModelFile load_model(const std::filesystem::path& path);

/// Whether weights that were read have Fovea's metadata, and the model file that they form. `name`
/// stands for the file in messages. Errors: as load_model.
bool is_model_file(const WeightFile& file);
ModelFile to_model_file(WeightFile file, const std::string& name);

/// The same error as the fault of the model file `name`, whatever its kind: an unknown architecture
/// is a usage error elsewhere, but not when a file names it.
Error fault_of_file(const Error& error, const std::string& name);

}  // namespace fovea
