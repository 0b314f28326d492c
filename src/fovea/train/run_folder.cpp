#include "fovea/train/run_folder.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/folder_index.h"
#include "fovea/data/registry.h"

namespace fovea::train {
namespace {

constexpr const char* lock_name = "run.lock";

Error cannot_write(const std::filesystem::path& path) {
  return {ErrorKind::io, "cannot write " + path.string() + ": " + std::strerror(errno)};
}

/// The process that a lock file names, or "unknown".
std::string holder(int file) {
  char text[24] = {};
  const ssize_t read = ::pread(file, text, sizeof text - 1, 0);
  const std::string word = split({text, static_cast<size_t>(std::max<ssize_t>(read, 0))}, '\n')[0];
  return parse_number(word) ? word : "unknown";
}

/// Whether the open file is still the one at that path.
bool is_at(int file, const std::filesystem::path& path) {
  struct stat open = {}, named = {};
  return ::fstat(file, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

Error cannot_make(const std::filesystem::path& folder, const std::string& why) {
  return Error(ErrorKind::io,
               fmt::format("cannot create the run folder {}: {}", folder.string(), why))
      .with("try", "another --out, in a folder you may write to");
}

/// Errors: usage when the folder of a new run holds more than its lock; io.
void require_empty(const std::filesystem::path& folder) {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename() == lock_name) continue;
    throw Error(ErrorKind::usage, fmt::format("--out {} is not empty", folder.string()))
        .with("try", fmt::format("another folder, or --resume {} to go on with the run there",
                                 folder.string()));
  }
  if (error) throw cannot_make(folder, error.message());
}

std::filesystem::path numbered_folder(const Settings& settings) {
  const std::string data = split(settings.data, ':')[0];
  for (int n = 1; n < 100000; ++n) {
    std::string number = std::to_string(n);
    number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
    const std::filesystem::path folder =
        std::filesystem::path("runs") / (model_name(settings) + "-" + data + "-" + number);
    std::error_code error;
    std::filesystem::create_directories(folder.parent_path(), error);
    if (error) throw cannot_make(folder.parent_path(), error.message());
    // create_directory says whether this call created it: two runs started at once get two folders
    if (std::filesystem::create_directory(folder, error)) return folder;
    if (error) throw cannot_make(folder, error.message());
  }
  throw cannot_make("runs", "100000 runs of this name exist");
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& folder) : path_(folder / lock_name) {
  for (bool held = false; !held;) {
    file_ = uninterrupted(
        [&] { return ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644); });
    if (file_ < 0) throw cannot_write(path_);
    if (uninterrupted([&] { return ::flock(file_, LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return;  // this file system has no locks
      const std::string process = holder(file_);
      ::close(file_);
      throw Error(ErrorKind::usage,
                  fmt::format("another process is training in {}", folder.string()))
          .with("process", process)
          .with("try", "another folder; or this one when that process has ended");
    }
    held = is_at(file_, path_);  // not if a run that just ended removed it
    if (!held) ::close(file_);
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  const bool written =
      uninterrupted([&] { return ::ftruncate(file_, 0); }) == 0 &&
      uninterrupted([&] { return ::pwrite(file_, text.data(), text.size(), 0); }) >= 0;
  if (!written) {
    const Error error = cannot_write(path_);
    ::close(file_);
    throw error;
  }
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

bool is_training(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / lock_name;
  const Descriptor file(
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); }));
  return file.get() >= 0 &&
         uninterrupted([&] { return ::flock(file.get(), LOCK_SH | LOCK_NB); }) != 0 &&
         errno == EWOULDBLOCK;
}

RunFolder make_run_folder(const std::string& out, const Settings& settings) {
  std::filesystem::path folder = out;
  if (out.empty()) {
    folder = numbered_folder(settings);
  } else {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw cannot_make(folder, error.message());
    if (!exists(folder / lock_name, ErrorKind::io)) require_empty(folder);
  }
  auto lock = std::make_unique<const RunLock>(folder);
  require_empty(folder);
  replace_file(folder / "config.toml", to_toml(settings));
  if (settings.net) replace_file(folder / settings.model, settings.net->text);
  return {folder, std::move(lock)};
}

std::string known_index(const std::filesystem::path& out, std::string_view data) {
  namespace fs = std::filesystem;
  const std::optional<fs::path> root = data::indexed_folder(data);
  if (!root) return "";
  const fs::path runs =
      out.empty() ? fs::path("runs") : fs::absolute(out / "").parent_path().parent_path();
  std::optional<std::pair<fs::file_time_type, fs::path>> newest;
  std::error_code error;
  for (fs::directory_iterator run(runs, error), end; !error && run != end; run.increment(error)) {
    const fs::path file = run->path() / data::folder_index_name;
    std::error_code missing;
    const fs::file_time_type time = fs::last_write_time(file, missing);
    if (!missing && (!newest || time > newest->first) && data::is_index_of(file, *root))
      newest = {time, file};
  }
  return newest ? read_index(newest->second) : "";
}

std::string read_index(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return "";
  try {
    return read_text(file, ErrorKind::data, largest_stream);
  } catch (const Error& e) {
    return e.headline();
  }
}

SaveEvery::SaveEvery(std::string_view text) {
  if (text.empty()) return;
  const bool minutes = text.ends_with('m');
  const std::optional<double> number =
      parse_number(text.substr(0, text.size() - (minutes ? 1 : 0)));
  const bool fits = number && *number > 0 && *number <= 1e6;
  if (!fits || (!minutes && *number != std::floor(*number))) {
    throw Error(ErrorKind::usage, fmt::format("--save-every: cannot read \"{}\"", printable(text)))
        .with("expected", "a number of epochs, such as 5, or of minutes, such as 10m");
  }
  if (minutes) {
    seconds = *number * 60;
  } else {
    epochs = static_cast<int64_t>(*number);
  }
}

std::string epoch_file(int64_t epoch) {
  std::string digits = std::to_string(epoch);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return "epoch-" + digits + ".safetensors";
}

void remove_epoch_files(const std::filesystem::path& folder, int64_t keep) {
  std::vector<std::pair<double, std::filesystem::path>> found;
  std::error_code unreadable;
  for (auto entry = std::filesystem::directory_iterator(folder, unreadable);
       !unreadable && entry != std::filesystem::directory_iterator(); entry.increment(unreadable)) {
    const std::string name = entry->path().filename().string();
    const std::string_view prefix = "epoch-", suffix = ".safetensors";
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const std::optional<double> epoch =
        parse_number(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
    if (epoch) found.emplace_back(*epoch, entry->path());
  }
  if (unreadable)
    throw Error(ErrorKind::io,
                fmt::format("cannot read {}: {}", folder.string(), unreadable.message()));
  std::ranges::sort(found, std::greater<>());
  for (size_t i = static_cast<size_t>(keep); i < found.size(); ++i) {
    std::error_code failed;
    std::filesystem::remove(found[i].second, failed);
    if (failed) {
      throw Error(ErrorKind::io,
                  fmt::format("cannot remove {}: {}", found[i].second.string(), failed.message()));
    }
  }
}

void append_log(const std::filesystem::path& folder, std::string_view line) {
  const std::filesystem::path path = folder / "log.txt";
  const Descriptor file(uninterrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666); }));
  const std::string text = std::string(line) + "\n";
  try {
    if (file.get() >= 0) write_all(file.get(), std::as_bytes(std::span(text)), path);
  } catch (const Error&) {
    // the run goes on
  }
}

}  // namespace fovea::train
