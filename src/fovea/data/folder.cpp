#include "fovea/data/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int maximum_depth = 32;  // also ends links back to a folder above them

Error bad_folder(const std::string& what) { return {ErrorKind::data, what}; }

std::string class_layout() {
  return "one folder per class, FOLDER/CLASS/IMAGE, or that in FOLDER/train, val and test";
}

/// The paths of all images below a folder, relative to it, after the prefix `front`.
void collect(FolderIndex& index, const fs::path& folder, const std::string& front,
             std::vector<std::string>& into, int depth = 0) {
  if (depth > maximum_depth) {
    throw bad_folder(folder.string() + ": more than " + std::to_string(maximum_depth) +
                     " nested folders")
        .with("try", "look for a symbolic link to a folder above it");
  }
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (is_image_name(name)) {
      into.push_back(front + name);
    } else if (is_folder) {
      collect(index, folder / name, front + name + "/", into, depth + 1);
    }
  }
}

/// The images of one split by class.
struct ClassSplit {
  fs::path folder;
  std::map<std::string, std::vector<std::string>> classes;
  std::vector<std::string> loose;  ///< images in no class

  int64_t images() const {
    int64_t count = 0;
    for (const auto& [name, paths] : classes) count += std::ssize(paths);
    return count;
  }
};

ClassSplit read_class_split(FolderIndex& index, const fs::path& folder) {
  ClassSplit split{.folder = folder, .classes = {}, .loose = {}};
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (is_image_name(name)) {
      split.loose.push_back(name);
    } else if (is_folder) {
      collect(index, folder / name, name + "/", split.classes[name]);
    }
  }
  return split;
}

std::optional<fs::path> find_folder(const fs::path& folder,
                                    std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    if (is_folder(folder / name, ErrorKind::data)) return folder / name;
  }
  return std::nullopt;
}

std::vector<std::string> names_in(std::span<const ClassSplit* const> splits) {
  std::set<std::string> names;
  for (const ClassSplit* split : splits) {
    for (const auto& [name, paths] : split->classes) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::shared_ptr<const Dataset> make(const ClassSplit& split,
                                    const std::vector<std::string>& folders,
                                    const Targets& meaning) {
  ImageList list{.root = split.folder, .paths = {}, .targets = {}};
  std::vector<int64_t> labels;
  for (const auto& [name, paths] : split.classes) {
    const auto label = std::ranges::lower_bound(folders, name) - folders.begin();
    list.paths.insert(list.paths.end(), paths.begin(), paths.end());
    labels.insert(labels.end(), paths.size(), label);
  }
  list.targets = Array::of(labels);
  return std::make_shared<ImageFiles>(std::move(list), meaning);
}

void require_classes(const ClassSplit& split) {
  if (!split.loose.empty()) {
    throw bad_folder(split.folder.string() + ": images beside the class folders")
        .with("found", fmt::format("{}, such as {}", split.loose.size(), printable(split.loose[0])))
        .with("expected", class_layout());
  }
  if (split.images() > 0) return;
  throw bad_folder(split.folder.string() + ": no images in its class folders")
      .with("expected",
            fmt::format("{}; images end in .png, .jpg, .jpeg or .webp", class_layout()));
}

void require_two(const std::vector<std::string>& names, const fs::path& folder) {
  if (names.size() >= 2) return;
  throw bad_folder(folder.string() + ": " + std::to_string(names.size()) +
                   (names.size() == 1 ? " class" : " classes") + "; at least 2 are expected")
      .with("found", join(names))
      .with("expected", class_layout());
}

void require_folder(const fs::path& folder, const std::string& expected) {
  const std::optional<FileInfo> found = file_info(folder, ErrorKind::data);
  if (found && found->folder) return;
  throw bad_folder(folder.string() + (found ? " is not a folder" : " does not exist"))
      .with("expected", expected)
      .with("try", "--data NAME:DIR, where DIR is their folder");
}

}  // namespace

DataSets open_folder(const fs::path& folder, std::shared_ptr<FolderIndex> index) {
  require_folder(folder, class_layout());
  if (!index) index = std::make_shared<FolderIndex>(folder);
  const std::optional<fs::path> train = find_folder(folder, {"train"}),
                                val = find_folder(folder, {"val", "valid", "validation"}),
                                test = find_folder(folder, {"test"});
  const ClassSplit first = read_class_split(
      *index, train && (val || test || index->list(folder).size() == 1) ? *train : folder);
  require_classes(first);
  const bool split = first.folder != folder;
  const ClassSplit second = split && val ? read_class_split(*index, *val) : ClassSplit{};
  const ClassSplit third = split && test ? read_class_split(*index, *test) : ClassSplit{};
  for (const ClassSplit* other : {&second, &third}) {
    if (!other->folder.empty()) require_classes(*other);
  }
  const std::vector<std::string> names = names_in(std::array{&first, &second, &third});
  require_two(names, folder);
  const Targets meaning = class_targets(names);
  DataSets sets{.name = "folder",
                .train = make(first, names, meaning),
                .test = nullptr,
                .index = std::move(index)};
  if (split && val) sets.val = make(second, names, meaning);
  if (split && test) sets.test = make(third, names, meaning);
  return with_test_split(std::move(sets));
}

namespace {

/// The class of each image of a flat val/, by its name without suffix: from val.txt or Kaggle's
/// list.
std::map<std::string, std::string> read_list(const fs::path& file, bool csv) {
  std::map<std::string, std::string> classes;
  int number = 0;
  for (std::string& line : split(read_text(file, ErrorKind::data), '\n')) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || (csv && number == 1)) continue;
    const std::vector<std::string> words = split(line, csv ? ',' : ' ');
    if (words.size() < 2) {
      throw bad_folder(file.string() + ": line " + std::to_string(number) + " has no class")
          .with("found", printable(line))
          .with("expected", csv ? "ImageId,n01751748 ..." : "ILSVRC2012_val_00000001.JPEG 65");
    }
    classes[fs::path(words[0]).stem().string()] = csv ? split(words[1], ' ')[0] : words[1];
  }
  return classes;
}

