#include "fovea/data/yolo.h"

#include <sys/stat.h>

#include "data/boxed_folder.h"
#include "fovea/data/data_yaml.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

class Yolo : public BoxedFolder {
 protected:
  Yolo() : BoxedFolder("yolo") {}

  /// images/train and images/val with two images each and one text each.
  void usual() {
    for (const char* split : {"train", "val"}) {
      image(std::string("images/") + split + "/a.png", 20, 40);
      image(std::string("images/") + split + "/b.png", 10, 10);
      text(std::string("labels/") + split + "/a.txt", "1 0.5 0.5 0.25 0.5\n0 0.25 0.5 0.5 1\n");
    }
  }
  void yaml(const std::string& contents) { text("data.yaml", contents); }
};

TEST_F(Yolo, BoxesAreFractionsOfTheImage) {
  usual();
  yaml("path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n");
  const DataSets sets = open_it();
  EXPECT_EQ(sets.targets(), box_targets({"cat", "dog"}, 2));
  EXPECT_EQ(boxes_in(sets, "train/a.png"),
            (std::vector{box(15, 5, 25, 15, 1), box(0, 0, 20, 20, 0)}));
  EXPECT_TRUE(boxes_in(sets, "train/b.png").empty()) << "no text: no boxes";
  EXPECT_EQ(sets.val->size(), 2);
}

TEST_F(Yolo, WithoutDataYamlFoldersAreTheSplits) {
  usual();
  EXPECT_EQ(open_it().targets().names, (std::vector<std::string>{"0", "1"}));
  text("classes.txt", "cat\r\ndog\r\n");
  EXPECT_EQ(open_it().targets().names, (std::vector<std::string>{"cat", "dog"}));
  text("classes.txt", "cat\n");
  EXPECT_EQ(failure(),
            path("labels/train/a.txt") + ": line 1: there is no class 1\n  classes 0 to 0");
  std::filesystem::remove_all(folder_ / "images");
  std::filesystem::remove_all(folder_ / "labels");
  text("classes.txt", "cat\ndog\n");
  for (const char* split : {"train", "valid"}) {
    image(std::string(split) + "/images/a.png", 20, 40);
    text(std::string(split) + "/labels/a.txt", "1 0.5 0.5 0.25 0.5\n");
  }
  EXPECT_EQ(open_it().val->size(), 1);
  EXPECT_EQ(boxes_in(open_it(), "valid/images/a.png"), std::vector{box(15, 5, 25, 15, 1)});
}

TEST_F(Yolo, AnOutlineBecomesTheBoxAroundIt) {
  usual();
  text("labels/train/a.txt", "0 0.25 0.5 0.5 0.75 0.75 0.25\n");
  EXPECT_EQ(boxes_in(open_it(), "train/a.png"), std::vector{box(10, 5, 30, 15, 0)});
}

TEST_F(Yolo, ListsOfImagesAndPlacesOfOldAreFound) {
  usual();
  text("train.txt", "./images/train/a.png\nimages/train/b.png\n");
  yaml("train: train.txt\nval: ../images/val\ntest:\nnc: 2\nnames:\n  0: cat\n  1: dog\n");
  const DataSets sets = open_it();
  EXPECT_EQ(sets.train->size(), 2);
  EXPECT_EQ(boxes_in(sets, "images/train/a.png").size(), 2u);
  yaml("path: elsewhere\ntrain: [images/train, images/val]\nnames: [cat, dog]\n");
  EXPECT_EQ(open_it().train->size() + open_it().test->size(), 4);
  yaml("train: images/trian\nnames: [cat, dog]\n");
  expect_failure(path("data.yaml") + ": images/trian was not found");
}

TEST_F(Yolo, LinesThatAreNoBoxesAreNamed) {
  usual();
  yaml("train: images/train\nnames: [cat, dog]\n");
  const std::string where = path("labels/train/a.txt") + ": line 2: ";
  const auto expect = [&](const std::string& line, const std::string& what) {
    text("labels/train/a.txt", "0 0.5 0.5 0.5 0.5\n" + line + "\n");
    expect_failure(where + what);
  };
  expect("0 0.5 0.5 0.5", "4 numbers are not a box\n  expected class, x and y of the centre");
  expect("0 0.5 0.5 0.5 0.5 0.5", "6 numbers are not a box");
  expect("cat 0.5 0.5 0.5 0.5", "\"cat\" is not a number");
  expect("0 nan 0.5 0.5 0.5", "\"nan\" is not a number");
  expect("0 0.5 inf 0.5 0.5", "\"inf\" is not a number");
  expect("-1 0.5 0.5 0.5 0.5", "-1 is not the number of a class");
  expect("0.5 0.5 0.5 0.5 0.5", "0.5 is not the number of a class");
  expect("1e9 0.5 0.5 0.5 0.5", "1e+09 is not the number of a class");
  expect("2 0.5 0.5 0.5 0.5", "there is no class 2\n  classes 0 to 1");
  expect("0 0.5 0.5 0 0.5", "the box is empty");
  expect("0 0.9 0.5 0.5 0.5", "the box lies outside the image");
  expect("0 200 100 50 20", "the box lies outside the image");  // in pixels
  text("labels/train/a.txt", "0 0.5 0.5 1.000001 1\n\n");
  EXPECT_EQ(boxes_in(open_it(), "train/a.png"), std::vector{box(0, 0, 40, 20, 0)});
}

