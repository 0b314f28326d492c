#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/files.h"

namespace fovea {

constexpr size_t max_zip_entries = 1'000'000;

/// One file of an archive; name and data are views of memory owned by others.
struct ZipEntry {
  std::string_view name;
  std::span<const std::byte> data;
  bool compressed = false;  ///< the data is not the file's contents: see stored_data
};

/// The contents of an entry of the archive `file`. Errors: `kind` when it is compressed.
std::span<const std::byte> stored_data(const ZipEntry& entry, const std::string& file,
                                       ErrorKind kind);

/// The entries of the zip archive in `bytes`, zip64 included, in the order of its directory.
/// Nothing is copied or unpacked, so reading takes no memory. Checksums are not verified, since
/// PyTorch can omit them.
///
/// Strict: the directory ends where the end record begins; entries lie before it without
/// overlapping, and names are unique. `file` stands for the archive in messages. Errors: `kind`,
/// the kind that a broken archive has for the caller (model, data), for anything else, and for
/// encrypted entries.
std::vector<ZipEntry> read_zip(std::span<const std::byte> bytes, const std::string& file,
                               ErrorKind kind);

/// Writes an archive of stored entries, each one's data at a multiple of 64 bytes, without times:
/// equal entries give equal bytes. Names are UTF-8, of at most 65,535 bytes.
void write_zip(const Sink& sink, std::span<const ZipEntry> entries);

}  // namespace fovea
