#include "fovea/data/folder_index.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view header = "fovea folder index 1";
constexpr int64_t second = 1'000'000'000;

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * second + time.tv_nsec; }

/// When names were last added to the folder or removed from it; none if it does not exist.
std::optional<int64_t> time_of(const fs::path& folder) {
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) return std::nullopt;
  return nanoseconds(status.st_mtim);
}

int64_t now() {
  timespec time = {};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return nanoseconds(time);
}

std::vector<FolderIndex::Entry> read_entries(const fs::path& folder) {
  std::vector<FolderIndex::Entry> all;
  std::error_code error, unknown;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
    std::string name = i->path().filename().string();
    if (name.starts_with('.')) continue;
    const bool is_folder = !is_image_name(name) && i->is_directory(unknown);
    all.push_back({std::move(name), is_folder});
  }
  if (error) {
    throw Error(ErrorKind::data,
                fmt::format("cannot read the folder {}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(all, {}, &FolderIndex::Entry::name);
  return all;
}

std::string absolute(const fs::path& path) {
  return fs::absolute(path).lexically_normal().string();
}

std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// The number before the first space, which it removes with the space.
std::optional<int64_t> take_number(std::string_view& line) {
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
  const auto digits = static_cast<size_t>(end - line.data());
  if (problem != std::errc() || digits >= line.size() || line[digits] != ' ') return std::nullopt;
  line.remove_prefix(digits + 1);
  return value;
}

}  // namespace

FolderIndex::FolderIndex(std::string_view text, const fs::path& root) {
  if (parse(text, root)) {
    known_ = folders_.size();
  } else {
    folders_.clear();
    invalid_ = true;
  }
}

/// TIME COUNT PATH for each folder, then a line for each name, those of folders with a slash.
bool FolderIndex::parse(std::string_view text, const fs::path& root) {
  if (take_line(text) != header || take_line(text) != absolute(root)) return false;
  while (!text.empty()) {
    std::optional<std::string_view> line = take_line(text);
    if (!line) return false;
    const std::optional<int64_t> time = take_number(*line), count = take_number(*line);
    if (!time || !count || *count < 0) return false;
    Folder folder{.time = *time, .checked = false, .entries = {}};
    const std::string path(*line);
    for (int64_t i = 0; i < *count; ++i) {
      std::optional<std::string_view> name = take_line(text);
      if (!name || name->empty()) return false;
      const bool is_folder = name->ends_with('/');
      if (is_folder) name->remove_suffix(1);
      folder.entries.push_back({std::string(*name), is_folder});
    }
    folders_[path] = std::move(folder);
  }
  return true;
}

const std::vector<FolderIndex::Entry>& FolderIndex::list(const fs::path& path) {
  const std::string key = absolute(path);
  const std::optional<int64_t> time = time_of(path);
  const auto known = folders_.find(key);
  if (known != folders_.end()) {
    Folder& folder = known->second;
    if (folder.checked || folder.time == time) {
      folder.checked = true;
      return folder.entries;
    }
    ++stale_;
  }
  Folder& folder = folders_[key];
  folder = {.time = time.value_or(0), .checked = true, .entries = read_entries(path)};
  // A change within the resolution of the file system's clock would not be noticed.
  if (folder.time > now() - second) folder.time = 0;
  return folder.entries;
}

std::string FolderIndex::text(const fs::path& root) const {
  std::string text = fmt::format("{}\n{}\n", header, absolute(root));
  for (const auto& [path, folder] : folders_) {
    const auto broken = [](const Entry& entry) {
      return entry.name.find('\n') != std::string::npos;
    };
    if (folder.time == 0 || path.find('\n') != std::string::npos ||
        std::ranges::any_of(folder.entries, broken))
      continue;
    text += fmt::format("{} {} {}\n", folder.time, folder.entries.size(), path);
    for (const Entry& entry : folder.entries) text += entry.name + (entry.folder ? "/\n" : "\n");
  }
  return text;
}

std::string FolderIndex::note() const {
  if (invalid_)
    return fmt::format("{} cannot be used: folders were listed anew", folder_index_name);
  if (stale_ == 0) return "";
  return fmt::format("{} is out of date for {} of {} folders, which were listed anew",
                     folder_index_name, stale_, known_);
}

}  // namespace fovea::data
