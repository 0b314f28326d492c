// Images of 16 bits keep their range from the file to the batch.

#include <fmt/format.h>

#include <cmath>

#include "data/helpers.h"
#include "data/tar_bytes.h"
#include "fovea/core/files.h"
#include "fovea/data/arrays.h"
#include "fovea/data/cached.h"
#include "fovea/data/csv.h"
#include "fovea/data/folder.h"
#include "fovea/data/loader.h"
#include "fovea/data/prepared.h"
#include "fovea/data/tar.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "images/png16.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

void put_gray(const fs::path& path, uint16_t value) {
  fs::create_directories(path.parent_path());
  Image16 image = Image16::black(4, 4, 1);
  std::ranges::fill(image.pixels, value);
  put_png16(path, image);
}

void put_gray8(const fs::path& path, uint8_t value) {
  fs::create_directories(path.parent_path());
  Image image = Image::black(4, 4, 1);
  std::ranges::fill(image.pixels, value);
  encode_png(path, image);
}

std::string text_of(const fs::path& path) { return read_text(path, ErrorKind::data); }

double first_value(const Dataset& set, int64_t i) { return set.sample(i).input.at(0); }

TEST(DeepImages, AFolderKeepsTheirRangeAndWidensTheOthers) {
  const TempFolder root;
  put_gray(root / "train/a/1.png", 0x1234);
  put_gray(root / "train/a/2.png", 0x1235);
  put_gray8(root / "train/b/1.png", 0x80);
  put_gray8(root / "test/a/1.png", 1);
  put_gray8(root / "test/b/1.png", 2);
  const DataSets sets = open_folder(root.path());
  EXPECT_EQ(sets.train->dtype(), DType::u16);
  EXPECT_EQ(sets.train->typical_input(), (Type{DType::u16, {4, 4, 3}}));
  EXPECT_EQ(first_value(*sets.train, 0), 0x1234);
  EXPECT_EQ(first_value(*sets.train, 1), 0x1235);
  EXPECT_EQ(first_value(*sets.train, 2), 0x8080);
  EXPECT_EQ(sets.test->dtype(), DType::u8);
  EXPECT_EQ(sets.test->sample(0).input.dtype(), DType::u8);
  const auto one = std::make_shared<Subset>(sets.train, std::vector<int64_t>{1});
  EXPECT_EQ(one->dtype(), DType::u16);
  const ChannelStats stats = channel_stats(*sets.train);
  const double mean = (0x1234 + 0x1235 + 0x8080) / 3.0 / 65535;
  EXPECT_NEAR(stats.mean[0], mean, 1e-12);
  EXPECT_NEAR(
      stats.std[2],
      std::sqrt((std::pow(0x1234 / 65535.0 - mean, 2) + std::pow(0x1235 / 65535.0 - mean, 2) +
                 std::pow(0x8080 / 65535.0 - mean, 2)) /
                3),
      1e-12);
}

TEST(DeepImages, OneOfManyFilesGivesAllOfThem16Bits) {
  const TempFolder root;
  for (int i = 0; i < 100; ++i)
    put_gray8(root / fmt::format("train/a/{:03}.png", i), static_cast<uint8_t>(i));
  put_gray(root / "train/a/050.png", 0x1234);
  put_gray8(root / "train/b/1.png", 1);
  put_gray8(root / "test/a/1.png", 1);
  root.write("train/b/not.png", {0x89, 'P', 'N', 'G'});
  const DataSets sets = open_folder(root.path());
  EXPECT_EQ(sets.train->dtype(), DType::u16);
  EXPECT_EQ(first_value(*sets.train, 50), 0x1234);
  EXPECT_EQ(first_value(*sets.train, 51), 51 * 257);
}

