#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::data {

/// The names in folders of images, so that a large folder need not be listed again: kept as a text
/// in a run's folder. A folder whose time of modification is another, or whose names are not as
/// many as were counted, is listed anew.
class FolderIndex {
 public:
  struct Entry {
    std::string name;
    bool folder;
  };

  FolderIndex() = default;
  /// From what `text` returned for the same root. A text that is not an index, or for another root,
  /// gives an empty one: then `note` says why.
  FolderIndex(std::string_view text, const std::filesystem::path& root);

  /// What a folder has whose name does not begin with a dot, sorted by bytes. Nothing but the names
  /// is read: whether they are folders comes with them, except for links. Errors: data when the
  /// folder cannot be read.
  const std::vector<Entry>& list(const std::filesystem::path& folder);

  /// All folders listed so far, for the data set at `root`.
  std::string text(const std::filesystem::path& root) const;
  /// A line for the user if a known text was of no use, or in part; else "".
  std::string note() const;

 private:
  struct Folder {
    int64_t time = 0;      ///< of the last change of its names, in nanoseconds
    bool checked = false;  ///< in this process
    std::vector<Entry> entries;
  };

  bool parse(std::string_view text, const std::filesystem::path& root);

  std::map<std::string, Folder> folders_;
  size_t known_ = 0, stale_ = 0;
  bool invalid_ = false;
};

/// The name of the file in a run's folder.
constexpr std::string_view folder_index_name = "folders.index";

}  // namespace fovea::data
