#include "fovea/data/masks.h"

#include <sys/stat.h>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/image_files.h"
#include "fovea/data/loader.h"
#include "fovea/data/moves.h"
#include "fovea/data/prepared.h"
#include "fovea/data/registry.h"
#include "fovea/images/codec.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

/// A folder of images and masks.
class Masks : public testing::Test {
 protected:
  Masks() {
    std::filesystem::create_directories(folder_ / "images");
    std::filesystem::create_directories(folder_ / "masks");
  }

  static Image gray(int height, int width, std::vector<uint8_t> pixels) {
    return {height, width, 1, std::move(pixels)};
  }
  void image(const std::string& name, int height, int width) {
    const std::string png = png_bytes(Image::black(height, width, 3));  // whatever its name is
    folder_.write("images/" + name, Bytes(png.begin(), png.end()));
  }
  void mask(const std::string& name, const Image& pixels) {
    encode_png(folder_ / ("masks/" + name), pixels);
  }
  void pair(const std::string& name, std::vector<uint8_t> pixels) {
    image(name, 2, 2);
    mask(name, gray(2, 2, std::move(pixels)));
  }
  void text(const std::string& name, const std::string& contents) {
    folder_.write(name, Bytes(contents.begin(), contents.end()));
  }
  std::string failure() {
    return error_text(ErrorKind::data, [&] {
      const DataSets sets = open_masks(folder_.path());
      for (int64_t i = 0; i < sets.train->size(); ++i) (void)sets.train->sample(i);
      for (int64_t i = 0; i < sets.test->size(); ++i) (void)sets.test->sample(i);
    });
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  TempFolder folder_;
};

std::vector<int> values(const Array& mask) {
  const auto all = mask.data<uint8_t>();
  return {all.begin(), all.end()};
}

TEST_F(Masks, GreyLevelsAreClassesAnd255DoesNotCount) {
  pair("a.png", {0, 1, 2, 255});
  pair("b.png", {2, 2, 0, 0});
  pair("c.png", {0, 0, 0, 0});
  const DataSets sets = open("masks:" + folder_.path().string());
  EXPECT_EQ(sets.targets(), mask_targets({"0", "1", "2"}));
  ASSERT_EQ(sets.train->size() + sets.test->size(), 3);
  for (const auto& split : {sets.train, sets.test}) {
    for (int64_t i = 0; i < split->size(); ++i) {
      if (!split->name(i).ends_with("a.png")) continue;
      EXPECT_EQ(split->sample(i).target.shape(), (Shape{2, 2, 1}));
      EXPECT_EQ(values(split->sample(i).target), (std::vector{1, 2, 3, 0}));
    }
  }
}

TEST_F(Masks, BlackAndWhiteAreTwoClasses) {
  pair("a.png", {0, 255, 0, 0});
  pair("b.png", {0, 255, 255, 0});
  EXPECT_EQ(open_masks(folder_.path()).targets().names, (std::vector<std::string>{"0", "255"}));
}

TEST_F(Masks, APalettesIndicesAreClassesWhateverTheirColours) {
  const std::vector<PaletteColor> palette{{9, 9, 9}, {0, 0, 0}, {255, 0, 0}};
  for (const char* name : {"a.png", "b.png"}) {
    image(name, 1, 3);
    const std::string bytes = palette_png_bytes(gray(1, 3, {2, 0, 1}), palette);
    folder_.write(std::string("masks/") + name, Bytes(bytes.begin(), bytes.end()));
  }
  text("classes.csv", "name,value\nsky,0\nground,1\nbird,2\n");
  const DataSets sets = open_masks(folder_.path());
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"sky", "ground", "bird"}));
  EXPECT_EQ(values(sets.train->sample(0).target), (std::vector{3, 1, 2}));
}

TEST_F(Masks, ColoursAreClassesWithATable) {
  for (const char* name : {"a.png", "b.png"}) {
    image(name, 1, 3);
    mask(name, {1, 3, 3, {0, 0, 0, 255, 128, 0, 1, 2, 3}});
  }
  text("classes.csv", "name,red,green,blue\nroad,255,128,0\nignore,0,0,0\nroad,1,2,3\n");
  const DataSets sets = open_masks(folder_.path());
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"road"}));
  EXPECT_EQ(values(sets.train->sample(0).target), (std::vector{0, 1, 1}));
  text("classes.csv", "name,value\nroad,0\n");
  EXPECT_NE(failure().find(": is a mask of colours"), std::string::npos);
}

