#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/files.h"

namespace fovea {

/// Reads a NumPy .npy file of version 1.0 to 3.0: little-endian, C order, any dtype of DType but
/// bf16 (NumPy has none), rank at most 8. The array owns its data. Errors: data when the file is
/// missing, malformed, in Fortran order, big-endian or of an unsupported dtype, or holds more or
/// fewer bytes than its shape.
Array read_npy(const std::filesystem::path& path);

/// The arrays of a .npz file written by numpy.savez, by name, in file order; each as read_npy reads
/// it. Errors: data when it is missing, not a zip archive of .npy files, compressed (by
/// numpy.savez_compressed), or one of its arrays is broken.
std::vector<std::pair<std::string, Array>> read_npz(const std::filesystem::path& path);

/// Writes version 1.0, the data at a multiple of 64 bytes. A crash leaves the old file or the new
/// one. Errors: usage for bf16; io when the file cannot be written.
void write_npy(const std::filesystem::path& path, const Array& array, Flush flush = Flush::now);

}  // namespace fovea
