#include "fovea/data/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/arrays.h"
#include "fovea/data/cifar.h"
#include "fovea/data/clips.h"
#include "fovea/data/coco.h"
#include "fovea/data/csv.h"
#include "fovea/data/emnist.h"
#include "fovea/data/folder.h"
#include "fovea/data/idx.h"
#include "fovea/data/masks.h"
#include "fovea/data/scenes.h"
#include "fovea/data/series.h"
#include "fovea/data/sound.h"
#include "fovea/data/synthetic.h"
#include "fovea/data/tar.h"
#include "fovea/data/voc.h"
#include "fovea/data/volumes.h"
#include "fovea/data/yolo.h"
#include "fovea/downloads/download.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

DataSets open_fashion_mnist(const fs::path& folder) {
  return open_idx_folder(folder, "fashion-mnist",
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                          "Sneaker", "Bag", "Ankle boot"});
}

DataSets open_kmnist(const fs::path& folder) {
  return open_idx_folder(folder, "kmnist",
                         {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"});
}

DataSets open_mnist(const fs::path& folder) {
  return open_idx_folder(folder, "mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

/// The subsets of EMNIST by name, and `emnist` for a folder of one.
std::vector<Entry> with_emnist(std::vector<Entry> entries) {
  const std::string advice =
      "put the four files of the subset, compressed or not, into DIR (they are in gzip.zip of "
      "https://biometrics.nist.gov/cs_links/EMNIST/): --data ";
  Entry any{.name = "emnist", .read = [](const fs::path& folder) { return open_emnist(folder); }};
  for (const std::string& subset : emnist_subsets()) {
    const std::string name = "emnist-" + subset;
    const std::vector<std::string> files = emnist_files(subset);
    any.files.insert(any.files.end(), files.begin(), files.end());
    entries.push_back(
        {.name = name,
         .read = [subset](const fs::path& folder) { return open_emnist(folder, subset); },
         .files = files,
         .advice = advice + name + ":DIR"});
  }
  any.advice = advice + "emnist:DIR";
  entries.push_back(std::move(any));
  return entries;
}

std::vector<Entry>& table() {
  static const std::vector<std::string> idx_files{
      "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte"};
  static std::vector<Entry> sets = with_emnist(
      {{.name = "cifar10",
        .read = open_cifar10,
        .files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                  "data_batch_5.bin", "test_batch.bin"},
        .advice = "fovea data get cifar10; or unpack cifar-10-binary.tar.gz, the official binary "
                  "version, into DIR: --data "
                  "cifar10:DIR",
        .unpacked = "cifar-10-batches-bin"},
       {.name = "cifar100",
        .read = open_cifar100,
        .files = {"train.bin", "test.bin"},
        .advice = "fovea data get cifar100; or unpack cifar-100-binary.tar.gz, the official binary "
                  "version, into DIR: --data "
                  "cifar100:DIR",
        .unpacked = "cifar-100-binary"},
       {.name = "fashion-mnist",
        .read = open_fashion_mnist,
        .files = idx_files,
        .advice = "apt install dataset-fashion-mnist; or fovea data get fashion-mnist",
        .debian = "/usr/share/datasets/fashion-mnist"},
       {.name = "mnist",
        .read = open_mnist,
        .files = idx_files,
        .advice = "fovea data get mnist; or put its four files, compressed or not, into DIR: "
                  "--data mnist:DIR"},
       {.name = "kmnist",
        .read = open_kmnist,
        .files = idx_files,
        .advice = "fovea data get kmnist; or put its four files, compressed or not, into DIR: "
                  "--data kmnist:DIR"},
       {.name = "folder", .read_folders = open_folder, .place = "DIR"},
       {.name = "imagenet", .read_folders = open_imagenet, .place = "DIR"},
       {.name = "images", .read_folders = open_images, .place = "DIR"},
       {.name = "masks", .read = open_masks, .place = "DIR"},
       {.name = "coco", .read = open_coco, .place = "DIR"},
       {.name = "yolo", .read = open_yolo, .place = "DIR"},
       {.name = "voc", .read = open_voc, .place = "DIR"},
       {.name = "scenes",
        .read_with = [](const fs::path& place,
                        const Arguments& options) { return open_scenes(place.string(), options); },
        .options = scene_options(),
        .place = "DATA"},
       {.name = "sound",
        .read_with = open_sound,
        .options = sound_options(),
        .modality = "sound",
        .place = "DIR"},
       {.name = "ucr",
        .read_with = open_ucr,
        .options = series_options(),
        .modality = "series",
        .place = "PREFIX"},
       {.name = "series",
        .read_with = open_series,
        .options = series_options(),
        .modality = "series",
        .place = "FILE"},
       {.name = "clips",
        .read_with = open_clips,
        .options = clip_options(),
        .modality = "clip",
        .place = "DIR"},
       {.name = "volumes",
        .read_with = open_volumes,
        .options = volume_options(),
        .modality = "volume",
        .place = "DIR"},
       {.name = "csv", .read = open_csv, .place = "FILE"},
       {.name = "tar", .read = open_tar, .place = "FILES"},
       {.name = "arrays",
        .read = open_arrays,
        .files = {"x.npy", "y.npy", "train_x.npy", "train_y.npy"},
        .advice = "write x.npy and y.npy, or train_x.npy and train_y.npy, into DIR: --data "
                  "arrays:DIR"},
       {.name = "discs", .read = [](const fs::path& text) {
          if (!text.empty()) {
            throw Error(ErrorKind::usage, "data set discs is computed and takes no folder")
                .with("found", text.string())
                .with("try", "--data discs");
          }
          return DataSets{"discs", std::make_shared<Discs>(6000, 1),
                          std::make_shared<Discs>(1000, 2)};
        }}});
  return sets;
}

/// Whether any of the files exists: a missing one then gets an error of its own.
bool holds(const fs::path& folder, const Entry& set) {
  return std::ranges::any_of(
      set.files, [&](const std::string& file) { return find_idx_file(folder, file).has_value(); });
}

/// Where a data set named without a folder may be.
std::vector<fs::path> default_places(const Entry& set) {
  const fs::path root = data_cache();
  std::vector<fs::path> places{root / set.name};
  if (!set.unpacked.empty()) {
    places.push_back(root / set.unpacked);
    places.push_back(root / set.name / set.unpacked);
  }
  // Variants of MNIST share its file names: a folder named after another data set is that one.
  const std::vector<std::string> all = names();
  const std::string own = root.filename().string();
  if (own == set.name || std::find(all.begin(), all.end(), own) == all.end()) {
    places.push_back(root);
  }
  if (!set.debian.empty()) places.push_back(set.debian);
  return places;
}

/// The shell does not expand a ~ after a colon.
fs::path expanded(const std::string& path) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || !path.starts_with("~/")) return path;
  return home / fs::path(path.substr(2));
}

std::vector<fs::path> places_in(const std::string& folder, const Entry& set) {
  const fs::path root = expanded(folder);
  std::vector<fs::path> places{root, root / set.name};
  if (!set.unpacked.empty()) places.push_back(root / set.unpacked);
  return places;
}

/// "NAME:PLACE" as its parts; without a colon the place is "".
std::pair<std::string, std::string> parts_of(std::string_view spec) {
  const size_t colon = spec.find(':');
  return {std::string(spec.substr(0, colon)),
          std::string(colon == std::string_view::npos ? "" : spec.substr(colon + 1))};
}

/// "PLACE,OPTION=VALUE,..." as the place and the texts of its options.
std::pair<std::string, std::vector<std::string>> place_and_options(std::string place) {
  std::vector<std::string> options;
  for (size_t comma = place.rfind(','); comma != std::string::npos; comma = place.rfind(',')) {
    if (place.find('=', comma) == std::string::npos) break;  // a part of the path
    options.insert(options.begin(), place.substr(comma + 1));
    place.resize(comma);
  }
  return {std::move(place), std::move(options)};
}

/// Reads a data set with options. Errors: usage for options that it does not have.
DataSets read_with_options(const Entry& set, const std::string& text) {
  const auto [place, options] = place_and_options(text);
  Arguments values;
  try {
    values = read_arguments("data set", {.name = set.name, .arguments = set.options}, options);
  } catch (const Error& error) {
    std::vector<std::string> known;
    for (const Argument& option : set.options) known.push_back(option.name);
    throw Error(error.kind(), error.headline())
        .with("known", join(known))
        .with("try", fmt::format("--data {}:{},{}={}", set.name, set.place, known[0],
                                 set.options[0].default_value.index() == 0
                                     ? "8"
                                     : to_string(set.options[0].default_value)));
  }
  return set.read_with(expanded(place), values);
}

std::vector<Entry>::const_iterator find(std::string_view name) {
  return std::ranges::find(std::as_const(table()), name, &Entry::name);
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Entry& set : table()) all.push_back(set.name);
  return all;
}