TEST_F(Masks, SplitsOfTheirOwnAreUsed) {
  for (const char* split : {"train", "val", "test"}) {
    for (const char* part : {"images", "masks"})
      std::filesystem::create_directories(folder_ / (std::string(split) + "/" + part));
    encode_png(folder_ / (std::string(split) + "/images/1.png"), Image::black(2, 2, 3));
    encode_png(folder_ / (std::string(split) + "/masks/1.png"), gray(2, 2, {0, 1, 1, 0}));
  }
  const DataSets sets = open_masks(folder_.path());
  ASSERT_TRUE(sets.val);
  EXPECT_TRUE(sets.val->name(0).ends_with("val/images/1.png"));
  EXPECT_TRUE(sets.test->name(0).ends_with("test/images/1.png"));
}

TEST_F(Masks, WhatIsWrongIsNamed) {
  const std::string layout =
      "\n  expected DIR/images and DIR/masks with files of the same names, or both in DIR/train, "
      "val and test";
  EXPECT_EQ(failure(), folder_.path().string() + ": no images" + layout);
  pair("a.png", {0, 1, 0, 1});
  image("b.jpg", 2, 2);
  EXPECT_EQ(failure(),
            folder_.path().string() + ": images without a mask\n  images   b.jpg" + layout);
  mask("b.png", gray(2, 3, {0, 1, 1, 1, 0, 0}));
  EXPECT_EQ(failure(), path("masks/b.png") +
                           ": is not of the size of its image\n  mask    2x3\n  image   2x2: " +
                           path("images/b.jpg"));
  mask("b.png", gray(2, 2, {0, 1, 1, 1}));
  mask("c.png", gray(2, 2, {0, 1, 1, 1}));
  EXPECT_EQ(failure(), folder_.path().string() + ": masks without an image\n  masks   c.png");
  image("c.png", 2, 2);
  text("classes.csv", "name,value\nno,0\nyes,7\n");
  EXPECT_EQ(failure().substr(path("masks/a.png").size() - 4),
            ".png: has the value 1, which is no class\n  pixel   column 1, row 0\n  try     a row "
            "for it in classes.csv");
  text("classes.csv", "name,value\nno,0\nyes,0\n");
  EXPECT_EQ(failure(), path("classes.csv") + ": line 3: the value 0 occurs again");
  text("classes.csv", "name,value\nno,0\nyes,256\n");
  EXPECT_EQ(failure(), path("classes.csv") +
                           ": line 3: value is \"256\"; an integer from 0 to 255 is expected");
  text("classes.csv", "name,colour\nno,0\n");
  EXPECT_EQ(failure(), path("classes.csv") +
                           ": its columns are not those of classes\n  found    name, colour\n  "
                           "expected name,value or name,red,green,blue");
}

TEST_F(Masks, DamagedMasksAreDataErrors) {
  pair("a.png", {0, 1, 0, 1});
  pair("b.png", {0, 1, 0, 1});
  text("classes.csv", "name,value\nno,0\nyes,1\n");
  const auto expect = [&](const Bytes& bytes, const std::string& what) {
    folder_.write("masks/a.png", bytes);
    folder_.write("masks/b.png", bytes);
    const std::string said = failure();
    EXPECT_NE(said.find(what), std::string::npos) << said;
  };
  const std::string good = png_bytes(gray(2, 2, {0, 1, 0, 1}));
  expect({}, ": is not a PNG");
  expect({0xff, 0xd8, 0xff, 0xe0}, ": is not a PNG");
  expect(Bytes(good.begin(), good.begin() + 40), ": damaged PNG");
  Bytes huge(good.begin(), good.end());
  huge[16] = 0x7f;  // the width
  expect(huge, "too many to read");
  Bytes deep(good.begin(), good.end());
  deep[24] = 16;  // bits: the checksum is wrong too
  EXPECT_NE((expect(deep, "PNG"), 1), 0);
}

// Without a table all masks are read at once: a broken one is that of its image all the same, so
// that data check lists all of them and --on-bad-image skip leaves them out.
TEST_F(Masks, ABrokenMaskIsThatOfItsImageAlone) {
  for (const char* name : {"a.png", "b.png", "c.png"}) pair(name, {0, 1, 2, 1});
  text("masks/a.png", "no picture");
  mask("b.png", Image::black(2, 2, 3));
  const DataSets sets = open_masks(folder_.path());
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(find_bad(*sets.train).size() + find_bad(*sets.test).size(), 2u);
  text("masks/b.png", "no picture");
  text("masks/c.png", "no picture");
  EXPECT_EQ(failure(), path("masks/a.png") +
                           ": is not a PNG\n  try     PNG, which keeps every value as it is");
}

TEST_F(Masks, WithoutAClassAreRefused) {
  pair("a.png", {255, 255, 255, 255});
  pair("b.png", {255, 255, 255, 255});
  EXPECT_EQ(failure(), folder_.path().string() +
                           ": its masks have no class\n  found   no value but 255, which does not "
                           "count\n  try     classes.csv, where 255 is a class");
}

