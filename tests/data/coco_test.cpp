#include "fovea/data/coco.h"

#include "data/boxed_folder.h"
#include "fovea/data/prepared.h"

namespace fovea::data {
namespace {

class Coco : public BoxedFolder {
 protected:
  Coco() : BoxedFolder("coco") {
    image("train2017/1.png", 40, 60);
    image("train2017/2.png", 30, 30);
    image("val2017/3.png", 20, 20);
    annotations("val2017", R"([{"id": 3, "file_name": "3.png", "width": 20, "height": 20}])",
                R"([{"id": 1, "image_id": 3, "category_id": 90, "bbox": [1, 2, 3, 4]}])");
  }

  /// Three categories whose ids have gaps, not in order.
  static constexpr const char* categories =
      R"([{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 13, "name": "stop sign"}])";
  static constexpr const char* images =
      R"([{"id": 7, "file_name": "1.png", "width": 60, "height": 40},
          {"id": 5, "file_name": "2.png", "width": 30, "height": 30}])";

  void annotations(const std::string& split, const std::string& pictures, const std::string& list,
                   const std::string& classes = categories) {
    text("annotations/instances_" + split + ".json", R"({"info": {"year": 2017}, "annotations": )" +
                                                         list + R"(, "images": )" + pictures +
                                                         R"(, "categories": )" + classes + "}");
  }
  /// The training annotations: the members of one annotation of image 7.
  void annotation(const std::string& members) {
    annotations("train2017", images, "[{" + members + "}]");
  }
};

TEST_F(Coco, BoxesClassesAndCrowdsAreRead) {
  annotations("train2017", images, R"([
    {"id": 11, "image_id": 7, "category_id": 13, "bbox": [1.5, 2, 10, 20.25], "iscrowd": 0, "area": 5,
     "segmentation": [[1, 2, 3, 4, 5, 6]]},
    {"segmentation": {"counts": [5, 3], "size": [40, 60]}, "iscrowd": 1, "bbox": [0, 0, 60, 40],
     "category_id": 1, "image_id": 7, "id": 12}])");
  const DataSets sets = open_it();
  EXPECT_EQ(sets.name, "coco");
  Targets expected = box_targets({"person", "stop sign", "toothbrush"}, 2);
  expected.ids = {1, 13, 90};
  EXPECT_EQ(sets.targets(), expected);
  EXPECT_EQ(boxes_in(sets, "train2017/1.png"),
            (std::vector{box(1.5, 2, 11.5, 22.25, 1), box(0, 0, 60, 40, 0, false)}));
  EXPECT_EQ(boxes_in(sets, "train2017/2.png"), std::vector<ClassBox>{}) << "an image may be empty";
  EXPECT_EQ(boxes_in(sets, "val2017/3.png"), std::vector{box(1, 2, 4, 6, 2)});
  EXPECT_EQ(sets.val, sets.test);
}

TEST_F(Coco, AreasAreThoseOfTheOutlinesInThePicture) {
  annotations("train2017", images, R"([
    {"id": 1, "image_id": 7, "category_id": 13, "bbox": [0, 0, 10, 20], "area": 120.5},
    {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 4, 4]}])");
  const std::shared_ptr<const Dataset> train = open_it().train;
  const int64_t first = train->name(0).ends_with("1.png") ? 0 : 1;
  EXPECT_EQ(train->boxed_picture(first)->areas, (std::vector{120.5, 16.0}));
  EXPECT_EQ(train->boxed_picture(first)->place.picture_x(7), 7);
  Preprocessing fit{.height = 80,
                    .width = 80,
                    .channels = 3,
                    .resize = {},
                    .letterbox = 114,
                    .mean = {1, 1, 1},
                    .std = {1, 1, 1}};
  const BoxedPicture fitted = Prepared(train, fit).boxed_picture(first).value();
  EXPECT_EQ(fitted.areas, (std::vector{120.5, 16.0})) << "whatever the net's size";
  // 40x60 becomes 53x80, with 13 rows above it.
  EXPECT_NEAR(fitted.place.picture_x(40), 30, 1e-12);
  EXPECT_NEAR(fitted.place.picture_y(13 + 26.5), 20, 1e-12);
  EXPECT_EQ(fitted.place.picture_y(3), 0) << "above the picture";
  EXPECT_EQ(fitted.place.picture_y(79), 40) << "below it";
  fit.letterbox.reset();
  fit.resize = 80;
  const BoxedPicture cropped = Prepared(train, fit).boxed_picture(first).value();
  EXPECT_TRUE(cropped.areas.empty()) << "which boxes are left is not known";
  EXPECT_NEAR(cropped.place.picture_x(40), 30, 1e-12);  // the middle 40 of 60 columns
  EXPECT_NEAR(cropped.place.picture_x(0), 10, 1e-12);
}

