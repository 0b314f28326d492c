#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::data {

/// The names in folders of images, so that a large folder need not be listed again: kept as a text
/// in a run's folder. A folder to which names were added since, or in which they were removed or
/// renamed, is listed anew.
class FolderIndex {
 public:
  struct Entry {
    std::string name;
    bool folder;
  };

  /// Of the folders of a data set at `root`; `known` is what `text` returned earlier, "" for
  /// nothing. If that is not an index, or for another root, it is not used and `note` says so.
  explicit FolderIndex(const std::filesystem::path& root, std::string_view known = {});

  /// What a folder has whose name does not begin with a dot, sorted by bytes. Nothing but the names
  /// is read: whether they are folders comes with them, except for links. Errors: data when the
  /// folder cannot be read.
  const std::vector<Entry>& list(const std::filesystem::path& folder);

  /// All folders listed so far, but those whose next change might not be noticed: that changed less
  /// than two seconds before they were listed, or that have links to folders.
  std::string text() const;
  /// A line for the user if a known text was of no use, or in part; else "".
  std::string note() const;

 private:
  struct Folder {
    std::string state = {};  ///< changes with the names; "": unknown
    bool checked = false;    ///< in this process
    std::vector<Entry> entries;
  };

  static void read_entries(const std::filesystem::path& path, Folder& folder);
  bool parse(std::string_view text);

  std::string root_;
  std::map<std::string, Folder> folders_;
  size_t known_ = 0, stale_ = 0;
  bool invalid_ = false;
};

/// The name of its file in a run's folder.
constexpr std::string_view folder_index_name = "folders.index";

/// Whether such a file begins like the index of a data set at `root`.
bool is_index_of(const std::filesystem::path& file, const std::filesystem::path& root);

}  // namespace fovea::data
