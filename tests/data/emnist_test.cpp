#include "fovea/data/emnist.h"

#include "data/helpers.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

Bytes big32(uint32_t n) {
  return {static_cast<uint8_t>(n >> 24), static_cast<uint8_t>(n >> 16),
          static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
}

/// Images of 2x3 pixels that count up, with these labels.
void write(const TempFolder& folder, const std::string& prefix, const Bytes& labels) {
  const auto count = static_cast<uint32_t>(labels.size());
  Bytes images = big32(2051) + big32(count) + big32(2) + big32(3);
  for (uint32_t i = 0; i < count * 6; ++i) images.push_back(static_cast<uint8_t>(i));
  folder.write(prefix + "-images-idx3-ubyte.gz", gzip(images));
  folder.write(prefix + "-labels-idx1-ubyte.gz", gzip(big32(2049) + big32(count) + labels));
}

TEST(Emnist, LettersCountFromOneAndImagesAreTurnedUpright) {
  const TempFolder folder;
  write(folder, "emnist-letters-train", {1, 26, 2});
  write(folder, "emnist-letters-test", {3});
  for (const std::string name : {"emnist", "emnist-letters"}) {
    const DataSets sets = open(name + ":" + folder.path().string());
    EXPECT_EQ(sets.name, "emnist-letters");
    EXPECT_EQ(sets.targets().names.size(), 26u);
    EXPECT_EQ(sets.targets().names[25], "z");
    EXPECT_EQ(class_of(*sets.train, 0), 0);
    EXPECT_EQ(class_of(*sets.train, 1), 25);
    EXPECT_EQ(class_of(*sets.test, 0), 2);
    EXPECT_EQ(input_type(*sets.train), (Type{DType::u8, {3, 2, 1}}));
    EXPECT_EQ(pixels_of(*sets.train, 0), (Bytes{0, 3, 1, 4, 2, 5}));
  }
}

TEST(Emnist, ALabelBelowTheFirstIsRefused) {
  const TempFolder folder;
  write(folder, "emnist-letters-train", {1, 0});
  write(folder, "emnist-letters-test", {3});
  const std::string text = error_of([&] { open_emnist(folder.path(), "letters"); }).what();
  EXPECT_NE(text.find("expected 1 to 26\n  found    label 0 at index 1"), std::string::npos)
      << text;
}

TEST(Emnist, OfSeveralSubsetsOneIsChosenByName) {
  const TempFolder folder;
  write(folder, "emnist-balanced-train", {46});
  write(folder, "emnist-balanced-test", {10});
  write(folder, "emnist-digits-train", {9});
  EXPECT_EQ(std::string(error_of([&] { open("emnist:" + folder.path().string()); }).what()),
            folder.path().string() +
                " holds several subsets of EMNIST\n"
                "  subsets balanced, digits\n"
                "  try     --data emnist-balanced:" +
                folder.path().string());
  const DataSets sets = open("emnist-balanced:" + folder.path().string());
  EXPECT_EQ(sets.targets().names.size(), 47u);
  EXPECT_EQ(sets.targets().names[46], "t");
  EXPECT_EQ(sets.targets().names[10], "A");
}

TEST(Kmnist, HasTheFilesOfMnist) {
  const TempFolder folder;
  write(folder, "train", {9});
  write(folder, "t10k", {0});
  const DataSets sets = open("kmnist:" + folder.path().string());
  EXPECT_EQ(sets.targets().names[9], "wo");
  EXPECT_EQ(pixels_of(*sets.train, 0), (Bytes{0, 1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace fovea::data