TEST_F(Coco, ImagesAreAlsoFoundInAFolderOfTheirOwn) {
  annotation(R"("id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2, 2])");
  std::filesystem::create_directories(folder_ / "images");
  std::filesystem::rename(folder_ / "train2017", folder_ / "images/train2017");
  EXPECT_EQ(boxes_in(open_it(), "images/train2017/1.png").size(), 1u);
  std::filesystem::remove_all(folder_ / "images");
  EXPECT_EQ(failure(), path("annotations/instances_train2017.json") +
                           ": the folder of its images was not found\n  looked  for " +
                           path("train2017") + " and " + path("images/train2017"));
}

TEST_F(Coco, BoxesThatCannotBeAreNamed) {
  const std::string where = path("annotations/instances_train2017.json") + ": annotation 31: ";
  const auto expect = [&](const std::string& bbox, const std::string& what) {
    annotation(R"("id": 31, "image_id": 7, "category_id": 1, "bbox": )" + bbox);
    expect_failure(where + what);
  };
  expect("[0, 0, 0, 5]", "the box is empty");
  expect("[0, 0, -3, 5]", "the box is empty");
  expect("[50, 0, 20, 5]",
         "the box lies outside the image, in part or as a whole\n"
         "  box     left 50, top 0, right 70, bottom 5\n"
         "  image   40x60: 1.png\n"
         "  try     --on-bad-image skip, which leaves such images out");
  expect("[0, 1e300, 1, 1e300]", "the box lies outside the image");
  annotation(R"("id": 31, "image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1])");
  EXPECT_EQ(failure(), where + "its category_id 2 is not in \"categories\"");
  annotation(R"("id": 31, "image_id": 8, "category_id": 1, "bbox": [0, 0, 1, 1])");
  EXPECT_EQ(failure(), where + "its image_id 8 is not in \"images\"");
  // As rounding makes it: clipped.
  annotation(R"("id": 31, "image_id": 7, "category_id": 1, "bbox": [-0.4, 0, 60.9, 5])");
  EXPECT_EQ(boxes_in(open_it(), "1.png"), std::vector{box(0, 0, 60, 5, 0)});
}

TEST_F(Coco, ABadBoxIsThatOfItsImageAlone) {
  annotation(R"("id": 31, "image_id": 7, "category_id": 1, "bbox": [0, 0, 0, 5])");
  const DataSets sets = open_it();
  int64_t bad = 0;
  for (int64_t i = 0; i < sets.train->size(); ++i) {
    try {
      (void)sets.train->target(i);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      ++bad;
    }
  }
  EXPECT_EQ(bad, 1);
}

