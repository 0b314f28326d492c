#include "fovea/downloads/download.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/process.h"
#include "fovea/core/sha256.h"
#include "fovea/core/text.h"
#include "fovea/downloads/transfer.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

fs::path folder_from(const char* variable, const char* name) {
  const char* given = std::getenv(variable);
  if (given != nullptr && *given != '\0') return given;
  return cache_folder() / name;
}

std::string sha256_of(const fs::path& path) {
  InputFile file(path, ErrorKind::io);
  std::vector<std::byte> part(size_t{1} << 20);
  Sha256 hash;
  while (const size_t count = file.read(part)) hash.add(std::span(part).first(count));
  return hash.finish();
}

Error cannot_write(const fs::path& path) {
  return {ErrorKind::io, "cannot write " + path.string() + ": " + std::strerror(errno)};
}

/// NAME.part, open and locked for as long as it lives.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& path)
      : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (file_.get() < 0) throw cannot_write(path);
    while (::flock(file_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw cannot_write(path);
    }
  }

  const fs::path& path() const { return path_; }
  int64_t size() const { return ::lseek(file_.get(), 0, SEEK_END); }
  void append(std::span<const std::byte> bytes) const {
    ::lseek(file_.get(), 0, SEEK_END);
    write_all(file_.get(), bytes, path_);
  }
  void clear() const {
    if (::ftruncate(file_.get(), 0) != 0) throw cannot_write(path_);
  }
  void rename_to(const fs::path& target) const {
    if (::fsync(file_.get()) != 0 || ::rename(path_.c_str(), target.c_str()) != 0)
      throw cannot_write(target);
  }

 private:
  fs::path path_;
  Descriptor file_;
};

Error without_curl(const RemoteFile& file) {
  return {ErrorKind::data,
          fmt::format("{} is not there, and without libcurl it cannot be downloaded", file.name)};
}

/// Downloads one file unless it is there. Errors: data, io.
void fetch(const RemoteFile& file, const fs::path& folder, const DownloadOptions& options) {
  const fs::path target = folder / file.name;
  std::error_code problem;
  if (fs::exists(target, problem)) return;
  if (!can_download()) throw without_curl(file);
  make_folder(folder);
  const PartialFile part(folder / (file.name + ".part"));
  if (fs::exists(target, problem)) {  // another process was quicker
    fs::remove(part.path(), problem);
    return;
  }
  const std::string address = download_address(file.url);
  try {
    transfer({.url = address,
              .begin = part.size(),
              .bytes = file.bytes,
              .restart = [&] { part.clear(); },
              .append = [&](std::span<const std::byte> bytes) { part.append(bytes); }},
             options);
  } catch (Error& error) {
    if (error.kind() == ErrorKind::data && address != file.url) error.with("from", address);
    throw;
  }
  const std::string found = sha256_of(part.path());
  if (!found.starts_with(file.sha256)) {
    fs::remove(part.path(), problem);
    throw Error(ErrorKind::data,
                fmt::format("{}: the download has another checksum than published", file.name))
        .with("expected", fmt::format("SHA-256 {}", file.sha256))
        .with("found", found);
  }
  part.rename_to(target);
}

}  // namespace

fs::path data_cache() { return folder_from("FOVEA_DATA", "data"); }
fs::path weights_cache() { return folder_from("FOVEA_WEIGHTS", "weights"); }

std::string download_address(const std::string& url) {
  const char* given = std::getenv("FOVEA_MIRROR");
  if (given == nullptr || *given == '\0') return url;
  std::string mirror = given;
  while (mirror.ends_with('/')) mirror.pop_back();
  return mirror + "/" + url.substr(url.find("://") + 3);
}

fs::path download(const RemoteFile& file, const fs::path& folder, const DownloadOptions& options) {
  download(std::span(&file, 1), folder, options);
  return folder / file.name;
}

void download(std::span<const RemoteFile> files, const fs::path& folder,
              const DownloadOptions& options) {
  for (const RemoteFile& file : files) {
    try {
      fetch(file, folder, options);
    } catch (Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      error.with("url", file.url);
      for (const RemoteFile& missing : files) {
        std::error_code unknown;
        if (fs::exists(folder / missing.name, unknown)) continue;
        error.with("try",
                   fmt::format("put {} ({}) into {}", missing.name, missing.url, folder.string()));
      }
      throw;
    }
  }
}

}  // namespace fovea