TEST_F(Yolo, ABadLineIsThatOfItsImageAlone) {
  usual();
  text("labels/train/a.txt", "0 0.5 0.5 0.5\n");
  text("labels/train/b.txt", std::string("\0", 1));
  const std::string first = path("labels/train/a.txt") + ": line 1: 4 numbers are not a box";
  text("labels/val/a.txt", "1 0.5 0.5 0.5 0.5\n");
  const DataSets sets = open_it();
  EXPECT_EQ(sets.train->size(), 2);
  EXPECT_EQ(find_bad(*sets.train).size(), 2u);
  EXPECT_TRUE(find_bad(*sets.val).empty());
  text("labels/val/a.txt", "?\n");  // no class is known then
  EXPECT_EQ(failure().substr(0, first.size()), first);
}

TEST_F(Yolo, TextsOfOtherEditorsAreRead) {
  const std::string mark = "\xef\xbb\xbf";
  usual();
  text("classes.txt", mark + "cat\r\ndog\r\n");
  text("labels/train/a.txt", mark + "1\t0.5 0.5  0.25 0.5\r\n");
  EXPECT_EQ(open_it().targets().names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(boxes_in(open_it(), "train/a.png"), std::vector{box(15, 5, 25, 15, 1)});
  text("train.txt", mark + "images/train/a.png\r\nimages/train/b.png\r\n");
  yaml(mark + "train: train.txt\r\nnames: [cat, dog]\r\n");
  EXPECT_EQ(boxes_in(open_it(), "train/a.png").size(), 1u);
  text("labels/train/a.txt", std::string("\xff\xfe\x30\0", 4));
  expect_failure(path("labels/train/a.txt") + ": is no text in UTF-8");
}

TEST_F(Yolo, ListsOfOtherThingsThanImagesAreNamed) {
  usual();
  yaml("train: train.txt\nnames: [cat, dog]\n");
  const auto expect = [&](const std::string& line, const std::string& shown) {
    text("train.txt", "images/train/a.png\n" + line + "\n");
    EXPECT_EQ(failure(), path("train.txt") + ": line 2 is not the name of an image: " + shown +
                             "\n  expected names that end in .png, .jpg, .jpeg or .webp");
  };
  expect("/etc/passwd", "/etc/passwd");
  expect("a\x1b[31m.png", "a?[31m.png");
  expect(std::string(5000, 'x') + ".png", std::string(80, 'x') + "...");
  yaml("train: data.yaml\nnames: [cat, dog]\n");  // meant for another folder
  EXPECT_EQ(failure(),
            path("data.yaml") +
                ": line 1 is not the name of an image: train: data.yaml\n  expected names "
                "that end in .png, .jpg, .jpeg or .webp");
}

TEST_F(Yolo, WhatIsNoFileIsRefused) {
  usual();
  for (const char* name : {"labels/train/b.txt", "images/train/b.png"}) {
    usual();
    std::filesystem::remove(folder_ / name);
    ASSERT_EQ(mkfifo((folder_ / name).c_str(), 0600), 0);
    EXPECT_EQ(failure(), path(name) + ": is a pipe or a device, not a file");
    std::filesystem::remove(folder_ / name);
  }
}

TEST_F(Yolo, HugeLinesTakeNoMemory) {
  usual();
  std::string outline = "0";
  for (int i = 0; i < 200'000; ++i) outline += i % 2 == 0 ? " 0.25 0.25" : " 0.5 0.75";
  text("labels/train/a.txt", outline + "\n");
  EXPECT_EQ(boxes_in(open_it(), "train/a.png"), std::vector{box(10, 5, 20, 15, 0)});
  text("labels/train/a.txt", std::string((size_t{16} << 20) + 1, '1'));
  expect_failure(path("labels/train/a.txt") + " has 16777217 bytes, at most 16777216 are read");
  std::filesystem::remove(folder_ / "labels/train/a.txt");
  text("classes.txt", std::string((size_t{4} << 20) + 1, '\n'));
  expect_failure(path("classes.txt") + " has 4194305 bytes, at most 4194304 are read");
}

TEST_F(Yolo, FoldersThatAreNotOfThisFormSaySo) {
  expect_failure(folder_.path().string() + ": no images to train on\n  expected DIR/data.yaml");
  image("images/a.png", 4, 4);
  EXPECT_EQ(failure().substr(0, folder_.path().string().size() + 46),
            folder_.path().string() + ": no image has a text with its boxes\n  looked ");
  text("labels/a.txt", "0 0.5 0.5 0.5 0.5\n");
  image("images/b.png", 4, 4);
  EXPECT_EQ(open_it().train->size(), 1) << "one of two is for tests";
  text("images/b.png", "not a picture");
  expect_failure(path("images/b.png") + ": not a PNG, JPEG or WebP");
}

TEST_F(Yolo, DataYamlInItsUsualForms) {
  yaml(
      "# Ultralytics\n"
      "path: ../datasets/coco8  # dataset root dir\n"
      "train: images/train # 4 images\n"
      "val: 'images/val'\n"
      "test: # test images (optional)\n"
      "\n"
      "# Classes\n"
      "names:\n"
      "  0: person\n"
      "  1: \"fire: hydrant\"\n"
      "  2: 'men''s shoe # 7'\n"
      "\n"
      "download: |\n"
      "  from utils import delete_dsc\n"
      "  x = [1: 2\n");
  const DataYaml ultralytics = read_data_yaml(folder_ / "data.yaml");
  EXPECT_EQ(ultralytics.path, "../datasets/coco8");
  EXPECT_EQ(ultralytics.splits.at("train"), std::vector<std::string>{"images/train"});
  EXPECT_EQ(ultralytics.splits.at("val"), std::vector<std::string>{"images/val"});
  EXPECT_FALSE(ultralytics.splits.contains("test"));
  EXPECT_EQ(ultralytics.names,
            (std::vector<std::string>{"person", "fire: hydrant", "men's shoe # 7"}));
  yaml(
      "train: ../train/images\r\nval: ../valid/images\r\n\r\nnc: 3\r\n"
      "names: ['a', \"b, c\",\r\n  d]\r\n\r\nroboflow:\r\n  workspace: x\r\n  version: 1\r\n");
  EXPECT_EQ(read_data_yaml(folder_ / "data.yaml").names,
            (std::vector<std::string>{"a", "b, c", "d"}));
  yaml("train: a\nnames: {0: cat, 1: 'hot: dog, really',\n  2: owl}\n");
  EXPECT_EQ(read_data_yaml(folder_ / "data.yaml").names,
            (std::vector<std::string>{"cat", "hot: dog, really", "owl"}));
  yaml("train:\n- a\n- b\nnames:\n- x\n- y\n");
  EXPECT_EQ(read_data_yaml(folder_ / "data.yaml").splits.at("train"),
            (std::vector<std::string>{"a", "b"}));
}

TEST_F(Yolo, DataYamlInOtherFormsIsRefused) {
  const auto expect = [&](const std::string& contents, const std::string& what) {
    yaml(contents);
    const std::string said =
        error_text(ErrorKind::data, [&] { read_data_yaml(folder_ / "data.yaml"); });
    EXPECT_NE(said.find(path("data.yaml") + ": " + what), std::string::npos) << said;
  };
  expect("", "names: no classes");
  expect("names: []\n", "names: no classes");
  expect("names: [a, a]\n", "names: the class a occurs twice");
  expect("names: [a, b\n", "line 1 has a bracket that is not closed");
  expect("names: ['a, b]\n", "line 1 has a quoted text that is not read: 'a, b");
  expect("names: {0: a, b}\n", "line 1 has a part without a number: b");
  expect("names: {0: a, 2: b}\n", "line 1 has names whose numbers are not 0, 1, 2, ...");
  expect("names: [[a]]\n", "line 1 has a value in a form that is not read: [a]");
  expect("names: " + std::string(100'000, '[') + "\n", "line 1 has a bracket that is not closed");
  expect("names: [a\x1b[31m]\n", "line 1 has a value with control characters: a?[31m");
  expect("train: " + std::string(5000, 'x') + "\n",
         "line 1 has a value of more than 4095 bytes: xxx");
  expect("names: *anchor\n", "line 1 has a value in a form that is not read");
  expect("names:\n  0: a\n  2: b\n", "line 1 has names whose numbers are not 0, 1, 2, ...");
  expect("names:\n  - a\n  b\n", "line 3 is neither \"- item\" nor \"number: name\"");
  expect("nc: 3\nnames: [a]\n", "line 1 has nc: 3, but there are 1 names");
  expect("names: [a]\nnames: [b]\n", "line 2 has \"names\" again");
  expect("  names: [a]\n", "line 1 is not \"key: value\"");
  expect("names\n", "line 1 is not \"key: value\"");
  expect("train:\n  0: a\nnames: [a]\n", "line 1 has no path for \"train\"");
}

TEST_F(Yolo, DamagedFilesAreReadOrRefused) {
  usual();
  yaml(
      "path: .\ntrain: images/train # a\nval: ['images/val']\nnc: 2\nnames:\n  0: cat\n  1: "
      "\"dog\"\n");
  expect_no_worse("data.yaml");
  expect_no_worse("labels/train/a.txt");
}

}  // namespace
}  // namespace fovea::data