std::string usage() {
  std::vector<std::string> forms;
  for (const Entry& set : table())
    forms.push_back(set.place.empty() ? set.name : set.name + ":" + set.place);
  return join(forms) + ", or NAME:DIR with the folder of the files";
}

void add(Entry entry) {
  for (const Entry& known : table()) {
    if (known.name != entry.name) continue;
    throw Error(ErrorKind::usage, fmt::format("data set \"{}\": the name is taken", entry.name));
  }
  table().push_back(std::move(entry));
}

DataSets open(std::string_view spec, std::string_view index) {
  const bool has_colon = spec.find(':') != std::string_view::npos;
  const auto [name, after] = parts_of(spec);
  const auto set = find(name);
  if (set == table().end()) {
    throw unknown_name("data set", name, names())
        .with("known", join(names()))
        .with("try",
              "--data NAME, --data NAME:DIR with the folder of its files, or --data folder:DIR for "
              "images of your own");
  }
  if (after.empty() && !set->place.empty()) {
    throw Error(ErrorKind::usage, fmt::format("data set \"{}\" names no {}", spec,
                                              set->place == "DIR"    ? "folder"
                                              : set->place == "DATA" ? "other data set"
                                                                     : "file"))
        .with("try", fmt::format("--data {}:{}", name, set->place));
  }
  if (after.empty() && has_colon) {
    throw Error(ErrorKind::usage, fmt::format("data set \"{}\" names no folder", spec))
        .with("try", fmt::format("--data {}, or --data {}:DIR", name, name));
  }
  if (set->read_with) return read_with_options(*set, after);
  if (set->read_folders) {
    const fs::path folder = expanded(after);
    return set->read_folders(folder, std::make_shared<FolderIndex>(folder, index));
  }
  if (!set->place.empty()) return set->read(expanded(after));
  if (set->files.empty()) return set->read(after);
  const std::vector<fs::path> places = has_colon ? places_in(after, *set) : default_places(*set);
  for (const fs::path& place : places) {
    if (holds(place, *set)) return set->read(place);
  }
  Error error(ErrorKind::data, fmt::format("data set {} was not found", name));
  error.with("files", join(set->files));
  for (const fs::path& place : places) error.with("looked", fmt::format("in {}", place.string()));
  throw error.with("try", set->advice);
}

