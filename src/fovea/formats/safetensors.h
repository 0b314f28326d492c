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

/// Reads every dtype of DType. The file is read as a whole: the arrays are views of its bytes, for
/// reading only (`clone` before writing), and keep all of them in memory; a tensor that the file
/// holds unaligned is copied.
///
/// Strict: a header of at most 100 MB of JSON with no key twice; tensors of rank 8 at most that
/// fill the rest of the file without gap, overlap or trailing bytes. Errors: model, naming the
/// file, the tensor, the offset and both values.
SafeTensors read_safetensors(const std::filesystem::path& path);
/// The same of a file that was read; `name` stands for it in messages.
SafeTensors parse_safetensors(const FileBytes& file, const std::string& name);

/// Writes the tensors in their order, without gaps, after a header padded to 8 bytes with its
/// metadata sorted: equal contents give equal files. A crash leaves the old file or the new one.
/// Errors: usage when a name comes twice, is "__metadata__" or is not UTF-8, or the header would
/// pass 100 MB; io when the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const SafeTensors& contents);

}  // namespace fovea