TEST(DeepImages, OneWithAnotherFormatsNameIsAnErrorInASplitOf8Bits) {
  const TempFolder root;
  for (const char* name : {"train/a/1.png", "train/b/1.png", "test/a/1.png"})
    put_gray8(root / name, 1);
  put_gray(root / "train/b/2.jpg", 0x1234);
  const DataSets sets = open_folder(root.path());
  EXPECT_EQ(sets.train->dtype(), DType::u8);
  const Error error = error_of([&] { (void)sets.train->sample(2); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_EQ(std::string(error.what()),
            (root / "train/b/2.jpg").string() +
                ": has 16 bits, but the others of the data set have 8\n"
                "  try     a name that ends in .png: then all of them are read in 16 bits");
}

TEST(DeepImages, TarFilesAndTablesKeepTheirRange) {
  const TempFolder root;
  put_gray(root / "deep.png", 0x1234);
  put_gray8(root / "flat.png", 1);
  std::string tar, table = "path,label\n";
  for (int i = 0; i < 100; ++i) {
    const std::string file = i == 70 ? "deep.png" : "flat.png";
    tar += tar_member(fmt::format("{:03}.png", i), text_of(root / file)) +
           tar_member(fmt::format("{:03}.cls", i), std::to_string(i % 2));
    table += fmt::format("{},{}\n", file, i % 2);
  }
  replace_file(root / "train.tar", tar + tar_end());
  replace_file(root / "test.tar", tar_member("1.png", text_of(root / "flat.png")) +
                                      tar_member("1.cls", "0") + tar_end());
  replace_file(root / "table.csv", table);
  const DataSets sharded = open_tar(root.path()), listed = open_csv(root / "table.csv");
  EXPECT_EQ(sharded.train->dtype(), DType::u16);
  EXPECT_EQ(first_value(*sharded.train, 70), 0x1234);
  EXPECT_EQ(sharded.test->dtype(), DType::u8);
  EXPECT_EQ(listed.train->dtype(), DType::u16);
}

TEST(DeepImages, GoThroughCacheResizeAndLoader) {
  const TempFolder root;
  for (int i = 0; i < 4; ++i)
    put_gray(root / ("train/" + std::string(i < 2 ? "a" : "b") + std::to_string(i) + "/x.png"),
             static_cast<uint16_t>(1000 + i));
  put_gray(root / "test/a0/x.png", 7);
  const DataSets sets = open_folder(root.path());
  Preprocessing p;
  p.height = p.width = 2;
  p.channels = 1;
  p.mean = {0};
  p.std = {1};
  const auto small = prepared(sets.train, p);
  EXPECT_EQ(small->input(), (Type{DType::u16, {2, 2, 1}}));
  const auto cached =
      std::make_shared<Cached>(small, std::make_shared<CacheLimit>(int64_t{1} << 20));
  for (int epoch = 0; epoch < 2; ++epoch) EXPECT_EQ(first_value(*cached, 3), 1003);
  Loader loader(cached, {.batch = 4, .augment = Augmentation::parse("flip:1,crop:1:edge")});
  loader.start(0);
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.inputs.dtype(), DType::u16);
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(batch.inputs.at(i * 4), static_cast<double>(1000 + i));
  // Images of several sizes are resized by the loader.
  Loader resizing(sets.train, {.batch = 4, .resize = std::make_shared<Resize>(p)});
  resizing.start(0);
  EXPECT_EQ(resizing.next()->inputs.at(12), 1003);
}

TEST(DeepImages, ArraysOfThemAreImages) {
  const TempFolder root;
  Array x(DType::u16, {4, 2, 2}), y(DType::i64, {4});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(60000 + i));
  for (int64_t i = 0; i < 4; ++i) y.set(i, static_cast<double>(i % 2));
  for (const std::string part : {"train", "test"}) {
    write_npy(root / (part + "_x.npy"), x);
    write_npy(root / (part + "_y.npy"), y);
  }
  const DataSets sets = open_arrays(root.path());
  EXPECT_EQ(sets.train->input(), (Type{DType::u16, {2, 2, 1}}));
  EXPECT_EQ(sets.train->sample(3).input.at(3), 60015);
  EXPECT_EQ(net_shape(*sets.train->input()), (Shape{1, 2, 2}));
}

// 8-bit images widened to 16 bits: every transform does to them what it does to the originals.
TEST(DeepImages, EveryTransformTreatsThemAsImagesOf8Bits) {
  Array image(DType::u8, {9, 12, 3}), deep(DType::u16, {9, 12, 3});
  Random random(4, "images");
  for (int64_t i = 0; i < image.numel(); ++i) {
    image.set(i, static_cast<double>(random.below(256)));
    deep.set(i, image.at(i) * 257);
  }
  int tested = 0;
  for (const TransformEntry& row : transforms()) {
    if (row.example.empty() || row.numbers) continue;
    const AnyTransform any = make_transform(parse_choice(row.example));
    const auto* step = std::get_if<std::shared_ptr<const Transform>>(&any);
    if (step == nullptr) continue;
    ++tested;
    EXPECT_EQ((*step)->output({DType::u16, {9, 12, 3}}).dtype, DType::u16) << row.example;
    for (int64_t i = 0; i < 10; ++i) {
      const auto transformed = [&](const Array& from) {
        Sample sample{from.clone(), {}};
        TransformContext context(1, "deep", 0, 100, i);
        context.height = 6;
        context.width = 10;
        (**step)(sample, context);
        return sample.input;
      };
      const Array a = transformed(image), b = transformed(deep);
      ASSERT_EQ(b.dtype(), DType::u16) << row.example;
      ASSERT_EQ(a.shape(), b.shape()) << row.example;
      double worst = 0;
      for (int64_t k = 0; k < a.numel(); ++k)
        worst = std::max(worst, std::abs(a.at(k) - b.at(k) / 257));
      // 8 bits are rounded or truncated after every step; hue and shares of a histogram have steps.
      const std::string& name = row.choice.name;
      const double bound = name == "equalize" ? 20 : name == "color-jitter" ? 12 : 4;
      EXPECT_LT(worst, bound) << row.example << " " << i;
    }
  }
  EXPECT_GE(tested, 22);
}

}  // namespace
}  // namespace fovea::data
