#include "fovea/data/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/class_folders.h"
#include "fovea/data/unlabelled.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

Error bad_folder(const std::string& what) { return {ErrorKind::data, what}; }

const ClassFiles& image_files() {
  static const ClassFiles files{
      .data_set = "folder",
      .file = "IMAGE",
      .plural = "images",
      .suffixes = ".png, .jpg, .jpeg or .webp",
      .takes = is_image_name,
      .make = [](FileList list, const Targets& targets) -> std::shared_ptr<const Dataset> {
        return std::make_shared<ImageFiles>(std::move(list), targets);
      }};
  return files;
}

}  // namespace

DataSets open_folder(const fs::path& folder, std::shared_ptr<FolderIndex> index) {
  return open_class_folders(folder, image_files(), std::move(index));
}

DataSets open_images(const fs::path& folder, std::shared_ptr<FolderIndex> index) {
  const std::string expected = "images anywhere below FOLDER, or in FOLDER/train, val and test";
  require_folder(folder, expected);
  if (!index) index = std::make_shared<FolderIndex>(folder);
  const auto split = [&](const fs::path& part) -> std::shared_ptr<const Dataset> {
    FileList list{.root = part, .paths = files_below(*index, part, image_files()), .targets = {}};
    if (list.paths.empty())
      throw bad_folder(part.string() + ": no images").with("expected", expected);
    list.targets = Array(DType::u8, {std::ssize(list.paths), 0});
    return std::make_shared<ImageFiles>(std::move(list), no_targets(DType::u8));
  };
  const auto train = find_folder(folder, {"train"}),
             val = find_folder(folder, {"val", "valid", "validation"}),
             test = find_folder(folder, {"test"});
  const bool divided = train && (val || test);
  DataSets sets{.name = "images",
                .train = split(divided ? *train : folder),
                .test = divided && test ? split(*test) : nullptr,
                .index = index};
  if (divided && val) sets.val = split(*val);
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
  const ClassFiles& files = image_files();
  const std::string expected = "train/SYNSET/IMAGE, and val/ the same or flat with val.txt";
  require_folder(folder, expected);
  if (!index) index = std::make_shared<FolderIndex>(folder);
  const fs::path train_folder = folder / "train", val_folder = folder / "val";
  if (!is_folder(train_folder, ErrorKind::data) || !is_folder(val_folder, ErrorKind::data)) {
    throw bad_folder(folder.string() + ": no folders train and val").with("expected", expected);
  }
  const ClassSplit train = read_class_split(*index, train_folder, files);
  require_classes(train, files);
  const std::vector<std::string> synsets = class_names(std::array{&train});
  require_two(synsets, train_folder, files);
  ClassSplit val = read_class_split(*index, val_folder, files);
  if (!val.loose.empty()) val = read_flat_val(*index, folder, val_folder, synsets);
  require_classes(val, files);
  for (const auto& [name, paths] : val.classes) {
    if (!std::ranges::binary_search(synsets, name)) {
      throw bad_folder(val_folder.string() + ": the class " + printable(name) + " is not in " +
                       train_folder.string());
    }
  }
  const Targets meaning = class_targets(readable_names(folder, synsets));
  const auto measured = files.make(val.list(synsets), meaning);
  return {.name = "imagenet",
          .train = files.make(train.list(synsets), meaning),
          .test = measured,
          .val = measured,
          .index = std::move(index)};
}

}  // namespace fovea::data
