#include "fovea/data/voc.h"

#include "data/boxed_folder.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

class Voc : public BoxedFolder {
 protected:
  Voc() : BoxedFolder("voc") {
    for (const char* id : {"000001", "000002", "000003"}) {
      image(std::string("JPEGImages/") + id + ".png", 30, 50);
      annotation(id, object("dog", 1, 1, 50, 30));
    }
    text("ImageSets/Main/train.txt", "000001\n000002\n");
    text("ImageSets/Main/val.txt", "000003 \n");
  }

  static std::string object(const std::string& name, double xmin, double ymin, double xmax,
                            double ymax, const std::string& more = "") {
    return "\n<object>\n<name>" + name + "</name>\n<bndbox><xmin>" + std::to_string(xmin) +
           "</xmin><ymin>" + std::to_string(ymin) + "</ymin><xmax>" + std::to_string(xmax) +
           "</xmax><ymax>" + std::to_string(ymax) + "</ymax></bndbox>" + more + "</object>";
  }
  void annotation(const std::string& id, const std::string& objects) {
    text("Annotations/" + id + ".xml",
         "<annotation>\n<folder>VOC2012</folder><size><width>50</width><height>30</height>"
         "<depth>3</depth></size>" +
             objects + "\n</annotation>\n");
  }
};

TEST_F(Voc, PixelsAreCountedFromOne) {
  annotation("000001", object("person", 11, 6, 20, 25,
                              "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>") +
                           object("cat", 1, 1, 50, 30, "<difficult>1</difficult>"));
  const DataSets sets = open_it();
  EXPECT_EQ(sets.targets(), box_targets({"cat", "dog", "person"}, 2));
  EXPECT_EQ(boxes_in(sets, "000001.png"),
            (std::vector{box(10, 5, 20, 25, 2), box(0, 0, 50, 30, 0, false)}));
  ASSERT_TRUE(sets.val);
  EXPECT_EQ(sets.val->size(), 1);
  EXPECT_EQ(sets.train->size(), 2);
}

TEST_F(Voc, TheFolderMayBeThatOfTheArchive) {
  for (const char* name : {"Annotations", "JPEGImages", "ImageSets"}) {
    std::filesystem::create_directories(folder_ / "VOCdevkit/VOC2012");
    std::filesystem::rename(folder_ / name, folder_ / (std::string("VOCdevkit/VOC2012/") + name));
  }
  EXPECT_EQ(open_it().train->size(), 2);
  std::filesystem::create_directories(folder_ / "VOCdevkit/VOC2007/Annotations");
  expect_failure("VOCdevkit: has several years\n  try     voc:");
}

TEST_F(Voc, WithoutListsAllIsForTraining) {
  std::filesystem::remove_all(folder_ / "ImageSets");
  const DataSets sets = open_it();
  EXPECT_EQ(sets.train->size() + sets.test->size(), 3);
  text("ImageSets/Main/val.txt", "000003\n");
  EXPECT_EQ(failure(),
            path("ImageSets/Main") +
                ": no train.txt\n"
                "  found    val.txt\n"
                "  expected train.txt or trainval.txt, the names of the images to train on");
  text("ImageSets/Main/trainval.txt", "000001\n");
  EXPECT_EQ(open_it().train->size(), 1);
}

