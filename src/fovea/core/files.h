#pragma once

#include <cerrno>
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
/// looked up in the file system, following symbolic links. A stream has no size: one of those
/// descriptors, or a pipe, FIFO or device. A file named "-" is "./-".

/// Whether `path` names a stream. False for files, folders, and paths that do not exist.
bool is_stream(const std::filesystem::path& path);

/// Errors: `kind` when `path` names a stream, which may never end, and can be read only once.
void require_file(const std::filesystem::path& path, ErrorKind kind);

/// Whether writing to `path` writes to standard output.
bool is_standard_output(const std::filesystem::path& path);

/// What is at a path, symbolic links followed.
struct FileInfo {
  bool folder = false;
  uint64_t size = 0;  ///< in bytes, of a file
};

/// None if there is nothing at `path`. Errors: `kind` when that cannot be told, since a disk fails
/// or a folder may not be entered: what is not seen then may be there.
std::optional<FileInfo> file_info(const std::filesystem::path& path, ErrorKind kind);
bool exists(const std::filesystem::path& path, ErrorKind kind);
bool is_folder(const std::filesystem::path& path, ErrorKind kind);

/// Makes the folder and those above it, unless they are there. Errors: io.
void make_folder(const std::filesystem::path& folder);

/// The result of a system call that is repeated as long as signals interrupt it.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// An open descriptor, closed on destruction.
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

/// A file or stream, read from beginning to end.
class InputFile {
 public:
  /// `kind` is what a missing or unreadable file means to the caller (data, model). Errors: `kind`.
  InputFile(const std::filesystem::path& path, ErrorKind kind);

  /// The size of a regular file, none for a stream. Another process may change it at any time.
  std::optional<size_t> size() const { return size_; }

  /// Fills `out` and returns the number of bytes read: fewer only at the end. Errors: `kind`.
  size_t read(std::span<std::byte> out);

 private:
  std::filesystem::path path_;
  ErrorKind kind_;
  Descriptor file_;
  std::optional<size_t> size_;
};

/// A file's contents in this process's memory, page-aligned; freed with the last handle. A copy,
/// not a mapping: other processes that write to the file cannot change it, and truncating the file
/// causes no SIGBUS.
struct FileBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<void> owner;
};

/// The largest stream that is read unless the caller sets a smaller limit: 4 GiB.
constexpr size_t largest_stream = size_t{4} << 30;

/// Reads all of `path`. Errors: `kind` when it is missing, a folder or unreadable, longer than
/// `limit`, a stream longer than `largest_stream`, or becomes shorter while it is read; memory when
/// it is larger than the available memory.
FileBytes read_file(const std::filesystem::path& path, ErrorKind kind,
                    size_t limit = std::numeric_limits<size_t>::max());

/// The same as text.
std::string read_text(const std::filesystem::path& path, ErrorKind kind,
                      size_t limit = size_t{64} << 20);

/// Replaces the contents of `path` by what `write` produces. A crash at any moment leaves either
/// the old contents or the new ones: a temporary file is written in the same folder, flushed to
/// disk and renamed. `write` receives a sink to call with the bytes, in order.
///
/// The kind of `path` is preserved. Symbolic links are followed, even to a file that does not exist
/// yet; a stream is written to; a replaced file keeps its mode and, where permitted, its owner; a
/// file without write permission is not replaced. A new file has mode 0666 less the umask. Other
/// hard links to a replaced file keep the old contents. If the folder accepts no temporary or the
/// file cannot be renamed over (a bind mount), it is written in place, and a crash can leave it
/// incomplete. Concurrent writers do not disturb each other: the last one wins.
///
/// Errors: io (no permission, disk full); the temporary is removed and `path` is as it was.
using Sink = std::function<void(std::span<const std::byte>)>;
/// `later` does not wait for the disk, which takes longer than drawing a small picture: for what
/// can be made again. Only a crash of the machine, not of the program, can lose such a file.
enum class Flush : uint8_t { now, later };
void replace_file(const std::filesystem::path& path, const std::function<void(const Sink&)>& write,
                  Flush flush = Flush::now);
void replace_file(const std::filesystem::path& path, std::string_view text,
                  Flush flush = Flush::now);

/// Removes the temporary files that replace_file left in a folder in processes that were killed.
/// Those that cannot be removed stay.
void remove_abandoned(const std::filesystem::path& folder);

/// Writes bytes to an open file descriptor, all of them. Errors: io naming `path`.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace fovea
