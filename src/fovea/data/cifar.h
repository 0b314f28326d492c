#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// A CIFAR binary file is records of label bytes and a 32x32 image as three planes: red, green,
/// blue. CIFAR-10 has one label byte, CIFAR-100 two (coarse, then the fine one that is the class).
struct CifarLayout {
  int64_t label_bytes = 1;
  int64_t classes = 10;

  int64_t record_bytes() const { return label_bytes + 3 * 32 * 32; }
};
inline constexpr CifarLayout cifar10_layout{.label_bytes = 1, .classes = 10};
inline constexpr CifarLayout cifar100_layout{.label_bytes = 2, .classes = 100};

/// The official names: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
const std::vector<std::string>& cifar10_classes();
/// The 100 fine names: apple, aquarium_fish, ..., worm.
const std::vector<std::string>& cifar100_classes();

/// The samples of several files, concatenated, with `records` in each: images u8[N,32,32,3] (planes
/// become pixels), labels i64[N]. Errors: data, naming the file, the offset of the faulty record
/// and what was expected and found: a file that is missing, whose size is not records *
/// record_bytes(), or that holds a label out of range.
struct CifarSamples {
  Array images;
  Array labels;
};
CifarSamples read_cifar(const std::vector<std::filesystem::path>& files, const CifarLayout& layout,
                        int64_t records);

/// The folder of data_batch_1.bin to data_batch_5.bin and test_batch.bin, 10,000 records each.
/// Errors: data, as read_cifar.
DataSets open_cifar10(const std::filesystem::path& folder);

/// The folder of train.bin (50,000 records) and test.bin (10,000); class names come from
/// fine_label_names.txt (100 lines) if it exists. Errors: data, as read_cifar, and for a list of
/// names of the wrong length.
DataSets open_cifar100(const std::filesystem::path& folder);

}  // namespace fovea::data
