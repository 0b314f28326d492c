#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/data/folder_index.h"
#include "fovea/data/image_files.h"

namespace fovea::data {

/// A kind of files that are sorted into folders, one per class.
struct ClassFiles {
  std::string data_set;  ///< its name: "folder"
  std::string file;      ///< one of them, in messages: "IMAGE"
  std::string plural;    ///< likewise: "images"
  std::string suffixes;  ///< likewise: ".png, .jpg, .jpeg or .webp"
  /// Whether a file, or a folder, is one.
  std::function<bool(const std::filesystem::path& file)> takes;
  std::function<std::shared_ptr<const Dataset>(FileList files, const Targets& targets)> make;

  /// "one folder per class, FOLDER/CLASS/IMAGE, or that in FOLDER/train, val and test"
  std::string layout() const;
};

/// Files in class folders: DIR/CLASS/.../FILE, or DIR/SPLIT/CLASS/.../FILE with the splits train,
/// val (or valid, validation) and test. Classes are the names of those folders in byte order, over
/// all splits, numbered as in torchvision's ImageFolder; a class may have no files. Other files and
/// hidden ones are ignored; symbolic links are followed.
///
/// Without test/, the best model is also measured on val/; without either, a fixed, stratified
/// tenth of the files is held out for that.
///
/// Errors: data when the folder is missing or unreadable, has no such files, fewer than two classes
/// or files beside the class folders; each names the folder and what was expected. `index` may know
/// names already, and learns them; null: a new one.
DataSets open_class_folders(const std::filesystem::path& folder, const ClassFiles& files,
                            std::shared_ptr<FolderIndex> index = nullptr);

/// The files of one split by class.
struct ClassSplit {
  std::filesystem::path folder = {};
  std::map<std::string, std::vector<std::string>> classes = {};
  std::vector<std::string> loose = {};  ///< files in no class

  int64_t count() const;  ///< of files in classes
  /// All of them; each target is the place of the class among `names`, which are sorted.
  FileList list(const std::vector<std::string>& names) const;
};

/// All files of a kind below a folder, relative to it, in byte order within each folder.
std::vector<std::string> files_below(FolderIndex& index, const std::filesystem::path& folder,
                                     const ClassFiles& files);
/// The folder in `folder` that has the first of these names that is there.
std::optional<std::filesystem::path> find_folder(const std::filesystem::path& folder,
                                                 std::initializer_list<std::string_view> names);

/// The parts of open_class_folders, for data sets with another layout above their classes.
ClassSplit read_class_split(FolderIndex& index, const std::filesystem::path& folder,
                            const ClassFiles& files);
std::vector<std::string> class_names(std::span<const ClassSplit* const> splits);
void require_classes(const ClassSplit& split, const ClassFiles& files);
void require_two(const std::vector<std::string>& names, const std::filesystem::path& folder,
                 const ClassFiles& files);
void require_folder(const std::filesystem::path& folder, const std::string& expected);

}  // namespace fovea::data
