#include "fovea/data/cifar.h"

#include <fmt/format.h>

#include <optional>
#include <span>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/data_file.h"

namespace fovea::data {
namespace {

constexpr int64_t side = 32;
constexpr int64_t plane = side * side;

void check_size(const std::filesystem::path& path, const CifarLayout& layout, int64_t records,
                int64_t size) {
  const int64_t wanted = records * layout.record_bytes();
  if (size == wanted) return;
  const bool cut = size < wanted;
  throw bad_file(cut ? "CIFAR file is cut short" : "CIFAR file has bytes after its end", path,
                 cut ? size - size % layout.record_bytes() : wanted,
                 bytes_text(wanted) + " (" + std::to_string(records) + " records of " +
                     std::to_string(layout.record_bytes()) + ")",
                 bytes_text(size));
}

void check_label(const std::filesystem::path& path, const CifarLayout& layout, int64_t record,
                 int64_t label) {
  if (label < layout.classes) return;
  throw bad_file("CIFAR file has a label out of range", path, record * layout.record_bytes(),
                 "0 to " + std::to_string(layout.classes - 1),
                 "label " + std::to_string(label) + " in record " + std::to_string(record));
}

void planes_to_pixels(const uint8_t* planes, uint8_t* pixels) {
  for (int64_t i = 0; i < plane; ++i) {
    for (int64_t c = 0; c < 3; ++c) pixels[3 * i + c] = planes[c * plane + i];
  }
}

std::vector<std::string> read_class_names(const std::filesystem::path& path, size_t classes) {
  std::vector<std::string> names;
  for (std::string& line : split(read_text(path, ErrorKind::data, size_t{1} << 20), '\n')) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(std::move(line));
  }
  if (names.size() != classes) {
    throw Error(ErrorKind::data, "list of class names has the wrong length")
        .with("file", path.string())
        .with("expected", fmt::format("{} lines with a name", classes))
        .with("found", std::to_string(names.size()))
        .with("try", "a fresh copy of the file, or none: the official names are built in");
  }
  return names;
}

DataSets make_sets(std::string name, CifarSamples train, CifarSamples test,
                   const std::vector<std::string>& classes) {
  const auto split = [&](CifarSamples& samples) {
    return std::make_shared<ArrayDataset>(std::move(samples.images), std::move(samples.labels),
                                          class_targets(classes));
  };
  return {std::move(name), split(train), split(test)};
}

}  // namespace

CifarSamples read_cifar(const std::vector<std::filesystem::path>& files, const CifarLayout& layout,
                        int64_t records) {
  for (const auto& path : files) {  // before allocating
    const std::optional<size_t> size = InputFile(path, ErrorKind::data).size();
    if (size) check_size(path, layout, records, static_cast<int64_t>(*size));
  }
  const int64_t count = checked_product(static_cast<int64_t>(files.size()), records);
  CifarSamples samples{Array(DType::u8, {count, side, side, 3}), Array(DType::i64, {count})};
  uint8_t* pixels = samples.images.data<uint8_t>().data();
  int64_t* labels = samples.labels.data<int64_t>().data();
  for (const auto& path : files) {  // one at a time, for the memory
    const FileBytes file =
        read_file(path, ErrorKind::data, static_cast<size_t>(records * layout.record_bytes()));
    check_size(path, layout, records, static_cast<int64_t>(file.bytes.size()));
    parallel_for(records, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto* bytes =
            reinterpret_cast<const uint8_t*>(file.bytes.data()) + i * layout.record_bytes();
        labels[i] = bytes[layout.label_bytes - 1];
        check_label(path, layout, i, labels[i]);
        planes_to_pixels(bytes + layout.label_bytes, pixels + i * 3 * plane);
      }
    });
    pixels += records * 3 * plane;
    labels += records;
  }
  return samples;
}

DataSets open_cifar10(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> batches;
  for (int n = 1; n <= 5; ++n) batches.push_back(folder / fmt::format("data_batch_{}.bin", n));
  CifarSamples train = read_cifar(batches, cifar10_layout, 10000);
  CifarSamples test = read_cifar({folder / "test_batch.bin"}, cifar10_layout, 10000);
  return make_sets("cifar10", std::move(train), std::move(test), cifar10_classes());
}

DataSets open_cifar100(const std::filesystem::path& folder) {
  const std::filesystem::path list = folder / "fine_label_names.txt";
  const std::vector<std::string> classes =
      exists(list, ErrorKind::data) ? read_class_names(list, 100) : cifar100_classes();
  CifarSamples train = read_cifar({folder / "train.bin"}, cifar100_layout, 50000);
  CifarSamples test = read_cifar({folder / "test.bin"}, cifar100_layout, 10000);
  return make_sets("cifar100", std::move(train), std::move(test), classes);
}

const std::vector<std::string>& cifar10_classes() {
  static const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

const std::vector<std::string>& cifar100_classes() {
  static const std::vector<std::string> names = split(
      "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
      "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
      "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house "
      "kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle "
      "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
      "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew "
      "skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank "
      "telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf "
      "woman worm",
      ' ');
  return names;
}

}  // namespace fovea::data