// Reading a pipe would wait for whoever writes to it.
TEST_F(Masks, ThatAreNoFilesAreRefused) {
  text("classes.csv", "name,value\nno,0\nyes,1\n");
  for (const char* name : {"images/b.png", "masks/b.png"}) {
    pair("a.png", {0, 1, 0, 1});
    pair("b.png", {0, 1, 0, 1});
    std::filesystem::remove(folder_ / name);
    ASSERT_EQ(mkfifo((folder_ / name).c_str(), 0600), 0);
    EXPECT_EQ(failure(), path(name) + ": is a pipe or a device, not a file");
    std::filesystem::remove(folder_ / name);
  }
}

TEST_F(Masks, AMaskMovesWithItsImage) {
  // The image shows the classes, so that both must stay equal.
  const auto sample = [] {
    Array image(DType::u8, {4, 6, 3}), mask(DType::u8, {4, 6, 1});
    for (int64_t p = 0; p < 24; ++p) {
      mask.set(p, static_cast<double>(1 + p * 7 % 11));
      for (int64_t c = 0; c < 3; ++c) image.set(3 * p + c, mask.at(p));
    }
    return Sample{image, mask};
  };
  const Array before = sample().target;
  const auto alike = [](const Sample& s) {
    for (int64_t p = 0; p < s.target.numel(); ++p) {
      if (s.input.at(3 * p) != s.target.at(p)) return false;
    }
    return s.input.dim(0) == s.target.dim(0) && s.input.dim(1) == s.target.dim(1);
  };
  for (const char* text :
       {"flip:1", "vertical-flip:1", "crop:2", "crop:2:reflect", "crop:2:edge", "center-crop:3",
        "center-crop:9", "random-resized-crop", "rotation:40", "affine:20:0.2:0.7:1.4:10",
        "perspective:0.5:1:nearest", "letterbox:0"}) {
    const auto step = transform(text);
    bool moved = false;
    for (int64_t i = 0; i < 8; ++i) {
      TransformContext context(1, "test", 0, 8, i);
      context.height = 4;
      context.width = 6;
      Sample s = sample();
      (*step)(s, context);
      if (std::string_view(text) != "letterbox:0") {  // which interpolates the image
        EXPECT_TRUE(alike(s)) << text;
      }
      EXPECT_EQ(s.target.dim(2), 1) << text;
      moved |= values(s.target) != values(before);
    }
    EXPECT_EQ(moved, std::string_view(text) != "letterbox:0") << text;
  }
  for (const char* text : {"color-jitter:0.5:0.5:0.5:0.1", "invert:1", "erasing:1", "cutout:3"}) {
    const auto step = transform(text);
    TransformContext context(1, "test", 0, 8, 0);
    Sample s = sample();
    (*step)(s, context);
    EXPECT_EQ(values(s.target), values(before)) << text;
  }
}

TEST_F(Masks, ResizedMasksHaveNoValuesInBetween) {
  Array image(DType::u8, {8, 8, 3}), mask(DType::u8, {8, 8, 1});
  for (int64_t p = 0; p < 64; ++p) mask.set(p, p % 8 < 4 ? 1 : 9);
  Sample sample{image, mask};
  prepare(sample, {.height = 5,
                   .width = 5,
                   .channels = 3,
                   .resize = {},
                   .filter = Filter::bilinear,
                   .mean = {0, 0, 0},
                   .std = {1, 1, 1}});
  EXPECT_EQ(sample.input.shape(), (Shape{5, 5, 3}));
  EXPECT_EQ(sample.target.shape(), (Shape{5, 5, 1}));
  for (const int value : values(sample.target)) EXPECT_TRUE(value == 1 || value == 9) << value;
}

TEST_F(Masks, BatchesOfImagesOfSeveralSizesHaveMasksOfOne) {
  image("a.png", 10, 20);
  mask("a.png", Image::black(10, 20, 1));
  image("b.png", 30, 12);
  mask("b.png", Image::black(30, 12, 1));
  const DataSets sets = open_masks(folder_.path());
  const auto all = sets.train;
  LoaderOptions options{.batch = 2};
  options.augment = Augmentation::parse("random-resized-crop,flip,rotation:20");
  options.resize = std::make_shared<Resize>(Preprocessing{.height = 8,
                                                          .width = 8,
                                                          .channels = 3,
                                                          .resize = {},
                                                          .filter = Filter::bilinear,
                                                          .mean = {0, 0, 0},
                                                          .std = {1, 1, 1}});
  Loader loader(all, options);
  EXPECT_EQ(loader.target(), (Type{DType::u8, {8, 8, 1}}));
  loader.start(0);
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.targets.shape(), (Shape{batch.size(), 8, 8, 1}));
}

}  // namespace
}  // namespace fovea::data
