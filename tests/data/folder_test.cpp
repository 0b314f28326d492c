#include "fovea/data/folder.h"

#include <algorithm>
#include <set>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/csv.h"
#include "fovea/data/image_files.h"
#include "fovea/images/codec.h"
#include "temporary_folder.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

/// A picture of one colour, of this size.
void paint(const fs::path& path, int height, int width, uint8_t value, int channels = 3) {
  fs::create_directories(path.parent_path());
  Image image = Image::black(height, width, channels);
  std::ranges::fill(image.pixels, value);
  encode_png(path, image);
}

std::vector<int64_t> labels_of(const Dataset& set) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < set.size(); ++i) labels.push_back(class_of(set, i));
  return labels;
}

TEST(Folder, ClassesAreTheFoldersInByteOrderAndImagesComeInOrder) {
  TemporaryFolder root;
  paint(root / "train" / "dog" / "b.png", 4, 6, 2);
  paint(root / "train" / "dog" / "a.PNG", 5, 6, 1);
  paint(root / "train" / "dog" / "deep" / "er" / "c.png", 4, 4, 3);
  paint(root / "train" / "Zebra" / "z.png", 4, 4, 4, 1);
  put(root / "train" / "dog" / "notes.txt", "not an image");
  put(root / "train" / "dog" / ".hidden.png", "not looked at");
  paint(root / "test" / "dog" / "t.png", 4, 4, 5);
  paint(root / "test" / "cat" / "t.png", 4, 4, 6);
  fs::create_directories(root / "train" / "empty");
  const DataSets sets = open_folder(root / "");
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"Zebra", "cat", "dog", "empty"}));
  EXPECT_EQ(labels_of(*sets.train), (std::vector<int64_t>{0, 2, 2, 2}));
  EXPECT_EQ(labels_of(*sets.test), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(sets.val, nullptr);
  // Gray images are RGB as the others are.
  EXPECT_EQ(sets.train->sample(0).input.shape(), (Shape{4, 4, 3}));
  EXPECT_EQ(sets.train->sample(0).input.at(0), 4);
  EXPECT_EQ(sets.train->sample(1).input.shape(), (Shape{5, 6, 3}));
  EXPECT_EQ(sets.train->sample(1).input.at(0), 1);
  EXPECT_EQ(sets.train->sample(3).input.at(0), 3);
  EXPECT_EQ(sets.train->input(), std::nullopt);
  EXPECT_EQ(sets.train->typical_input(), std::nullopt);
  EXPECT_EQ(sets.test->typical_input(), (Type{DType::u8, {4, 4, 3}}));
}

TEST(Folder, WithoutATestFolderOneImageInTenOfEachClassIsHeldOut) {
  TemporaryFolder root;
  for (int i = 0; i < 20; ++i) {
    paint(root / "cat" / (std::to_string(i) + ".png"), 2, 2, static_cast<uint8_t>(i));
    paint(root / "dog" / (std::to_string(i) + ".png"), 2, 2, static_cast<uint8_t>(100 + i));
  }
  const DataSets sets = open_folder(root / "");
  EXPECT_EQ(sets.train->size(), 36);
  EXPECT_EQ(labels_of(*sets.test), (std::vector<int64_t>{0, 0, 1, 1}));
  const DataSets again = open_folder(root / "");
  EXPECT_EQ(fingerprint(*sets.test), fingerprint(*again.test));
}

TEST(Folder, AValFolderValidatesAndWithoutTestIsMeasuredToo) {
  TemporaryFolder root;
  for (const char* split : {"train", "valid"}) {
    paint(root / split / "a" / "1.png", 2, 2, 1);
    paint(root / split / "b" / "1.png", 2, 2, 2);
  }
  const DataSets sets = open_folder(root / "");
  ASSERT_NE(sets.val, nullptr);
  EXPECT_EQ(sets.val, sets.test);
  EXPECT_EQ(sets.train->size(), 2);
}

TEST(Folder, WhatIsNotSortedIntoClassesIsNamed) {
  TemporaryFolder root;
  expect_error(ErrorKind::data, "does not exist", [&] { (void)open_folder(root / "missing"); });
  expect_error(ErrorKind::data, "no images in its class folders",
               [&] { (void)open_folder(root / ""); });
  paint(root / "a" / "1.png", 2, 2, 1);
  expect_error(ErrorKind::data, "1 class; at least 2 are expected",
               [&] { (void)open_folder(root / ""); });
  paint(root / "loose.png", 2, 2, 1);
  expect_error(ErrorKind::data, "images beside the class folders",
               [&] { (void)open_folder(root / ""); });
  expect_error(ErrorKind::data, "1, such as loose.png", [&] { (void)open_folder(root / ""); });
}

