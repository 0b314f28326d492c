#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/files.h"

namespace fovea {

/// The contents of a .safetensors file: named arrays, in the order of their data, and strings.
struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, Array>> tensors;
};

/// Reads every dtype of DType. The entire file is read: the arrays are read-only views of its bytes
/// (`clone` before writing) and keep all of them in memory; a tensor that is unaligned in the file
/// is copied.
///
/// Strict: a header of at most 100 MB of JSON without duplicate keys; tensors of rank at most 8
/// that fill the rest of the file without gaps, overlaps or trailing bytes. Errors: model, naming
/// the file, the tensor, the offset and both values.
SafeTensors read_safetensors(const std::filesystem::path& path);
/// The same for a file that was read; `name` stands for it in messages.
SafeTensors parse_safetensors(const FileBytes& file, const std::string& name);

/// Writes the tensors in their order, without gaps, after a header padded to 8 bytes with its
/// metadata sorted: equal contents give equal files. A crash leaves the old file or the new one.
/// Errors: usage when a name is duplicated, "__metadata__" or not UTF-8, or the header would exceed
/// 100 MB; io when the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const SafeTensors& contents);

}  // namespace fovea
