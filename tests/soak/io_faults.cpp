// Makes one call to the file system fail: a library for LD_PRELOAD. Calls on files below
// $FAULT_FOLDER that can fail in the chosen way are counted; number $FAULT_CALL fails, and with
// $FAULT_REST=1 all later ones too. What failed is written to $FAULT_LOG as "NUMBER KIND CALL
// PATH", with the kind "read" or "write". $FAULT_WAY:
//   EIO      any call: a disk that fails
//   ENOSPC   calls that write: a disk that is full
//   EINTR    calls that can wait: a signal
//   short    calls that move bytes: half of them
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

enum Kind : unsigned { reads = 1, writes = 2, waits = 4, moves = 8 };

struct Way {
  const char* name;
  int code;
  unsigned kinds;  ///< of the calls that can fail so
};
constexpr Way ways[] = {{"EIO", EIO, reads | writes},
                        {"ENOSPC", ENOSPC, writes},
                        {"EINTR", EINTR, waits},
                        {"short", 0, moves}};

const char* setting(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

const Way& way() {
  static const Way& chosen = [] {
    for (const Way& one : ways) {
      if (std::strcmp(one.name, setting("FAULT_WAY")) == 0) return one;
    }
    return ways[0];
  }();
  return chosen;
}

template <class F>
F* original(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

std::string path_of(int file) {
  char link[64], path[PATH_MAX + 1];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  static const auto real = original<ssize_t(const char*, char*, size_t)>("readlink");
  const ssize_t length = real(link, path, PATH_MAX);
  return {path, static_cast<size_t>(length < 0 ? 0 : length)};
}

std::string path_of(const char* path) { return path == nullptr ? "" : path; }

std::string path_of(int folder, const char* path) {
  return *path == '/' ? path : path_of(folder) + "/" + path;
}

bool is_watched(const std::string& path) {
  static const std::string folder = setting("FAULT_FOLDER");
  return !folder.empty() && path.starts_with(folder);
}

void log(long number, unsigned kinds, const char* call, const std::string& path) {
  static const auto real_open = original<int(const char*, int, ...)>("open");
  static const auto real_write = original<ssize_t(int, const void*, size_t)>("write");
  static const auto real_close = original<int(int)>("close");
  const int file = real_open(setting("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  const std::string line = std::to_string(number) + ((kinds & writes) != 0 ? " write " : " read ") +
                           call + " " + path + "\n";
  (void)!real_write(file, line.data(), line.size());
  real_close(file);
}

/// Whether this call is one to fail; then errno is set.
bool fails(const char* call, unsigned kinds, const std::string& path) {
  static std::atomic<long> count{0};
  static const long chosen = std::atol(setting("FAULT_CALL"));
  static const bool rest = std::atoi(setting("FAULT_REST")) != 0;
  if (chosen <= 0 || (kinds & way().kinds) == 0 || !is_watched(path)) return false;
  const long number = ++count;
  if (number != chosen && !(rest && number > chosen)) return false;
  if (number == chosen) log(number, kinds, call, path);
  errno = way().code;
  return true;
}

bool is_short() { return way().code == 0; }

/// Keeps errno if the call goes through.
bool failing(const char* call, unsigned kinds, const std::string& path) {
  const int before = errno;
  const bool is = fails(call, kinds, path);
  if (!is) errno = before;
  return is;
}

unsigned opening(int flags) {
  const unsigned kind = (flags & O_ACCMODE) == O_RDONLY ? reads : writes;
  return (flags & O_DIRECTORY) != 0 ? kind : kind | waits;
}

/// What a call on an open file is.
unsigned opened(int file) { return opening(::fcntl(file, F_GETFL)); }

/// A call that returns -1 or `bad` when it fails.
template <class R, class... A>
R guarded(const char* call, unsigned kinds, const std::string& path, R bad, A... arguments) {
  if (failing(call, kinds, path)) return bad;
  return original<R(A...)>(call)(arguments...);
}

template <class Data, class... Offset>
ssize_t moved(const char* call, unsigned kind, int file, Data data, size_t size, Offset... offset) {
  const auto real = original<ssize_t(int, Data, size_t, Offset...)>(call);
  if (!failing(call, kind | waits | (size > 1 ? moves : 0), path_of(file)))
    return real(file, data, size, offset...);
  return is_short() ? real(file, data, size / 2, offset...) : -1;
}

int mode_of(int flags, va_list more) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, int) : 0;
}

int open_path(const char* call, const char* path, int flags, int mode) {
  if (failing(call, opening(flags), path_of(path))) return -1;
  return original<int(const char*, int, ...)>(call)(path, flags, mode);
}

int open_in(const char* call, int folder, const char* path, int flags, int mode) {
  if (failing(call, opening(flags), path_of(folder, path))) return -1;
  return original<int(int, const char*, int, ...)>(call)(folder, path, flags, mode);
}

}  // namespace

// NOLINTBEGIN: the names and types of the C library
#define MODE(flags)                      \
  va_list more;                          \
  va_start(more, flags);                 \
  const int mode = mode_of(flags, more); \
  va_end(more)

extern "C" {

int open(const char* path, int flags, ...) {
  MODE(flags);
  return open_path("open", path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE(flags);
  return open_path("open64", path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE(flags);
  return open_in("openat", folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE(flags);
  return open_in("openat64", folder, path, flags, mode);
}

ssize_t read(int f, void* data, size_t n) { return moved("read", reads, f, data, n); }
ssize_t write(int f, const void* data, size_t n) { return moved("write", writes, f, data, n); }
ssize_t pread(int f, void* data, size_t n, off_t at) {
  return moved("pread", reads, f, data, n, at);
}
ssize_t pread64(int f, void* data, size_t n, off64_t at) {
  return moved("pread64", reads, f, data, n, at);
}
ssize_t pwrite(int f, const void* data, size_t n, off_t at) {
  return moved("pwrite", writes, f, data, n, at);
}
ssize_t pwrite64(int f, const void* data, size_t n, off64_t at) {
  return moved("pwrite64", writes, f, data, n, at);
}

void* mmap(void* at, size_t size, int protection, int flags, int f, off_t offset) {
  return guarded("mmap", reads, f < 0 ? "" : path_of(f), MAP_FAILED, at, size, protection, flags, f,
                 offset);
}
int fsync(int f) { return guarded("fsync", writes | waits, path_of(f), -1, f); }
int fdatasync(int f) { return guarded("fdatasync", writes | waits, path_of(f), -1, f); }
int ftruncate(int f, off_t size) {
  return guarded("ftruncate", writes | waits, path_of(f), -1, f, size);
}
int flock(int f, int operation) {
  return guarded("flock", writes | waits, path_of(f), -1, f, operation);
}
int fchmod(int f, mode_t mode) { return guarded("fchmod", writes, path_of(f), -1, f, mode); }
int fchown(int f, uid_t user, gid_t group) {
  return guarded("fchown", writes, path_of(f), -1, f, user, group);
}
int close(int f) {
  const bool bad = failing("close", opened(f), path_of(f));
  const int code = errno;
  const int result = original<int(int)>("close")(f);  // Linux closes it even when it fails
  if (!bad) return result;
  errno = code;
  return -1;
}

int rename(const char* from, const char* to) {
  return guarded("rename", writes, path_of(to), -1, from, to);
}
int renameat(int from, const char* old_name, int to, const char* new_name) {
  return guarded("renameat", writes, path_of(to, new_name), -1, from, old_name, to, new_name);
}
int mkdir(const char* path, mode_t mode) {
  return guarded("mkdir", writes, path_of(path), -1, path, mode);
}
int unlink(const char* path) { return guarded("unlink", writes, path_of(path), -1, path); }
int unlinkat(int folder, const char* path, int flags) {
  return guarded("unlinkat", writes, path_of(folder, path), -1, folder, path, flags);
}
int remove(const char* path) { return guarded("remove", writes, path_of(path), -1, path); }

int stat(const char* path, struct stat* s) {
  return guarded("stat", reads, path_of(path), -1, path, s);
}
int lstat(const char* path, struct stat* s) {
  return guarded("lstat", reads, path_of(path), -1, path, s);
}
int fstat(int f, struct stat* s) { return guarded("fstat", reads, path_of(f), -1, f, s); }
int fstatat(int folder, const char* path, struct stat* s, int flags) {
  return guarded("fstatat", reads, path_of(folder, path), -1, folder, path, s, flags);
}
ssize_t readlink(const char* path, char* into, size_t size) {
  return guarded("readlink", reads, path_of(path), ssize_t{-1}, path, into, size);
}
int faccessat(int folder, const char* path, int mode, int flags) {
  return guarded("faccessat", reads, path_of(folder, path), -1, folder, path, mode, flags);
}

DIR* opendir(const char* path) {
  return guarded("opendir", reads, path_of(path), static_cast<DIR*>(nullptr), path);
}
DIR* fdopendir(int f) {
  return guarded("fdopendir", reads, path_of(f), static_cast<DIR*>(nullptr), f);
}
struct dirent* readdir(DIR* d) {
  return guarded("readdir", reads, path_of(::dirfd(d)), static_cast<struct dirent*>(nullptr), d);
}
struct dirent64* readdir64(DIR* d) {
  return guarded("readdir64", reads, path_of(::dirfd(d)), static_cast<struct dirent64*>(nullptr),
                 d);
}

}  // extern "C"
// NOLINTEND
