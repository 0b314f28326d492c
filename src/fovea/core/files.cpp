#include "fovea/core/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fovea {
namespace {

Error failure(ErrorKind kind, const std::string& what, const std::filesystem::path& path,
              int code) {
  Error error(kind, what + " " + path.string() + ": " + std::strerror(code));
  if (code == ENOENT) error.with("try", "check the path; nothing of that name exists");
  if (code == EACCES || code == EROFS) error.with("try", "a path you have permission for");
  if (code == ENOSPC || code == EDQUOT)
    error.with("try", "free some space, or another disk with --out");
  return error;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void flush_folder(const std::filesystem::path& folder) {
  Descriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() >= 0)
    ::fsync(dir.get());  // best effort: some file systems refuse, and the rename is done
}

}  // namespace

MappedFile map_file(const std::filesystem::path& path, ErrorKind kind) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw failure(kind, "cannot read", path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw failure(kind, "cannot read", path, errno);
  if (!S_ISREG(info.st_mode)) {
    throw Error(kind, "cannot read " + path.string() + ": it is not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return {};
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) throw failure(kind, "cannot map", path, errno);
  return {{static_cast<const std::byte*>(data), size},
          std::shared_ptr<void>(data, [size](void* p) { ::munmap(p, size); })};
}

std::string read_text(const std::filesystem::path& path, ErrorKind kind, size_t limit) {
  const MappedFile file = map_file(path, kind);
  if (file.bytes.size() > limit) {
    throw Error(kind, path.string() + " has " + std::to_string(file.bytes.size()) +
                          " bytes, at most " + std::to_string(limit) + " are read");
  }
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

void write_all(int descriptor, std::span<const std::byte> bytes,
               const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw failure(ErrorKind::io, "cannot write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void replace_file(const std::filesystem::path& path,
                  const std::function<void(const Sink&)>& write) {
  const std::filesystem::path temporary = path.string() + ".tmp-" + std::to_string(::getpid());
  try {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) throw failure(ErrorKind::io, "cannot write", path, errno);
    write([&](std::span<const std::byte> bytes) { write_all(file.get(), bytes, path); });
    if (::fsync(file.get()) != 0) throw failure(ErrorKind::io, "cannot write", path, errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw failure(ErrorKind::io, "cannot write", path, errno);
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  flush_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

void replace_file(const std::filesystem::path& path, std::string_view text) {
  replace_file(path, [&](const Sink& sink) { sink(std::as_bytes(std::span(text))); });
}

}  // namespace fovea
