#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fovea {

/// The formats that weights are read from.
enum class WeightFormat : uint8_t { safetensors, pytorch };

/// Whether `bytes` begin as a .safetensors file does: a header length that a file could have, then
/// a brace. Pickles, zip archives and the texts of nets do not.
bool begins_like_safetensors(std::span<const std::byte> bytes);

/// The format of a file's contents, whatever its name ends in: `file` is the name, and decides only
/// where the contents are damaged beyond recognition. Errors: model for contents of another kind,
/// saying which where it is known (an HTML page, a git-lfs pointer, ONNX, HDF5, ...) and what to
/// do.
WeightFormat weight_format(std::span<const std::byte> bytes, const std::string& file);

/// Errors: model when the contents are of another format or kind, as weight_format says it; damaged
/// ones are left to the format's reader.
void require_format(WeightFormat format, std::span<const std::byte> bytes, const std::string& file);

}  // namespace fovea