TEST(Folder, ALinkToAFolderAboveItIsAnError) {
  TemporaryFolder root;
  paint(root / "a" / "1.png", 2, 2, 1);
  fs::create_directory_symlink(root / "a", root / "a" / "again");
  expect_error(ErrorKind::data, "symbolic link", [&] { (void)open_folder(root / ""); });
}

TEST(Folder, ABrokenImageIsNamedWithItsPathAndCanBeLeftOut) {
  TemporaryFolder root;
  for (int i = 0; i < 12; ++i) paint(root / "a" / (std::to_string(i) + ".png"), 2, 2, 1);
  for (int i = 0; i < 12; ++i) paint(root / "b" / (std::to_string(i) + ".png"), 2, 2, 1);
  put(root / "a" / "3.png", "not a PNG");
  put(root / "b" / "5.png", "");
  const DataSets sets = open_folder(root / "");
  const auto all = std::make_shared<ImageFiles>(
      FileList{
          root / "", {"a/2.png", "a/3.png", "b/5.png"}, Array::of(std::vector<int64_t>{0, 0, 1})},
      class_targets({"a", "b"}));
  expect_error(ErrorKind::data, "a/3.png: not a PNG, JPEG or WebP", [&] { (void)all->sample(1); });
  const std::vector<BadSample> bad = find_bad(*all);
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_EQ(bad[0].index, 1);
  EXPECT_EQ(bad[0].name, (root / "" / "a/3.png").string());
  EXPECT_NE(bad[1].message.find("b/5.png"), std::string::npos);
  EXPECT_EQ(without(all, bad)->size(), 1);
  EXPECT_EQ(without(all, {}), all);
}

TEST(Folder, TheStampChangesWithNamesSizesAndTargetsButReadsNoImage) {
  TemporaryFolder root;
  put(root / "1.png", "abc");
  put(root / "2.png", "abcd");
  const auto stamp = [&](std::vector<std::string> paths, std::vector<int64_t> labels) {
    return fingerprint(
        ImageFiles({root / "", std::move(paths), Array::of(labels)}, class_targets({"a", "b"})));
  };
  const std::string first = stamp({"1.png", "2.png"}, {0, 1});
  EXPECT_EQ(first, stamp({"1.png", "2.png"}, {0, 1}));
  EXPECT_NE(first, stamp({"2.png", "1.png"}, {0, 1}));
  EXPECT_NE(first, stamp({"1.png", "2.png"}, {1, 1}));
  put(root / "2.png", "abcde");
  EXPECT_NE(first, stamp({"1.png", "2.png"}, {0, 1}));
}

TEST(ImageNet, AFlatValTakesItsClassesFromTheListAndNamesFromTheMapping) {
  TemporaryFolder root;
  paint(root / "train" / "n01" / "x.png", 2, 2, 1);
  paint(root / "train" / "n02" / "x.png", 2, 2, 2);
  paint(root / "val" / "ILSVRC2012_val_1.png", 2, 2, 3);
  paint(root / "val" / "ILSVRC2012_val_2.png", 2, 2, 4);
  expect_error(ErrorKind::data, "no list of their classes",
               [&] { (void)open_imagenet(root / ""); });
  put(root / "val.txt", "ILSVRC2012_val_1.JPEG 1\nILSVRC2012_val_2.JPEG 0\n");
  put(root / "LOC_synset_mapping.txt", "n01 tench, Tinca tinca\nn02 goldfish\n");
  const DataSets sets = open_imagenet(root / "");
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"tench", "goldfish"}));
  ASSERT_EQ(sets.test->size(), 2);
  EXPECT_EQ(class_of(*sets.test, 0), 0);
  EXPECT_EQ(sets.test->sample(0).input.at(0), 4);
  put(root / "val.txt", "ILSVRC2012_val_1.JPEG 1\n");
  expect_error(ErrorKind::data, "ILSVRC2012_val_2.png is not in it",
               [&] { (void)open_imagenet(root / ""); });
  put(root / "val.txt", "ILSVRC2012_val_1.JPEG 2\nILSVRC2012_val_2.JPEG 0\n");
  expect_error(ErrorKind::data, "from 0 to 1 is expected", [&] { (void)open_imagenet(root / ""); });
  fs::remove(root / "val.txt");
  put(root / "LOC_val_solution.csv",
      "ImageId,PredictionString\nILSVRC2012_val_1,n02 1 2 3 4\n"
      "ILSVRC2012_val_2,n01 1 2 3 4\n");
  EXPECT_EQ(open_imagenet(root / "").test->sample(0).input.at(0), 4);
}

