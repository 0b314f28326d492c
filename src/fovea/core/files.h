#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fovea/core/error.h"

namespace fovea {

/// A file mapped into memory, read only; unmapped with the last handle.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<void> owner;
};

/// Maps `path`. `kind` is what a missing or unreadable file means to the caller (data, model).
/// Errors: `kind` when it is missing, not a regular file or not readable.
MappedFile map_file(const std::filesystem::path& path, ErrorKind kind);

/// The whole file as text, at most `limit` bytes. Errors: `kind` when missing, unreadable or
/// longer.
std::string read_text(const std::filesystem::path& path, ErrorKind kind,
                      size_t limit = size_t{64} << 20);

/// Replaces `path` so that a crash at any moment leaves the old file or the new one, never a part:
/// writes `path.tmp-PID`, flushes it to disk, renames it over `path`, flushes the folder. `write`
/// gets a sink to call with the bytes, in order. Errors: io (no permission, disk full); the
/// temporary is removed and `path` is untouched.
using Sink = std::function<void(std::span<const std::byte>)>;
void replace_file(const std::filesystem::path& path, const std::function<void(const Sink&)>& write);
void replace_file(const std::filesystem::path& path, std::string_view text);

/// Writes bytes to an open file descriptor, all of them. Errors: io naming `path`.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace fovea
