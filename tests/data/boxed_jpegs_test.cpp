// JPEGs with boxes, which are decoded smaller.
#include "data/boxed_folder.h"
#include "fovea/data/prepared.h"
#include "jpeg_file.h"

namespace fovea::data {
namespace {

class BoxedJpegs : public BoxedFolder {
 protected:
  BoxedJpegs() : BoxedFolder("voc") {
    std::filesystem::create_directories(folder_ / "JPEGImages");
    text("ImageSets/Main/train.txt", "1\n");
    text("ImageSets/Main/val.txt", "1\n");
  }

  /// The training split: an image with the box (8, 4, 40, 20), stated to be of this size.
  std::shared_ptr<const Dataset> image(int height, int width, int stated_height, int stated_width) {
    Image image = Image::black(height, width, 3);
    for (size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<uint8_t>(i / 3 % 90 + i / 1000);
    encode_jpeg(folder_ / "JPEGImages/1.jpg", image);
    text("Annotations/1.xml",
         "<annotation><size><height>" + std::to_string(stated_height) + "</height><width>" +
             std::to_string(stated_width) +
             "</width></size><object><name>cat</name><bndbox><xmin>9</xmin><ymin>5</ymin>"
             "<xmax>40</xmax><ymax>20</ymax></bndbox></object></annotation>");
    return open_it().train;
  }
  std::shared_ptr<const Dataset> image(int height, int width) {
    return image(height, width, height, width);
  }
};

// A photograph has many times the pixels that a net sees: decoding all of them took longer than
// training.
TEST_F(BoxedJpegs, AreDecodedAtAnExactPartOfTheirSize) {
  const auto expect = [&](int height, int width, const MinimumSize& minimum, int divisor) {
    SCOPED_TRACE(std::to_string(height) + "x" + std::to_string(width));
    const Sample sample = image(height, width)->scaled_sample(0, minimum);
    EXPECT_EQ(sample.input.shape(), (Shape{height / divisor, width / divisor, 3}));
    EXPECT_EQ(boxes_of(sample.target),
              std::vector{box(8.0 / divisor, 4.0 / divisor, 40.0 / divisor, 20.0 / divisor, 0)});
  };
  expect(64, 96, {}, 1);
  expect(64, 96, {33, 33}, 1);
  expect(64, 96, {32, 32}, 2);
  expect(64, 96, {16, 16}, 4);
  expect(64, 96, {16, 25}, 2);
  expect(64, 96, {1, 1}, 8);
  expect(60, 96, {1, 1}, 4);  // 60 / 8 is not exact
  expect(61, 96, {1, 1}, 1);
}

TEST_F(BoxedJpegs, HaveTheirBoxesInThePicturesOwnPixelsAgain) {
  const std::shared_ptr<const Dataset> train = image(240, 328);
  const Prepared fitted(train, {.height = 30,
                                .width = 30,
                                .channels = 3,
                                .resize = {},
                                .letterbox = letterbox_gray,
                                .mean = {0, 0, 0},
                                .std = {1, 1, 1}});
  const ClassBox found = boxes_of(fitted.sample(0).target).at(0);
  const BoxedPicture picture = fitted.boxed_picture(0).value();
  EXPECT_NEAR(picture.place.picture_x(found.x1), 8, 1e-5);
  EXPECT_NEAR(picture.place.picture_y(found.y1), 4, 1e-5);
  EXPECT_NEAR(picture.place.picture_x(found.x2), 40, 1e-5);
  EXPECT_NEAR(picture.place.picture_y(found.y2), 20, 1e-5);
  EXPECT_EQ(picture.areas, std::vector{512.0});
}

TEST_F(BoxedJpegs, OfAnotherSizeThanStatedAreNamed) {
  for (const MinimumSize& minimum : {MinimumSize{}, MinimumSize{16, 16}, MinimumSize{1, 1}}) {
    for (const auto& [height, width] : {std::pair{128, 192}, {32, 48}, {96, 64}}) {
      const auto train = image(height, width, 64, 96);
      EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)train->scaled_sample(0, minimum); }),
                path("JPEGImages/1.jpg") +
                    ": is not of the size that its boxes are for\n  image   " +
                    std::to_string(height) + "x" + std::to_string(width) +
                    "\n  boxes   for 64x96\n"
                    "  try     annotations of this image, before it was turned or resized");
    }
  }
}

}  // namespace
}  // namespace fovea::data
