#include "fovea/data/class_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int maximum_depth = 32;  // also ends links back to a folder above them

Error layout_error(const std::string& what) { return {ErrorKind::data, what}; }

/// The paths of all files of a kind below a folder, relative to it, after the prefix `front`.
void collect(FolderIndex& index, const fs::path& folder, const ClassFiles& files,
             const std::string& front, std::vector<std::string>& into, int depth = 0) {
  if (depth > maximum_depth) {
    throw layout_error(folder.string() + ": more than " + std::to_string(maximum_depth) +
                       " nested folders")
        .with("try", "look for a symbolic link to a folder above it");
  }
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (files.takes(folder / name)) {
      into.push_back(front + name);
    } else if (is_folder) {
      collect(index, folder / name, files, front + name + "/", into, depth + 1);
    }
  }
}

}  // namespace

std::optional<fs::path> find_folder(const fs::path& folder,
                                    std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    if (is_folder(folder / name, ErrorKind::data)) return folder / name;
  }
  return std::nullopt;
}

std::vector<std::string> files_below(FolderIndex& index, const fs::path& folder,
                                     const ClassFiles& files) {
  std::vector<std::string> found;
  collect(index, folder, files, "", found);
  return found;
}

std::string ClassFiles::layout() const {
  return fmt::format("one folder per class, FOLDER/CLASS/{}, or that in FOLDER/train, val and test",
                     file);
}

int64_t ClassSplit::count() const {
  int64_t count = 0;
  for (const auto& [name, paths] : classes) count += std::ssize(paths);
  return count;
}

FileList ClassSplit::list(const std::vector<std::string>& names) const {
  FileList list{.root = folder, .paths = {}, .targets = {}};
  std::vector<int64_t> labels;
  for (const auto& [name, paths] : classes) {
    const auto label = std::ranges::lower_bound(names, name) - names.begin();
    list.paths.insert(list.paths.end(), paths.begin(), paths.end());
    labels.insert(labels.end(), paths.size(), label);
  }
  list.targets = Array::of(labels);
  return list;
}

ClassSplit read_class_split(FolderIndex& index, const fs::path& folder, const ClassFiles& files) {
  ClassSplit split{.folder = folder, .classes = {}, .loose = {}};
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (files.takes(folder / name)) {
      split.loose.push_back(name);
    } else if (is_folder) {
      collect(index, folder / name, files, name + "/", split.classes[name]);
    }
  }
  return split;
}

std::vector<std::string> class_names(std::span<const ClassSplit* const> splits) {
  std::set<std::string> names;
  for (const ClassSplit* split : splits) {
    for (const auto& [name, paths] : split->classes) names.insert(name);
  }
  return {names.begin(), names.end()};
}

void require_classes(const ClassSplit& split, const ClassFiles& files) {
  if (!split.loose.empty()) {
    throw layout_error(
        fmt::format("{}: {} beside the class folders", split.folder.string(), files.plural))
        .with("found", fmt::format("{}, such as {}", split.loose.size(), printable(split.loose[0])))
        .with("expected", files.layout());
  }
  if (split.count() > 0) return;
  throw layout_error(
      fmt::format("{}: no {} in its class folders", split.folder.string(), files.plural))
      .with("expected",
            fmt::format("{}; {} end in {}", files.layout(), files.plural, files.suffixes));
}

void require_two(const std::vector<std::string>& names, const fs::path& folder,
                 const ClassFiles& files) {
  if (names.size() >= 2) return;
  throw layout_error(folder.string() + ": " + std::to_string(names.size()) +
                     (names.size() == 1 ? " class" : " classes") + "; at least 2 are expected")
      .with("found", join(names))
      .with("expected", files.layout());
}

void require_folder(const fs::path& folder, const std::string& expected) {
  const std::optional<FileInfo> found = file_info(folder, ErrorKind::data);
  if (found && found->folder) return;
  throw layout_error(folder.string() + (found ? " is not a folder" : " does not exist"))
      .with("expected", expected)
      .with("try", "--data NAME:DIR, where DIR is their folder");
}

DataSets open_class_folders(const fs::path& folder, const ClassFiles& files,
                            std::shared_ptr<FolderIndex> index) {
  require_folder(folder, files.layout());
  if (!index) index = std::make_shared<FolderIndex>(folder);
  const std::optional<fs::path> train = find_folder(folder, {"train"}),
                                val = find_folder(folder, {"val", "valid", "validation"}),
                                test = find_folder(folder, {"test"});
  const ClassSplit first = read_class_split(
      *index, train && (val || test || index->list(folder).size() == 1) ? *train : folder, files);
  require_classes(first, files);
  const bool split = first.folder != folder;
  const ClassSplit second = split && val ? read_class_split(*index, *val, files) : ClassSplit{};
  const ClassSplit third = split && test ? read_class_split(*index, *test, files) : ClassSplit{};
  for (const ClassSplit* other : {&second, &third}) {
    if (!other->folder.empty()) require_classes(*other, files);
  }
  const std::vector<std::string> names = class_names(std::array{&first, &second, &third});
  require_two(names, folder, files);
  const Targets meaning = class_targets(names);
  DataSets sets{.name = files.data_set,
                .train = files.make(first.list(names), meaning),
                .test = nullptr,
                .index = std::move(index)};
  if (split && val) sets.val = files.make(second.list(names), meaning);
  if (split && test) sets.test = files.make(third.list(names), meaning);
  return with_test_split(std::move(sets));
}

}  // namespace fovea::data