ClassSplit read_flat_val(FolderIndex& index, const fs::path& folder, const fs::path& val,
                         const std::vector<std::string>& synsets) {
  std::optional<fs::path> list;
  for (const fs::path& place : {folder, val}) {
    for (const char* name : {"val.txt", "LOC_val_solution.csv"}) {
      if (!list && exists(place / name, ErrorKind::data)) list = place / name;
    }
  }
  if (!list) {
    throw bad_folder(val.string() + ": images without class folders, and no list of their classes")
        .with("expected", fmt::format("val.txt or LOC_val_solution.csv in {}", folder.string()));
  }
  const bool csv = list->extension() == ".csv";
  std::map<std::string, std::string> classes = read_list(*list, csv);
  ClassSplit split{.folder = val, .classes = {}, .loose = {}};
  for (const auto& [name, is_folder] : index.list(val)) {
    if (!is_image_name(name)) continue;
    const auto found = classes.find(fs::path(name).stem().string());
    if (found == classes.end()) {
      throw bad_folder(list->string() + ": the image " + printable(name) + " is not in it");
    }
    const std::optional<double> number = csv ? std::nullopt : parse_number(found->second);
    const bool fits = number && *number >= 0 && *number < static_cast<double>(synsets.size());
    if (!csv && !fits) {
      throw bad_folder(list->string() + ": the class of " + printable(name) + " is \"" +
                       printable(found->second) + "\", from 0 to " +
                       std::to_string(synsets.size() - 1) + " is expected");
    }
    split.classes[csv ? found->second : synsets[static_cast<size_t>(*number)]].push_back(name);
  }
  return split;
}

/// "n01440764 tench, Tinca tinca" becomes "tench"; names that come twice keep their synset.
std::vector<std::string> readable_names(const fs::path& folder,
                                        const std::vector<std::string>& synsets) {
  const fs::path file = folder / "LOC_synset_mapping.txt";
  if (!exists(file, ErrorKind::data)) return synsets;
  std::map<std::string, std::string> by_synset;
  for (std::string& line : split(read_text(file, ErrorKind::data), '\n')) {
    const size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    by_synset[line.substr(0, space)] = printable(split(line.substr(space + 1), ',')[0]);
  }
  std::map<std::string, int> uses;
  for (const auto& [synset, name] : by_synset) ++uses[name];
  std::vector<std::string> names;
  for (const std::string& synset : synsets) {
    const auto found = by_synset.find(synset);
    const bool known = found != by_synset.end() && !found->second.empty();
    names.push_back(!known                    ? synset
                    : uses[found->second] > 1 ? found->second + " (" + synset + ")"
                                              : found->second);
  }
  return names;
}

}  // namespace

DataSets open_imagenet(const fs::path& folder, std::shared_ptr<FolderIndex> index) {
  const std::string expected = "train/SYNSET/IMAGE, and val/ the same or flat with val.txt";
  require_folder(folder, expected);
  if (!index) index = std::make_shared<FolderIndex>(folder);
  const std::optional<fs::path> train_folder = find_folder(folder, {"train"}),
                                val_folder = find_folder(folder, {"val"});
  if (!train_folder || !val_folder) {
    throw bad_folder(folder.string() + ": no folders train and val").with("expected", expected);
  }
  const ClassSplit train = read_class_split(*index, *train_folder);
  require_classes(train);
  const std::vector<std::string> synsets = names_in(std::array{&train});
  require_two(synsets, *train_folder);
  ClassSplit val = read_class_split(*index, *val_folder);
  if (!val.loose.empty()) val = read_flat_val(*index, folder, *val_folder, synsets);
  require_classes(val);
  for (const auto& [name, paths] : val.classes) {
    if (!std::ranges::binary_search(synsets, name)) {
      throw bad_folder(val_folder->string() + ": the class " + printable(name) + " is not in " +
                       train_folder->string());
    }
  }
  const Targets meaning = class_targets(readable_names(folder, synsets));
  const auto measured = make(val, synsets, meaning);
  return {.name = "imagenet",
          .train = make(train, synsets, meaning),
          .test = measured,
          .val = measured,
          .index = std::move(index)};
}

}  // namespace fovea::data
