#include "fovea/data/idx.h"

#include "data/helpers.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

Bytes u32(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

Bytes header(uint32_t count, uint32_t height, uint32_t width) {
  return u32(2051) + u32(count) + u32(height) + u32(width);
}

/// Five images of 4x3, pixels 0, 1, 2, ...
Bytes images_file() {
  Bytes bytes = header(5, 4, 3);
  for (uint8_t i = 0; i < 60; ++i) bytes.push_back(i);
  return bytes;
}

Bytes labels_file() { return u32(2049) + u32(5) + Bytes{3, 1, 4, 1, 5}; }

const std::vector<std::string> digits{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

class Idx : public testing::Test {
 protected:
  Error images_error(const Bytes& bytes) {
    const auto path = folder.write("images", bytes);
    return error_of([&] { (void)read_idx_images(path); });
  }
  Error labels_error(const Bytes& bytes, int64_t classes = 10) {
    const auto path = folder.write("labels", bytes);
    return error_of([&] { (void)read_idx_labels(path, classes); });
  }
  /// The message a data error should have.
  std::string message(const std::string& headline, const std::string& file, int64_t offset,
                      const std::string& expected, const std::string& found) {
    return headline + "\n  file     " + (folder / file).string() + "\n  offset   " +
           std::to_string(offset) + "\n  expected " + expected + "\n  found    " + found +
           "\n  try      a fresh copy of the file";
  }

  TempFolder folder;
};

// Many copies of MNIST have a dot where the original has a dash.
TEST_F(Idx, NamesWithADotAreFound) {
  for (const std::string suffix : {"", ".gz"}) {
    TempFolder copy;
    for (const std::string split : {"train", "t10k"}) {
      copy.write(split + "-images.idx3-ubyte" + suffix, images_file());
      copy.write(split + "-labels.idx1-ubyte" + suffix, labels_file());
    }
    const DataSets sets = open("mnist:" + copy.path().string());
    EXPECT_EQ(sets.train->size(), 5) << suffix;
    EXPECT_EQ(sets.test->size(), 5) << suffix;
  }
}

TEST_F(Idx, CompressedOrNotTheSamplesAreTheSame) {
  for (bool packed : {false, true}) {
    const Bytes images = packed ? gzip(images_file()) : images_file();
    const Bytes labels = packed ? gzip(labels_file()) : labels_file();
    const auto set = open_idx(folder.write("i", images), folder.write("l", labels), digits);
    ASSERT_EQ(set->size(), 5);
    EXPECT_EQ(set->input(), (Type{DType::u8, {4, 3, 1}}));
    const Bytes image = pixels_of(*set, 4);
    EXPECT_EQ(image.front(), 48);
    EXPECT_EQ(image.back(), 59);
    EXPECT_EQ(class_of(*set, 2), 4);
    EXPECT_EQ(set->targets(), class_targets(digits));
  }
}

TEST_F(Idx, AGzipFileOfSeveralMembersIsOneFile) {
  const Bytes complete = images_file();
  for (size_t at : {size_t{0}, size_t{1}, size_t{16}, size_t{40}, complete.size()}) {
    const Bytes first = gzip(cut(complete, at));
    const Bytes second =
        gzip(Bytes(complete.begin() + static_cast<std::ptrdiff_t>(at), complete.end()));
    EXPECT_EQ(read_idx_images(folder.write("i", first + second)).at(59), 59) << at;
  }
}

TEST_F(Idx, ATruncatedFileIsRefused) {
  const Bytes complete = images_file();
  for (size_t size = 0; size < complete.size(); ++size) {
    const Error error = images_error(cut(complete, size));
    EXPECT_EQ(error.kind(), ErrorKind::data);
    const std::string expected = size < 16 ? "16 bytes (the header)" : "76 bytes (5 images of 4x3)";
    EXPECT_EQ(error.what(),
              message("IDX file is cut short", "images", static_cast<int64_t>(size), expected,
                      std::to_string(size) + (size == 1 ? " byte" : " bytes")));
  }
  for (size_t size = 0; size < labels_file().size(); ++size) {
    EXPECT_EQ(labels_error(cut(labels_file(), size)).headline(), "IDX file is cut short") << size;
  }
}

TEST_F(Idx, ATruncatedCompressedFileIsRefused) {
  const Bytes packed = gzip(images_file());
  for (size_t size = 2; size < packed.size(); ++size) {
    EXPECT_EQ(images_error(cut(packed, size)).headline(), "IDX file is cut short") << size;
  }
  EXPECT_EQ(
      images_error(gzip(cut(images_file(), 50))).what(),
      message("IDX file is cut short", "images", 50, "76 bytes (5 images of 4x3)", "50 bytes"));
  EXPECT_EQ(images_error(cut(packed, packed.size() - 1)).what(),
            message("IDX file is cut short", "images", 76,
                    "gzip's checksum and length after the last byte", "the end of the file"));
}

TEST_F(Idx, ADamagedCompressedFileIsRefused) {
  // A changed byte is detected by the checksum or before it; some of the first ten (time, system)
  // do not matter.
  const Bytes packed = gzip(images_file());
  for (size_t at = 0; at < packed.size(); ++at) {
    const auto changed = static_cast<uint8_t>(packed[at] ^ (at < 10 ? 0xff : 0x0f));
    const auto path = folder.write("images", with(packed, at, changed));
    try {
      EXPECT_EQ(read_idx_images(path).at(59), 59);
      EXPECT_LT(at, 10u);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
  EXPECT_EQ(images_error(with(packed, packed.size() - 5, 0x55)).what(),
            message("IDX file is damaged", "images", 76, "an intact gzip stream",
                    "incorrect data check"));
}

TEST_F(Idx, AnotherMagicNumberSaysWhatTheFileIs) {
  EXPECT_EQ(images_error(labels_file()).what(),
            message("IDX file has the wrong magic number", "images", 0,
                    "magic number 2051 (images)", "magic number 2049 (labels)"));
  EXPECT_EQ(labels_error(gzip(images_file())).what(),
            message("IDX file has the wrong magic number", "labels", 0,
                    "magic number 2049 (labels)", "magic number 2051 (images)"));
  EXPECT_EQ(images_error(Bytes{'P', 'K', 3, 4}).what(),
            message("IDX file has the wrong magic number", "images", 0,
                    "magic number 2051 (images)", "magic number 1347093252"));
}

TEST_F(Idx, BytesAfterTheEndAreRefused) {
  EXPECT_EQ(images_error(images_file() + Bytes{0}).what(),
            message("IDX file has bytes after its end", "images", 76, "76 bytes (5 images of 4x3)",
                    "77 bytes"));
  EXPECT_EQ(
      labels_error(gzip(labels_file() + Bytes{0})).what(),
      message("IDX file has bytes after its end", "labels", 13, "13 bytes (5 labels)", "more"));
  EXPECT_EQ(images_error(gzip(images_file()) + Bytes{1, 2, 3}).headline(), "IDX file is damaged");
  EXPECT_EQ(images_error(gzip(images_file()) + Bytes(30, 'x')).headline(), "IDX file is damaged");
}

TEST_F(Idx, ImplausibleSizesAreRefusedBeforeAnythingIsAllocated) {
  EXPECT_EQ(images_error(header(0xffffffff, 0xffffffff, 0xffffffff)).what(),
            message("IDX file has implausible sizes", "images", 4,
                    "at least 1 image, sides of 1 to 16384, at most 16 GiB in all",
                    "4294967295 images of 4294967295x4294967295"));
  for (const Bytes& bytes : {header(0, 28, 28), header(1, 0, 28), header(1, 28, 0),
                             header(0xffffffff, 16384, 16384), header(1, 16385, 1)}) {
    EXPECT_EQ(images_error(bytes).headline(), "IDX file has implausible sizes");
    EXPECT_EQ(images_error(gzip(bytes)).headline(), "IDX file has implausible sizes");
  }
  EXPECT_EQ(labels_error(u32(2049) + u32(0)).what(),
            message("IDX file has no labels", "labels", 4, "at least 1 label", "0 labels"));
  // A few compressed bytes that claim 10 GiB.
  const Bytes bomb = gzip(header(10 * 1024, 1024, 1024) + Bytes(1000, 0));
  EXPECT_EQ(images_error(bomb).what(), message("IDX file is cut short", "images", 16,
                                               "10737418256 bytes (10240 images of 1024x1024)",
                                               "a gzip file of " + std::to_string(bomb.size()) +
                                                   " bytes, too few to hold them"));
}

TEST_F(Idx, ABombIsNotDecompressedBeyondItsHeader) {
  const Bytes bomb = gzip(images_file() + Bytes(64 << 20, 0));
  EXPECT_EQ(images_error(bomb).headline(), "IDX file has bytes after its end");
}

TEST_F(Idx, ALabelOutOfRangeIsNamed) {
  EXPECT_EQ(
      labels_error(labels_file(), 5).what(),
      message("IDX file has a label out of range", "labels", 12, "0 to 4", "label 5 at index 4"));
  EXPECT_EQ(
      labels_error(with(labels_file(), 9, 255)).what(),
      message("IDX file has a label out of range", "labels", 9, "0 to 9", "label 255 at index 1"));
}

TEST_F(Idx, CountsThatDifferAreRefused) {
  const auto images = folder.write("i", images_file());
  const auto labels = folder.write("l", u32(2049) + u32(4) + Bytes{0, 1, 2, 3});
  EXPECT_EQ(error_of([&] { (void)open_idx(images, labels, digits); }).what(),
            "IDX files do not belong together: their counts differ\n  images  5 in " +
                images.string() + "\n  labels  4 in " + labels.string() +
                "\n  try     fresh copies of both files");
}

TEST_F(Idx, AMissingFileIsNamed) {
  const Error error = error_of([&] { (void)read_idx_images(folder / "none"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_EQ(error.headline(),
            "cannot read " + (folder / "none").string() + ": No such file or directory");
  EXPECT_EQ(error_of([&] { (void)read_idx_images(folder.path()); }).kind(), ErrorKind::data);
}

TEST_F(Idx, AFolderMayMixCompressedAndPlainFiles) {
  folder.write("train-images-idx3-ubyte", images_file());
  folder.write("train-labels-idx1-ubyte.gz", gzip(labels_file()));
  folder.write("t10k-images-idx3-ubyte.gz", gzip(images_file()));
  EXPECT_EQ(error_of([&] { (void)open_idx_folder(folder.path(), "mnist", digits); }).what(),
            "IDX file is missing\n  file     " + (folder / "t10k-labels-idx1-ubyte").string() +
                "\n  expected that file, or t10k-labels.idx1-ubyte, either also with .gz");
  folder.write("t10k-labels-idx1-ubyte", labels_file());
  const DataSets sets = open_idx_folder(folder.path(), "mnist", digits);
  EXPECT_EQ(sets.name, "mnist");
  EXPECT_EQ(sets.targets().names, digits);
  EXPECT_EQ(fingerprint(*sets.train), fingerprint(*sets.test));
  folder.write("t10k-images-idx3-ubyte.gz", gzip(header(5, 3, 4) + Bytes(60, 0)));
  EXPECT_EQ(error_of([&] { (void)open_idx_folder(folder.path(), "mnist", digits); }).headline(),
            "IDX files do not belong together: their image sizes differ");
}

}  // namespace
}  // namespace fovea::data