TEST_F(Voc, WhatIsWrongIsNamedWithItsLine) {
  const std::string file = path("Annotations/000001.xml");
  const auto expect = [&](const std::string& contents, const std::string& what) {
    text("Annotations/000001.xml", contents);
    expect_failure(file + what);
  };
  expect("", ": line 1 is no XML: no element found");
  expect("<annotation>\n<object>\n</annotation>", ": line 3 is no XML: mismatched tag");
  expect("<html></html>", ": line 1 is no annotation");
  expect("<annotation></annotation>", ": size: no height");
  expect("<!DOCTYPE x [<!ENTITY a \"b\">]><annotation>&a;</annotation>",
         ": line 1 has a document type, which is not read");
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "<a>";
  expect(deep, ": line 1 is nested too deep");
  annotation("000001", object("dog", 10, 10, 5, 20));
  expect_failure(file + ": line 3: the box is empty");
  annotation("000001", object("dog", 10, 10, 60, 20));
  expect_failure(file + ": line 3: the box lies outside the image");
  annotation("000001", "<object><name>dog</name></object>");
  expect_failure(file + ": line 2: no bndbox/xmin");
  annotation("000001", object("", 1, 1, 5, 5));
  expect_failure(file + ": line 3: the object has no name");
  annotation("000001", "<object><name>dog</name><bndbox><xmin>NaN</xmin></bndbox></object>");
  expect_failure(file + ": line 2: bndbox/xmin is \"NaN\", not a number");
  annotation("000001", object("do\ng", 1, 1, 5, 5));
  expect_failure(path("Annotations") + ": the name of a class has control characters: do?g");
  annotation("000001", object(std::string(1001, 'x'), 1, 1, 5, 5));
  expect_failure(path("Annotations") + ": the name of a class has more than 1000 bytes: xxx");
  text("Annotations/000001.xml",
       "<annotation><size><width>0</width><height>0</height></size></annotation>");
  EXPECT_EQ(failure(), file + ": size: height is 0\n  expected the size of the image, in pixels");
  annotation("000001", object("dog", 1, 1, 5, 5));
  text("classes.txt", "cat\n");
  expect_failure(": line 3: unknown class dog\n  try     a line for it in classes.txt");
}

TEST_F(Voc, TextsOfOtherEditorsAreRead) {
  text("classes.txt",
       "\xef\xbb\xbf"
       "cat\r\ndog\r\n");
  text("ImageSets/Main/train.txt",
       "\xef\xbb\xbf"
       "000001\r\n000002 -1\r\n");
  EXPECT_EQ(open_it().targets().names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(open_it().train->size(), 2);
}

TEST_F(Voc, TwoImagesOfOneNameAreRefused) {
  image("JPEGImages/000001.webp", 30, 50);
  EXPECT_EQ(failure(), path("JPEGImages/000001.webp") + ": there is another image of this name");
}

TEST_F(Voc, ABadAnnotationIsThatOfItsImageAlone) {
  annotation("000001", object("dog", 1, 1, 5, 5) + "<object></object>");
  text("Annotations/000002.xml", "<annotation>");
  const DataSets sets = open_it();
  const std::vector<BadSample> bad = find_bad(*sets.train);
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_EQ(bad[0].message, path("Annotations/000001.xml") + ": line 5: the object has no name");
  EXPECT_EQ(bad[1].message,
            path("Annotations/000002.xml") + ": line 1 is no XML: no element found");
  EXPECT_TRUE(find_bad(*sets.val).empty());
  for (const char* id : {"000001", "000002", "000003"})
    text(std::string("Annotations/") + id + ".xml", "<annotation>");  // no class is known then
  EXPECT_EQ(failure(), path("Annotations/000001.xml") + ": line 1 is no XML: no element found");
}

TEST_F(Voc, MissingFilesAreNamed) {
  text("ImageSets/Main/train.txt", "000001\n000009\n");
  EXPECT_EQ(failure(),
            path("JPEGImages") + ": no image 000009\n  for     " + path("Annotations/000009.xml"));
  image("JPEGImages/000009.png", 30, 50);
  expect_failure(path("Annotations/000009.xml"));
  text("ImageSets/Main/train.txt", "../../etc/passwd\n");
  expect_failure(path("ImageSets/Main/train.txt") +
                 ": line 1: \"../../etc/passwd\" is not the name of a file");
  image("JPEGImages/000001.png", 50, 30);
  text("ImageSets/Main/train.txt", "000001\n");
  expect_failure(path("JPEGImages/000001.png") + ": is not of the size that its boxes are for");
  std::filesystem::remove_all(folder_ / "Annotations");
  expect_failure(folder_.path().string() + ": no folder Annotations");
}

TEST_F(Voc, DamagedFilesAreReadOrRefused) {
  annotation("000001", object("cat", 1, 1, 50, 30, "<difficult>1</difficult>"));
  expect_no_worse("Annotations/000001.xml");
  expect_no_worse("ImageSets/Main/train.txt");
}

}  // namespace
}  // namespace fovea::data
