#include "fovea/data/folder_index.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view header = "fovea folder index 1";

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// A word that changes with the names in a folder. Programs that copy folders restore the time of
/// modification, but nobody can set that of the last change. "" if the names changed just now, so
/// that the next change may have the same time (FAT counts in steps of two seconds), or if the
/// folder cannot be examined.
std::string state_of(const fs::path& folder) {
  constexpr int64_t resolution = 2'000'000'000;
  struct stat status = {};
  timespec now = {};
  if (::stat(folder.c_str(), &status) != 0) return "";
  ::clock_gettime(CLOCK_REALTIME, &now);
  const int64_t modified = nanoseconds(status.st_mtim);
  if (modified > nanoseconds(now) - resolution) return "";
  return fmt::format("{}:{}:{}", status.st_ino, modified, nanoseconds(status.st_ctim));
}

/// The same text however a folder is written: "photos", "./photos/".
std::string absolute_text(const fs::path& path) {
  const fs::path full = fs::absolute(path).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).string();
}

std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// The word before the first space, which it removes with the space; "" if there is none.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

std::optional<int64_t> count_in(std::string_view word) {
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool complete = problem == std::errc() && end == word.data() + word.size();
  return complete && value >= 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

FolderIndex::FolderIndex(const fs::path& root, std::string_view known)
    : root_(absolute_text(root)) {
  if (known.empty()) return;
  if (parse(known)) {
    known_ = folders_.size();
  } else {
    folders_.clear();
    invalid_ = true;
  }
}

/// STATE COUNT PATH for each folder, then a line for each name, those of folders with a slash.
bool FolderIndex::parse(std::string_view text) {
  if (take_line(text) != header || take_line(text) != root_) return false;
  while (!text.empty()) {
    std::optional<std::string_view> line = take_line(text);
    if (!line) return false;
    Folder folder{.state = std::string(take_word(*line)), .entries = {}};
    const std::optional<int64_t> count = count_in(take_word(*line));
    if (folder.state.empty() || !count || line->empty()) return false;
    const std::string path(*line);
    for (int64_t i = 0; i < *count; ++i) {
      std::optional<std::string_view> name = take_line(text);
      if (!name) return false;
      const bool is_folder = name->ends_with('/');
      if (is_folder) name->remove_suffix(1);
      if (name->empty() || name->find('/') != std::string_view::npos) return false;
      folder.entries.push_back({std::string(*name), is_folder});
    }
    folders_[path] = std::move(folder);
  }
  return true;
}

const std::vector<FolderIndex::Entry>& FolderIndex::list(const fs::path& path) {
  Folder& folder = folders_[absolute_text(path)];
  if (folder.checked) return folder.entries;
  folder.checked = true;
  const std::string state = state_of(path);
  if (!state.empty() && folder.state == state) return folder.entries;
  if (!folder.state.empty()) ++stale_;
  folder.state = state;
  read_entries(path, folder);
  return folder.entries;
}

/// Its names, sorted. Whether a link leads to a folder can change while the names stay the same.
void FolderIndex::read_entries(const fs::path& path, Folder& folder) {
  folder.entries.clear();
  std::error_code error;
  for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error)) {
    std::string name = i->path().filename().string();
    if (name.starts_with('.')) continue;
    const bool is_image = is_image_name(name);
    std::error_code unknown;
    const bool is_folder = !is_image && i->is_directory(unknown);
    if (unknown && unknown != std::errc::no_such_file_or_directory &&
        unknown != std::errc::too_many_symbolic_link_levels) {
      throw Error(ErrorKind::data,
                  fmt::format("cannot read {}: {}", i->path().string(), unknown.message()));
    }
    if ((!is_image && i->is_symlink(unknown)) || name.find('\n') != std::string::npos)
      folder.state.clear();
    folder.entries.push_back({std::move(name), is_folder});
  }
  if (error) {
    throw Error(ErrorKind::data,
                fmt::format("cannot read the folder {}: {}", path.string(), error.message()));
  }
  std::ranges::sort(folder.entries, {}, &Entry::name);
}

std::string FolderIndex::text() const {
  std::string text = fmt::format("{}\n{}\n", header, root_);
  for (const auto& [path, folder] : folders_) {
    if (folder.state.empty() || !folder.checked || path.find('\n') != std::string::npos) continue;
    text += fmt::format("{} {} {}\n", folder.state, folder.entries.size(), path);
    for (const Entry& entry : folder.entries) {
      text += entry.name;
      text += entry.folder ? "/\n" : "\n";
    }
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

bool is_index_of(const fs::path& file, const fs::path& root) {
  std::ifstream stream(file);
  std::string first, second;
  return std::getline(stream, first) && std::getline(stream, second) && first == header &&
         second == absolute_text(root);
}

}  // namespace fovea::data