std::vector<std::string> open_options(std::string_view spec, std::string_view modality) {
  const auto [name, after] = parts_of(spec);
  const auto set = find(name);
  const ChoiceText trained = parse_choice(modality);
  if (modality.empty() || set == table().cend() || set->modality != trained.name) return {};
  const Choice& choice = find_choice("modality", modalities(), trained.name).choice;
  const Arguments values = read_arguments("modality", choice, trained.arguments);
  const std::vector<std::string> given = place_and_options(after).second;
  std::vector<std::string> open;
  for (const Argument& option : set->options) {
    const std::string begin = option.name + "=";
    const bool is_given = std::ranges::any_of(
        given, [&](const std::string& text) { return text.starts_with(begin); });
    if (is_given || !values.contains(option.name) || !values.has(option.name)) continue;
    if (const ArgumentValue& value = values.value(option.name); value != option.default_value)
      open.push_back(begin + to_string(value));
  }
  return open;
}

std::string from_anywhere(std::string_view spec) {
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos) return std::string(spec);
  const auto [name, after] = parts_of(spec);
  const auto set = find(name);
  const bool known = set != table().cend();
  const std::string front(spec.substr(0, colon + 1));
  if (known && set->place == "DATA") return front + from_anywhere(after);
  const auto [place, options] = known && set->read_with
                                    ? place_and_options(after)
                                    : std::pair(after, std::vector<std::string>());
  const bool of_data = known && set->read_with && !exists(place, ErrorKind::data) &&
                       find(place) != table().cend();  // clips:fashion-mnist
  std::string text = front + (of_data ? place : fs::absolute(place).lexically_normal().string());
  for (const std::string& option : options) text += "," + option;
  return text;
}

std::optional<fs::path> indexed_folder(std::string_view spec) {
  const auto [name, after] = parts_of(spec);
  const auto set = find(name);
  if (set == table().cend() || !set->read_folders || after.empty()) return std::nullopt;
  return expanded(after);
}

}  // namespace fovea::data
