#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/files.h"

namespace fovea {

constexpr size_t most_zip_entries = 1'000'000;

/// One file of an archive; name and data are views of what somebody else owns.
struct ZipEntry {
  std::string_view name;
  std::span<const std::byte> data;
  bool compressed = false;  ///< the data are not the file's contents: see stored_data
};

/// The contents of an entry of the archive `file`. Errors: `kind` when they are compressed.
std::span<const std::byte> stored_data(const ZipEntry& entry, const std::string& file,
                                       ErrorKind kind);

/// The entries of the zip archive that `bytes` are, zip64 included, in the order of its directory.
/// Nothing is copied or unpacked: an archive cannot grow by being read. Checksums are not compared,
/// since PyTorch can be told to leave them out.
///
/// Strict: the directory ends where the end record begins; entries lie before it, none over
/// another, and no name comes twice. `file` stands for the archive in messages. Errors: `kind`,
/// what a broken archive means to the caller (model, data), for anything else, and for entries that
/// are encrypted.
std::vector<ZipEntry> read_zip(std::span<const std::byte> bytes, const std::string& file,
                               ErrorKind kind);

/// Writes an archive of stored entries, each one's data at a multiple of 64 bytes, with no time or
/// place in it: equal entries give equal bytes. Names are UTF-8, of at most 65,535 bytes.
void write_zip(const Sink& sink, std::span<const ZipEntry> entries);

}  // namespace fovea
