#include "fovea/data/cifar.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "data/helpers.h"

namespace fovea::data {
namespace {

/// `records` records of labels 0, 1, 2, ... and random pixels.
Bytes cifar_file(const CifarLayout& layout, int64_t records, uint64_t seed = 1) {
  Random random(seed, "cifar test");
  Bytes bytes(static_cast<size_t>(records * layout.record_bytes()));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto record = static_cast<int64_t>(i) / layout.record_bytes();
    const int64_t at = static_cast<int64_t>(i) % layout.record_bytes();
    bytes[i] = at < layout.label_bytes - 1 ? 19
               : at < layout.label_bytes   ? static_cast<uint8_t>(record % layout.classes)
                                           : static_cast<uint8_t>(random.bits());
  }
  return bytes;
}

class Cifar : public testing::TestWithParam<CifarLayout> {
 protected:
  std::string message(const std::string& headline, int64_t offset, const std::string& expected,
                      const std::string& found) {
    return headline + "\n  file     " + (folder / "a.bin").string() + "\n  offset   " +
           std::to_string(offset) + "\n  expected " + expected + "\n  found    " + found +
           "\n  try      a fresh copy of the file";
  }
  Error error(const Bytes& bytes, int64_t records) {
    const auto path = folder.write("a.bin", bytes);
    return error_of([&] { (void)read_cifar({path}, GetParam(), records); });
  }

  TempFolder folder;
};

TEST_P(Cifar, PlanesBecomePixels) {
  const CifarLayout& layout = GetParam();
  const Bytes first = cifar_file(layout, 3, 1);
  const Bytes second = cifar_file(layout, 3, 2);
  const CifarSamples samples =
      read_cifar({folder.write("a.bin", first), folder.write("b.bin", second)}, layout, 3);
  ASSERT_EQ(samples.images.shape(), (Shape{6, 32, 32, 3}));
  const Bytes both = first + second;
  for (int64_t n = 0; n < 6; ++n) {
    EXPECT_EQ(samples.labels.at(n), n % 3);
    for (int64_t pixel = 0; pixel < 1024; ++pixel) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t source = n * layout.record_bytes() + layout.label_bytes + c * 1024 + pixel;
        ASSERT_EQ(samples.images.at((n * 1024 + pixel) * 3 + c), both[static_cast<size_t>(source)]);
      }
    }
  }
}

TEST_P(Cifar, ATruncatedFileIsRefused) {
  const CifarLayout& layout = GetParam();
  const Bytes complete = cifar_file(layout, 3);
  const auto record = static_cast<size_t>(layout.record_bytes());
  for (size_t size : {size_t{0}, size_t{1}, size_t{2}, record - 1, record, record + 1, 2 * record,
                      3 * record - 1}) {
    const Error found = error(cut(complete, size), 3);
    EXPECT_EQ(found.kind(), ErrorKind::data);
    EXPECT_EQ(
        found.what(),
        message("CIFAR file is cut short", static_cast<int64_t>(size / record * record),
                std::to_string(3 * record) + " bytes (3 records of " + std::to_string(record) + ")",
                std::to_string(size) + (size == 1 ? " byte" : " bytes")));
  }
  for (size_t size = 0; size < complete.size(); size += 97) {
    EXPECT_EQ(error(cut(complete, size), 3).headline(), "CIFAR file is cut short");
  }
}

TEST_P(Cifar, BytesAfterTheEndAreRefused) {
  const CifarLayout& layout = GetParam();
  const std::string total = std::to_string(2 * layout.record_bytes());
  EXPECT_EQ(error(cifar_file(layout, 2) + Bytes{7}, 2).what(),
            message("CIFAR file has bytes after its end", 2 * layout.record_bytes(),
                    total + " bytes (2 records of " + std::to_string(layout.record_bytes()) + ")",
                    std::to_string(2 * layout.record_bytes() + 1) + " bytes"));
}

TEST_P(Cifar, ALabelOutOfRangeIsNamed) {
  const CifarLayout& layout = GetParam();
  for (int64_t record : {0, 4}) {
    const int64_t at = record * layout.record_bytes();
    const auto bad = with(cifar_file(layout, 5), static_cast<size_t>(at + layout.label_bytes - 1),
                          static_cast<uint8_t>(layout.classes));
    EXPECT_EQ(error(bad, 5).what(), message("CIFAR file has a label out of range", at,
                                            "0 to " + std::to_string(layout.classes - 1),
                                            "label " + std::to_string(layout.classes) +
                                                " in record " + std::to_string(record)));
  }
}

std::string layout_name(const testing::TestParamInfo<CifarLayout>& test) {
  return "Of" + std::to_string(test.param.classes);
}
INSTANTIATE_TEST_SUITE_P(, Cifar, testing::Values(cifar10_layout, cifar100_layout), layout_name);

TEST(CifarFolder, HoldsTheOfficialCountsAndNames) {
  TempFolder folder;
  for (int n = 1; n <= 5; ++n) {
    folder.zeros("data_batch_" + std::to_string(n) + ".bin", 30730000);
  }
  EXPECT_EQ(error_of([&] { (void)open_cifar10(folder.path()); }).headline(),
            "cannot read " + (folder / "test_batch.bin").string() + ": No such file or directory");
  folder.zeros("test_batch.bin", 30730000);
  const DataSets sets = open_cifar10(folder.path());
  EXPECT_EQ(sets.name, "cifar10");
  EXPECT_EQ(sets.train->size(), 50000);
  EXPECT_EQ(sets.test->size(), 10000);
  EXPECT_EQ(sets.targets().names,
            (std::vector<std::string>{"airplane", "automobile", "bird", "cat", "deer", "dog",
                                      "frog", "horse", "ship", "truck"}));
  folder.zeros("data_batch_3.bin", 30730000 - 3073);  // an entire record is missing
  const Error error = error_of([&] { (void)open_cifar10(folder.path()); });
  EXPECT_EQ(error.headline(), "CIFAR file is cut short");
  EXPECT_EQ(error.details()[0].second, (folder / "data_batch_3.bin").string());
  EXPECT_EQ(error.details()[2].second, "30730000 bytes (10000 records of 3073)");
}

TEST(CifarFolder, OneHundredClassesHaveTheirNamesFromTheFileOrBuiltIn) {
  EXPECT_EQ(cifar100_classes().size(), 100u);
  EXPECT_EQ(std::set<std::string>(cifar100_classes().begin(), cifar100_classes().end()).size(),
            100u);
  EXPECT_TRUE(std::is_sorted(cifar100_classes().begin(), cifar100_classes().end()));
  TempFolder folder;
  folder.zeros("train.bin", 50000 * 3074);
  folder.zeros("test.bin", 10000 * 3074);
  EXPECT_EQ(open_cifar100(folder.path()).targets().names, cifar100_classes());
  std::ofstream list(folder / "fine_label_names.txt");
  for (int i = 0; i < 99; ++i) list << "name" << i << "\r\n";
  list.flush();
  EXPECT_EQ(error_of([&] { (void)open_cifar100(folder.path()); }).what(),
            "list of class names has the wrong length\n  file     " +
                (folder / "fine_label_names.txt").string() +
                "\n  expected 100 lines with a name\n  found    99\n"
                "  try      a fresh copy of the file, or none: the official names are built in");
  list << "last\n\n";
  list.close();
  EXPECT_EQ(open_cifar100(folder.path()).targets().names.back(), "last");
  EXPECT_EQ(open_cifar100(folder.path()).targets().names.front(), "name0");
}

}  // namespace
}  // namespace fovea::data
