#include "fovea/data/registry.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/cifar.h"
#include "fovea/data/idx.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

DataSets open_fashion_mnist(const fs::path& folder) {
  return open_idx_folder(folder, "fashion-mnist",
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                          "Sneaker", "Bag", "Ankle boot"});
}

DataSets open_mnist(const fs::path& folder) {
  return open_idx_folder(folder, "mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

struct Known {
  std::string name;
  std::string unpacked;  ///< the folder its official archive makes, if it makes one
  std::string debian;    ///< the folder of its Debian package, if there is one
  std::vector<std::string> files;
  DataSets (*read)(const fs::path& folder);
  std::string advice;
};

const std::array<Known, 4>& known() {
  static const std::vector<std::string> idx_files{
      "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte"};
  static const std::array<Known, 4> sets{
      Known{"cifar10",
            "cifar-10-batches-bin",
            "",
            {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin", "test_batch.bin"},
            open_cifar10,
            "unpack cifar-10-binary.tar.gz, the official binary version, into DIR: --data "
            "cifar10:DIR"},
      Known{"cifar100",
            "cifar-100-binary",
            "",
            {"train.bin", "test.bin"},
            open_cifar100,
            "unpack cifar-100-binary.tar.gz, the official binary version, into DIR: --data "
            "cifar100:DIR"},
      Known{"fashion-mnist", "", "/usr/share/datasets/fashion-mnist", idx_files, open_fashion_mnist,
            "apt install dataset-fashion-mnist"},
      Known{"mnist", "", "", idx_files, open_mnist,
            "put MNIST's four files, packed or not, into DIR: --data mnist:DIR"}};
  return sets;
}

/// Whether any of the files is there: one that is missing then gets an error of its own.
bool holds(const fs::path& folder, const Known& set) {
  std::error_code ignored;
  return std::any_of(set.files.begin(), set.files.end(), [&](const std::string& file) {
    return fs::exists(folder / file, ignored) || fs::exists(folder / (file + ".gz"), ignored);
  });
}

fs::path home() {
  const char* path = std::getenv("HOME");
  return path != nullptr ? path : "";
}

fs::path data_root() {
  const char* path = std::getenv("FOVEA_DATA");
  if (path != nullptr && *path != '\0') return path;
  return home() / ".cache" / "fovea" / "data";
}

/// Where a set named without a folder may be.
std::vector<fs::path> usual_places(const Known& set) {
  const fs::path root = data_root();
  std::vector<fs::path> places{root / set.name};
  if (!set.unpacked.empty()) {
    places.push_back(root / set.unpacked);
    places.push_back(root / set.name / set.unpacked);
  }
  // Relatives of MNIST have its file names: a folder with the name of another set is that set.
  const std::vector<std::string> all = names();
  const std::string own = root.filename().string();
  if (own == set.name || std::find(all.begin(), all.end(), own) == all.end()) {
    places.push_back(root);
  }
  if (!set.debian.empty()) places.push_back(set.debian);
  return places;
}

std::vector<fs::path> places_in(const std::string& folder, const Known& set) {
  // The shell leaves a ~ behind a colon alone.
  const fs::path root = folder.starts_with("~/") ? home() / folder.substr(2) : fs::path(folder);
  std::vector<fs::path> places{root, root / set.name};
  if (!set.unpacked.empty()) places.push_back(root / set.unpacked);
  return places;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Known& set : known()) all.push_back(set.name);
  return all;
}

DataSets open(std::string_view spec) {
  const size_t colon = spec.find(':');
  const std::string name(spec.substr(0, colon));
  const auto set = std::find_if(known().begin(), known().end(),
                                [&](const Known& candidate) { return candidate.name == name; });
  if (set == known().end()) {
    throw unknown_name("data set", name, names())
        .with("known", join(names()))
        .with("try", "--data NAME, or --data NAME:DIR with the folder of its files");
  }
  if (colon != std::string_view::npos && colon + 1 == spec.size()) {
    throw Error(ErrorKind::usage, "data set \"" + std::string(spec) + "\" names no folder")
        .with("try", "--data " + name + ", or --data " + name + ":DIR");
  }
  const std::vector<fs::path> places = colon == std::string_view::npos
                                           ? usual_places(*set)
                                           : places_in(std::string(spec.substr(colon + 1)), *set);
  for (const fs::path& place : places) {
    if (holds(place, *set)) return set->read(place);
  }
  Error error(ErrorKind::data, "data set " + name + " is not there");
  error.with("files", join(set->files));
  for (const fs::path& place : places) error.with("looked", "in " + place.string());
  throw error.with("try", set->advice);
}

}  // namespace fovea::data
