#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fovea/core/error.h"

namespace fovea {

/// Paths, for reading and for writing: "-" is standard input or standard output; /dev/stdin,
/// /dev/stdout, /dev/stderr and /dev/fd/N are this process's open descriptors; any other path is
/// what the file system has there, symbolic links followed. A stream is what has no size: one of
/// those descriptors, or a pipe, FIFO or device. A file named "-" is "./-".

/// Whether `path` names a stream. False for a regular file, a folder, and where nothing is.
bool is_stream(const std::filesystem::path& path);

/// Whether writing to `path` writes to standard output.
bool is_standard_output(const std::filesystem::path& path);

/// An open descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// A file or stream, read from front to back.
class InputFile {
 public:
  /// `kind` is what a missing or unreadable file means to the caller (data, model). Errors: `kind`.
  InputFile(const std::filesystem::path& path, ErrorKind kind);

  /// The size of a regular file, none for a stream. Another process may change it at any time.
  std::optional<size_t> size() const { return size_; }

  /// Fills `out`, and gives how many bytes were read: fewer only at the end. Errors: `kind`.
  size_t read(std::span<std::byte> out);

 private:
  std::filesystem::path path_;
  ErrorKind kind_;
  Descriptor file_;
  std::optional<size_t> size_;
};

/// A file's contents in memory of this process, at a multiple of the page size; freed with the last
/// handle. A copy, not a mapping: what other processes do to the file cannot change it, and cutting
/// the file short is no SIGBUS.
struct FileBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<void> owner;
};

/// The largest stream that is read where the caller knows no smaller limit: 4 GiB.
constexpr size_t largest_stream = size_t{4} << 30;

/// Reads all of `path`. Errors: `kind` when it is missing, a folder or unreadable, longer than
/// `limit`, a stream longer than `largest_stream`, or becomes shorter while it is read; memory when
/// it is larger than the memory that can be had.
FileBytes read_file(const std::filesystem::path& path, ErrorKind kind,
                    size_t limit = std::numeric_limits<size_t>::max());

/// The same as text.
std::string read_text(const std::filesystem::path& path, ErrorKind kind,
                      size_t limit = size_t{64} << 20);

/// Makes what `write` gives the contents of `path`, so that a crash at any moment leaves the old
/// contents or the new ones, never a part: writes a temporary file in the same folder, flushes it
/// to disk, renames it. `write` gets a sink to call with the bytes, in order.
///
/// What stands there stays what it is. Symbolic links are followed, also to a file that is yet to
/// be made; a stream is written to; a replaced file keeps its mode and, where permitted, its owner;
/// a file that may not be written is not replaced either. A new file has mode 0666 less the umask.
/// Other hard links to a replaced file keep the old contents. Where the folder takes no temporary
/// or the file cannot be renamed over (a file mounted on its own), the file is written in place,
/// which a crash can leave in part. Several writers do not disturb each other: the last one wins.
///
/// Errors: io (no permission, disk full); the temporary is removed and `path` is as it was.
using Sink = std::function<void(std::span<const std::byte>)>;
void replace_file(const std::filesystem::path& path, const std::function<void(const Sink&)>& write);
void replace_file(const std::filesystem::path& path, std::string_view text);

/// Writes bytes to an open file descriptor, all of them. Errors: io naming `path`.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace fovea