TEST_F(Coco, WhatIsMissingOrTwiceIsNamed) {
  const std::string file = path("annotations/instances_train2017.json");
  const auto expect = [&](const std::string& json, const std::string& what) {
    text("annotations/instances_train2017.json", json);
    expect_failure(file + ": " + what);
  };
  expect("", "is no JSON\n  offset  1");
  expect("{\"images\": [}", "is no JSON");
  expect("[]", "is no object with images, annotations and categories");
  expect("{}", "has no images");
  expect(R"({"images": 3})", "images is no array");
  expect(R"({"annotations": null})", "annotations is no array");
  expect(R"({"annotations": [1]})", "number 1 of annotations is no object");
  expect(R"({"images": [{"id": 1, "file_name": "1.png", "width": 3, "height": 3}, []]})",
         "number 2 of images is no object");
  expect(R"({"images": {}})", "images is no array");
  expect(R"({"images": [], "images": []})", "has images twice");
  expect(R"({"images": [{"id": 1, "width": 3, "height": 3}]})",
         "image 1 has no text \"file_name\"");
  expect(R"({"images": [{"id": 1, "file_name": "../1.png", "width": 3, "height": 3}]})",
         "image 1: \"../1.png\" is not the name of a file in a folder of images");
  expect(R"({"images": [{"id": 1, "file_name": "/etc/1.png", "width": 3, "height": 3}]})",
         "image 1: \"/etc/1.png\" is not");
  expect(R"({"images": [{"id": 1, "file_name": "1.png\u0000", "width": 3, "height": 3}]})",
         "image 1: \"1.png?\" is not");
  expect(R"({"images": [{"id": "x", "file_name": "1.png", "width": 3, "height": 3}]})",
         "image number 1 has no integer \"id\"");
  expect(R"({"images": [{"id": 1, "file_name": "1.png", "width": 3, "height": 0}]})",
         "image 1 has a size of 0x3");
  expect(R"({"annotations": [{"id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3]}]})",
         "annotation 4 has no bbox of 4 numbers");
  expect(R"({"annotations": [{"id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, NaN]}]})",
         "is no JSON\n  offset  79\n  found   invalid literal; last read: '3, N'\n  at      "
         "line 1, column 79");
  expect(R"({"annotations": [{"id": 4, "category_id": 1, "bbox": [1, 2, 3, 4]}]})",
         "annotation 4 has no integer \"image_id\"");
  for (const char* bbox : {R"({"x": 1, "y": 2, "w": 3, "h": 4})", R"([1, 2, "3", 4, 5])",
                           R"([1, 2, [3], 4, 5])", "null", R"("1 2 3 4")"}) {
    annotation(R"("id": 4, "image_id": 7, "category_id": 1, "bbox": )" + std::string(bbox));
    expect_failure("annotation 4 has no bbox of 4 numbers");
  }
  for (const char* crowd : {"2", "-1", "0.5", R"("1")", "[1]"}) {
    annotation(R"("id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": )" +
               std::string(crowd));
    expect_failure("annotation 4 has an iscrowd that is neither 0 nor 1");
  }
  for (const char* crowd : {"0", "1.0", "true", "null"}) {
    annotation(R"("id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": )" +
               std::string(crowd));
    EXPECT_EQ(boxes_in(open_it(), "train2017/1.png").size(), 1u) << crowd;
  }
  const std::string one = R"({"id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]})";
  annotations("train2017", images, "[" + one + ", " + one + "]");
  expect_failure(file + ": annotation 4 occurs twice");
  annotations("train2017", images, "[]", R"([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}])");
  expect_failure("category 1 occurs twice");
  annotations("train2017", images, "[]", R"([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}])");
  expect_failure("the class a occurs twice");
  annotations("train2017", images, "[]", R"([{"id": 1, "name": "person"}])");
  expect_failure(": category 13, stop sign, is not one of the training data");
  text("annotations/instances_train2014.json", "{}");
  expect_failure("has several files of annotations for train");
}

TEST_F(Coco, AnImageOfAnotherSizeThanStatedIsNamed) {
  annotation(R"("id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2, 2])");
  image("train2017/1.png", 60, 40);
  EXPECT_EQ(failure(), path("train2017/1.png") +
                           ": is not of the size that its boxes are for\n"
                           "  image   60x40\n"
                           "  boxes   for 40x60\n"
                           "  try     annotations of this image, before it was turned or resized");
  std::filesystem::remove(folder_ / "train2017/1.png");
  expect_failure(path("train2017/1.png"));
}

TEST_F(Coco, HostileFilesEndSoon) {
  const auto expect = [&](const std::string& json, const std::string& what) {
    text("annotations/instances_train2017.json", json);
    expect_failure(what);
  };
  expect(R"({"info": )" + std::string(1 << 20, '['), "is nested more than 100 deep");
  expect(R"({"annotations": [{"bbox": [)" + std::string(1 << 16, '1') + "]}]}", "is no JSON");
  std::string many = R"({"annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [0)";
  for (int i = 0; i < 100'000; ++i) many += ",0";
  expect(many + "]}]}", "annotation 1 has no bbox of 4 numbers");
  std::string list = "[";
  for (int i = 0; i < 10'001; ++i) {
    list += i == 0 ? "" : ",";
    list += R"({"id": )" + std::to_string(i) +
            R"(, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2, 2]})";
  }
  annotations("train2017", images, list + "]");
  expect_failure("more than 10000 boxes");
}

TEST_F(Coco, AFolderWithoutAnnotationsSaysWhatIsExpected) {
  std::filesystem::remove_all(folder_ / "annotations");
  EXPECT_EQ(failure(), folder_.path().string() +
                           ": no folder annotations\n  expected DIR/annotations/"
                           "instances_train2017.json and the images in DIR/train2017, and the same "
                           "with val2017");
  std::filesystem::create_directories(folder_ / "annotations");
  EXPECT_EQ(failure(), path("annotations") +
                           ": no instances_train*.json\n  expected annotations/"
                           "instances_train2017.json, or another name that begins with "
                           "instances_train");
}

TEST_F(Coco, DamagedFilesAreReadOrRefused) {
  annotation(R"("id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2.5, 2], "iscrowd": 1)");
  expect_no_worse("annotations/instances_train2017.json");
}

}  // namespace
}  // namespace fovea::data
