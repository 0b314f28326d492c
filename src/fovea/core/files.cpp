#include "fovea/core/files.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "fovea/core/process.h"

namespace fovea {
namespace {

std::string advice(int code) {
  switch (code) {
    case ENOENT:
      return "check the path; there is no file or folder of that name";
    case ENOTDIR:
      return "check the path; a part of it is a file, not a folder";
    case EISDIR:
      return "a file in that folder";
    case ELOOP:
      return "check the symbolic links; they lead in a circle";
    case ENAMETOOLONG:
      return "a shorter name; most file systems allow 255 bytes, and 4,095 for an entire path";
    case EACCES:
    case EPERM:
      return "a path that you have permission for";
    case EROFS:
      return "another folder; this file system is read-only";
    case ENOSPC:
    case EDQUOT:
      return "free some space, or a path on another disk";
    case EFBIG:
      return "a higher limit on file sizes (ulimit -f), or another file system";
    case EMFILE:
      return "a higher limit on open files (ulimit -n)";
    case EBADF:
      return "check which descriptors the shell opens for the program";
    default:
      return {};
  }
}

Error failure(ErrorKind kind, const std::string& what, const std::filesystem::path& path,
              int code) {
  Error error(kind, what + " " + path.string() + ": " + std::strerror(code));
  if (const std::string text = advice(code); !text.empty()) error.with("try", text);
  return error;
}

Error cannot_write(const std::filesystem::path& path, int code) {
  if (code == ENOENT && path.has_parent_path()) {  // of a file to be made
    return Error(ErrorKind::io,
                 fmt::format("cannot write {}: its folder does not exist", path.string()))
        .with("try",
              fmt::format("check the path, or make the folder {}", path.parent_path().string()));
  }
  return failure(ErrorKind::io, "cannot write", path, code);
}

/// The descriptor of this process that `path` stands for, or -1. Found by name: opening /dev/stdout
/// would reopen a regular file at its beginning, and fail for a socket.
int named_descriptor(const std::filesystem::path& path, int standard) {
  std::string_view name = path.native();
  if (name == "-") return standard;
  if (name == "/dev/stdin") return STDIN_FILENO;
  if (name == "/dev/stdout") return STDOUT_FILENO;
  if (name == "/dev/stderr") return STDERR_FILENO;
  for (std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!name.starts_with(folder)) continue;
    const std::string_view digits = name.substr(folder.size());
    int number = -1;
    const auto [end, code] = std::from_chars(digits.begin(), digits.end(), number);
    if (code == std::errc() && end == digits.end() && number >= 0) return number;
  }
  return -1;
}

int open_to_read(const std::filesystem::path& path) {
  const int named = named_descriptor(path, STDIN_FILENO);
  if (named >= 0) return ::fcntl(named, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
}

/// Opens what cannot be replaced by renaming: a stream, or a file to be written in place.
Descriptor open_to_write(const std::filesystem::path& path, int flags = 0) {
  const int named = named_descriptor(path, STDOUT_FILENO);
  Descriptor file(uninterrupted([&] {
    return named < 0 ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags)
                     : ::fcntl(named, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  }));
  if (file.get() < 0) throw cannot_write(path, errno);
  return file;
}

/// Memory that grows without being copied; pages never written take no space.
class Pages {
 public:
  explicit Pages(size_t size) { resize(size); }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t size() const { return size_; }

  /// `size` must be above 0.
  void resize(size_t size) {
    void* grown = data_ == nullptr ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                   : ::mremap(data_, size_, size, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED) {
      throw Error(ErrorKind::memory, fmt::format("cannot allocate {} bytes to read a file", size))
          .with("try", "a smaller file, or more free memory");
    }
    data_ = grown;
    size_ = size;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

Error too_long(const std::filesystem::path& path, ErrorKind kind, const std::string& found,
               size_t limit) {
  return Error(kind,
               fmt::format("{} has {} bytes, at most {} are read", path.string(), found, limit));
}

/// Refuses a file larger than `limit` or than the available memory: a sparse file can claim any
/// size.
void check_size(const std::filesystem::path& path, ErrorKind kind, size_t size, size_t limit) {
  if (size > limit) throw too_long(path, kind, std::to_string(size), limit);
  constexpr size_t always = size_t{64} << 20;
  if (size <= always) return;
  const size_t available = memory_limits().available;
  if (size <= available) return;
  throw Error(ErrorKind::memory,
              fmt::format("cannot read {}: it has {} bytes, {} bytes of memory are available",
                          path.string(), size, available));
}

void flush_to_disk(int file, const std::filesystem::path& path, Flush flush) {
  if (flush == Flush::later) return;
  // Some file systems do not support it, and say so in one of these ways.
  if (uninterrupted([&] { return ::fsync(file); }) == 0) return;
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) throw cannot_write(path, errno);
}

/// Follows the symbolic links at the end of `path`, to a file or to where one can be created.
std::filesystem::path follow_links(std::filesystem::path path) {
  constexpr int maximum = 40;  // as in the kernel
  for (int i = 0; i < maximum; ++i) {
    std::error_code none;
    const std::filesystem::path target = std::filesystem::read_symlink(path, none);
    if (none) return path;
    path = path.parent_path() / target;
  }
  throw cannot_write(path, ELOOP);
}

std::string temporary_name(int process, uint64_t number) {
  return fmt::format(".fovea-{}-{}.tmp", process, number);
}

/// A new file beside `target` that takes its place when it is complete. Names are relative to the
/// open folder, and short: they fit wherever the target's does.
class Replacement {
 public:
  /// `old` is the file to replace, null for none. `failed` is not 0 when no file can be created in
  /// the folder.
  Replacement(const std::filesystem::path& target, const struct stat* old)
      : folder_(::open(target.has_parent_path() ? target.parent_path().c_str() : ".",
                       O_PATH | O_DIRECTORY | O_CLOEXEC)),
        target_(target.filename()),
        file_(folder_.get() < 0 ? -1 : create(old == nullptr ? 0666 : 0600)),
        failed(file_.get() < 0 ? errno : 0) {
    if (old != nullptr && failed == 0) take_over(*old);
  }
  ~Replacement() {
    if (failed == 0 && !done_) ::unlinkat(folder_.get(), name_.c_str(), 0);
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  int file() const { return file_.get(); }

  /// Returns 0, or errno when the target cannot be replaced.
  int finish(Flush flush) {
    if (::renameat(folder_.get(), name_.c_str(), folder_.get(), target_.c_str()) != 0) return errno;
    done_ = true;
    if (flush == Flush::later) return 0;
    const Descriptor readable(::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (readable.get() >= 0) ::fsync(readable.get());  // best effort: the rename is done
    return 0;
  }

 private:
  int create(mode_t mode) {
    static std::atomic<uint64_t> count = 0;
    for (;;) {  // the name may exist: from a process in another container, or one that crashed
      name_ = temporary_name(::getpid(), count++);
      const int file = uninterrupted([&] {
        return ::openat(folder_.get(), name_.c_str(),
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      });
      if (file >= 0 || errno != EEXIST) return file;
    }
  }

  void take_over(const struct stat& old) const {
    // Only root may change the owner; changing the group alone is often permitted.
    if (::fchown(file_.get(), old.st_uid, old.st_gid) != 0) {
      [[maybe_unused]] const int group = ::fchown(file_.get(), static_cast<uid_t>(-1), old.st_gid);
    }
    ::fchmod(file_.get(), old.st_mode & 0777);
  }

  Descriptor folder_;
  std::filesystem::path target_;
  std::string name_;
  Descriptor file_;
  bool done_ = false;

 public:
  const int failed;
};

/// Whether writing in place may succeed when replacing failed with `code`.
bool in_place_helps(int code) {
  return code == EACCES || code == EPERM || code == EROFS || code == EBUSY || code == EXDEV;
}

}  // namespace

bool is_stream(const std::filesystem::path& path) {
  if (named_descriptor(path, STDIN_FILENO) >= 0) return true;
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

void require_file(const std::filesystem::path& path, ErrorKind kind) {
  if (!is_stream(path)) return;
  throw Error(kind, path.string() + ": is a pipe or a device, not a file");
}

bool is_standard_output(const std::filesystem::path& path) {
  return named_descriptor(path, STDOUT_FILENO) == STDOUT_FILENO;
}

std::optional<FileInfo> file_info(const std::filesystem::path& path, ErrorKind kind) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0)
    return FileInfo{.folder = S_ISDIR(info.st_mode), .size = static_cast<uint64_t>(info.st_size)};
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw failure(kind, "cannot read", path, errno);
}

bool exists(const std::filesystem::path& path, ErrorKind kind) {
  return file_info(path, kind).has_value();
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return;
  throw Error(ErrorKind::io,
              fmt::format("cannot make the folder {}: {}", folder.string(), error.message()));
}

bool is_folder(const std::filesystem::path& path, ErrorKind kind) {
  return file_info(path, kind).value_or(FileInfo{}).folder;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

InputFile::InputFile(const std::filesystem::path& path, ErrorKind kind)
    : path_(path), kind_(kind), file_(open_to_read(path)) {
  struct stat info {};
  if (file_.get() < 0 || ::fstat(file_.get(), &info) != 0) {
    throw failure(kind, "cannot read", path, errno);
  }
  if (S_ISDIR(info.st_mode)) throw failure(kind, "cannot read", path, EISDIR);
  // A descriptor may be positioned mid-file: it is read from there, like a pipe.
  if (S_ISREG(info.st_mode) && named_descriptor(path, STDIN_FILENO) < 0) {
    size_ = static_cast<size_t>(info.st_size);
  }
}

size_t InputFile::read(std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        uninterrupted([&] { return ::read(file_.get(), out.data() + done, out.size() - done); });
    if (n < 0) throw failure(kind_, "cannot read", path_, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

FileBytes read_file(const std::filesystem::path& path, ErrorKind kind, size_t limit) {
  InputFile file(path, kind);
  const bool sized = file.size().value_or(0) > 0;  // files in /proc report 0, yet have contents
  if (!sized) limit = std::min(limit, largest_stream);
  const size_t expected = sized ? *file.size() : size_t{1} << 16;
  if (sized) check_size(path, kind, expected, limit);
  const auto pages = std::make_shared<Pages>(expected);
  size_t size = file.read({pages->data(), expected});
  if (sized && size < expected) {
    throw Error(kind, "cannot read " + path.string() + ": it was truncated while being read")
        .with("expected", fmt::format("{} bytes", expected))
        .with("found", std::to_string(size))
        .with("try", "again once the file is complete");
  }
  while (!sized && size == pages->size() && size <= limit) {
    pages->resize(std::min(2 * size, limit + 1));
    size += file.read({pages->data() + size, pages->size() - size});
  }
  if (size > limit) throw too_long(path, kind, "more than " + std::to_string(limit), limit);
  if (size == 0) return {};
  pages->resize(size);
  return {{pages->data(), size}, pages};
}

std::string read_text(const std::filesystem::path& path, ErrorKind kind, size_t limit) {
  const FileBytes file = read_file(path, kind, limit);
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

void write_all(int descriptor, std::span<const std::byte> bytes,
               const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n =
        uninterrupted([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
    if (n < 0) throw cannot_write(path, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void replace_file(const std::filesystem::path& path, const std::function<void(const Sink&)>& write,
                  Flush flush) {
  const auto write_to = [&](int file) {
    write([&](std::span<const std::byte> bytes) { write_all(file, bytes, path); });
  };
  if (is_stream(path)) return write_to(open_to_write(path).get());

  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) throw cannot_write(path, errno);
  if (exists && S_ISDIR(info.st_mode)) throw cannot_write(path, EISDIR);
  if (exists && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    throw cannot_write(path, errno);
  }
  int code = 0;
  {
    Replacement replacement(follow_links(path), exists ? &info : nullptr);
    code = replacement.failed;
    if (code == 0) {
      write_to(replacement.file());
      flush_to_disk(replacement.file(), path, flush);
      code = replacement.finish(flush);
    }
  }
  if (code == 0) return;
  if (!exists || !in_place_helps(code)) throw cannot_write(path, code);
  const Descriptor file = open_to_write(path, O_TRUNC);
  write_to(file.get());
  flush_to_disk(file.get(), path, flush);
}

void remove_abandoned(const std::filesystem::path& folder) {
  std::error_code failed;
  for (std::filesystem::directory_iterator i(folder, failed), end; !failed && i != end;
       i.increment(failed)) {
    const std::string name = i->path().filename().string();
    int process = 0;
    unsigned long number = 0;
    if (std::sscanf(name.c_str(), ".fovea-%d-%lu.tmp", &process, &number) != 2) continue;
    // The same number can be that of another process: in a container it often is.
    const bool lives = process != ::getpid() && (::kill(process, 0) == 0 || errno != ESRCH);
    if (!lives && name == temporary_name(process, number)) {
      std::error_code ignored;
      std::filesystem::remove(i->path(), ignored);
    }
  }
}

void replace_file(const std::filesystem::path& path, std::string_view text, Flush flush) {
  replace_file(
      path, [&](const Sink& sink) { sink(std::as_bytes(std::span(text))); }, flush);
}

}  // namespace fovea
