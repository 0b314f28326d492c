#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fovea {

/// The formats that weights are read from.
enum class WeightFormat : uint8_t { safetensors, pytorch };

/// Whether `bytes` begin like a .safetensors file: a plausible header length, then a brace.
/// Pickles, zip archives and nets in TOML do not.
bool begins_like_safetensors(std::span<const std::byte> bytes);

/// The format of a file's contents. Its name, `file`, decides only when they are damaged beyond
/// recognition. Errors: model for contents of another kind, naming the kind if it is recognised (an
/// HTML page, a git-lfs pointer, ONNX, HDF5, ...) and what to do.
WeightFormat weight_format(std::span<const std::byte> bytes, const std::string& file);

/// Errors: model when the contents have another format or kind, as weight_format reports it; damage
/// is left to the format's reader.
void require_format(WeightFormat format, std::span<const std::byte> bytes, const std::string& file);

}  // namespace fovea
