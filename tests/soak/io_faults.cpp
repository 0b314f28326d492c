// Makes one call to the file system fail: a library for LD_PRELOAD. Calls on files below
// $FAULT_FOLDER are counted; number $FAULT_CALL fails with the error $FAULT_ERROR (a number; -1: a
// write of half the bytes), and with $FAULT_REST=1 all later ones too. What failed is written to
// $FAULT_LOG.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

const char* setting(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

template <class F>
F* original(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

bool is_watched(const char* path) {
  static const char* const folder = setting("FAULT_FOLDER");
  return path != nullptr && *folder != 0 && std::strncmp(path, folder, std::strlen(folder)) == 0;
}

bool is_watched(int file) {
  char link[64], path[PATH_MAX + 1];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = ::readlink(link, path, PATH_MAX);
  if (length <= 0) return false;
  path[length] = 0;
  return is_watched(path);
}

void log(const char* call, long number) {
  static const char* const path = setting("FAULT_LOG");
  const auto real_open = original<int(const char*, int, ...)>("open");
  const auto real_write = original<ssize_t(int, const void*, size_t)>("write");
  const auto real_close = original<int(int)>("close");
  const int file = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  char line[96];
  const int length = std::snprintf(line, sizeof line, "%ld %s\n", number, call);
  (void)!real_write(file, line, static_cast<size_t>(length));
  real_close(file);
}

/// Whether this call is the one to fail; then errno is set. A call on anything else does not count.
template <class Where>
bool fails(const char* call, Where where) {
  static std::atomic<long> count{0};
  static const long chosen = std::atol(setting("FAULT_CALL"));
  static const bool rest = std::atoi(setting("FAULT_REST")) != 0;
  static const int code = std::atoi(setting("FAULT_ERROR"));
  const int before = errno;
  if (chosen <= 0 || !is_watched(where)) {
    errno = before;
    return false;
  }
  const long number = ++count;
  if (number != chosen && !(rest && number > chosen)) {
    errno = before;
    return false;
  }
  if (number == chosen) log(call, number);
  errno = code > 0 ? code : EIO;
  return true;
}

bool is_short() { return std::atoi(setting("FAULT_ERROR")) < 0; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  if ((flags & O_ACCMODE) != O_RDONLY && fails("open", path)) return -1;
  return original<int(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  if ((flags & O_ACCMODE) != O_RDONLY && fails("open64", path)) return -1;
  return original<int(const char*, int, ...)>("open64")(path, flags, mode);
}

ssize_t write(int file, const void* data, size_t size) {
  const auto real = original<ssize_t(int, const void*, size_t)>("write");
  if (!fails("write", file)) return real(file, data, size);
  return is_short() && size > 1 ? real(file, data, size / 2) : -1;
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  const auto real = original<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (!fails("pwrite", file)) return real(file, data, size, at);
  return is_short() && size > 1 ? real(file, data, size / 2, at) : -1;
}

int fsync(int file) { return fails("fsync", file) ? -1 : original<int(int)>("fsync")(file); }

int fdatasync(int file) {
  return fails("fdatasync", file) ? -1 : original<int(int)>("fdatasync")(file);
}

int ftruncate(int file, off_t size) {
  return fails("ftruncate", file) ? -1 : original<int(int, off_t)>("ftruncate")(file, size);
}

int close(int file) {
  if (!fails("close", file)) return original<int(int)>("close")(file);
  const int code = errno;
  original<int(int)>("close")(file);  // Linux closes it even when it reports an error
  errno = code;
  return -1;
}

int rename(const char* from, const char* to) {
  return fails("rename", to) ? -1 : original<int(const char*, const char*)>("rename")(from, to);
}

int mkdir(const char* path, mode_t mode) {
  return fails("mkdir", path) ? -1 : original<int(const char*, mode_t)>("mkdir")(path, mode);
}

int unlink(const char* path) {
  return fails("unlink", path) ? -1 : original<int(const char*)>("unlink")(path);
}

}  // extern "C"