TEST(Csv, ReadsFilesOfSpreadsheets) {
  TemporaryFolder root;
  put(root / "t.csv",
      "\xef\xbb\xbfpath,label\r\n\"a,b.png\",\"say \"\"hi\"\"\"\r\n\r\nc.png,\"two\nlines\"\r\n");
  const CsvTable table = read_csv(root / "t.csv");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"path", "label"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"a,b.png", "say \"hi\""}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"c.png", "two\nlines"}));
  EXPECT_EQ(table.lines, (std::vector<int64_t>{2, 4}));
}

TEST(Csv, WhatIsWrittenIsReadBack) {
  const std::vector<std::string> cells{"a,b", "say \"hi\"", "two\nlines", "", "plain", "\r"};
  TemporaryFolder root;
  put(root / "t.csv", csv_line({"1", "2", "3", "4", "5", "6"}) + csv_line(cells));
  const CsvTable table = read_csv(root / "t.csv");
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0], cells);
  EXPECT_EQ(csv_line({"plain", "a b"}), "plain,a b\n");
}

TEST(Csv, AMistakeNamesItsLine) {
  TemporaryFolder root;
  const auto message = [&](const std::string& text) {
    put(root / "t.csv", text);
    return error_of([&] { (void)open_csv(root / "t.csv"); });
  };
  const auto expect = [&](const std::string& text, const std::string& part) {
    const Error error = message(text);
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  };
  expect("", "a table without rows");
  expect("path,label\n", "a table without rows");
  expect("path,label\na.png\n", "line 2 has 1 cells, but the header has 2");
  expect("path,label\n\"a.png,x\n", "line 2 has a quote that is not closed");
  expect("path,label\n\"a.png\"x,x\n", "line 2 has characters after a closing quote");
  expect("path,path\na,b\n", "line 1 has the column \"path\" twice");
  expect("file,label\na,b\n", "no column \"path\"");
  expect("path\na\n", "no column \"label\"");
  expect("path,label\na,\n", "line 2 has no label");
  expect("path,label\n,x\nb,y\n", "line 2 has no path");
  expect("path,label\na,x\n", "1 class; at least 2 are expected");
  expect("path,label,split\na,x,train\nb,y,dev\n",
         "line 3 has the split \"dev\"; train, val or test is expected");
  expect("path,label,split\na,x,val\nb,y,test\n",
         "no row has the split train\n  found   test, val\n"
         "  try     train in the column split of the rows to train on");
  expect("path,red,big\na,1,2\n", "line 2 has \"2\" in the column big; 0 or 1 is expected");
}

TEST(Csv, SplitsAndGroupsAreRespected) {
  TemporaryFolder root;
  std::string text = "path,label,split,group\n";
  for (int i = 0; i < 40; ++i) {
    text += std::to_string(i) + ".png," + (i % 2 == 0 ? "x" : "y") + ",train,patient" +
            std::to_string(i / 4) + "\n";
  }
  put(root / "t.csv", text + "v.png,x,val,p\nt.png,y,test,q\n");
  const DataSets sets = open_csv(root / "t.csv");
  EXPECT_EQ(sets.train->size(), 40);
  EXPECT_EQ(sets.val->size(), 1);
  EXPECT_EQ(class_of(*sets.test, 0), 1);
  const ValidationSplit split = split_validation(sets.train, 0.2, 3);
  EXPECT_EQ(split.val->size(), 8);
  std::set<int64_t> train, val;
  for (int64_t i = 0; i < split.train->size(); ++i) train.insert(split.train->group(i));
  for (int64_t i = 0; i < split.val->size(); ++i) val.insert(split.val->group(i));
  EXPECT_EQ(val.size(), 2u);
  for (int64_t group : val) EXPECT_FALSE(train.contains(group));
}

TEST(Csv, SeveralColumnsAreSeparateLabels) {
  TemporaryFolder root;
  put(root / "t.csv", "red,path,big,split\n1,a.png,0,train\n1,b.png,1,train\n0,c.png,1,test\n");
  const DataSets sets = open_csv(root / "t.csv");
  EXPECT_EQ(sets.targets().type, (Type{DType::f32, {2}}));
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"red", "big"}));
  EXPECT_EQ(sets.targets().task, "multilabel");
  EXPECT_EQ(sets.train->target(1).at(1), 1);
  EXPECT_EQ(sets.test->target(0).at(0), 0);
}

}  // namespace
}  // namespace fovea::data
