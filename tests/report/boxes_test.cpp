// Boxes in the pictures of a report.
#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/data/boxes.h"
#include "fovea/nn.h"
#include "fovea/report/measured.h"

namespace fovea::report {
namespace {

/// A detector that finds the same in any image: a cat, and dogs of which it is less sure.
class Finder : public nn::Module {
 public:
  Finder(nn::Scope s, int64_t height, int64_t width, int64_t dogs)
      : Module(s), height_(double(height)), width_(double(width)), dogs_(dogs) {}

  data::ClassBox cat() const {
    return {.x1 = 0.125 * width_, .y1 = 0.25 * height_, .x2 = 0.875 * width_, .y2 = 0.5 * height_};
  }
  Tensor forward(Tensor x) const override {
    const data::ClassBox box = cat();
    const double down = 0.3 * height_;  // the dogs are below
    std::vector<float> sides, logits;
    for (const auto& [side, shift] :
         {std::pair{box.x1, 0.0}, {box.y1, down}, {box.x2, 0.0}, {box.y2, down}}) {
      for (int64_t i = 0; i <= dogs_; ++i) sides.push_back(float(i == 0 ? side : side + shift));
    }
    for (int64_t label = 0; label < 3; ++label) {
      for (int64_t i = 0; i <= dogs_; ++i)
        logits.push_back(label == 1 && i == 0 ? 1.F : label == 2 && i > 0 ? -1.F : -9.F);
    }
    const int64_t a = dogs_ + 1;
    const Tensor zero = reshape(sum(x, {1, 2, 3}), {x.dim(0), 1, 1}) * 0;
    const auto constant = [&](const std::vector<float>& values, const Shape& shape) {
      return x.graph().constant(Array::of(values, shape));
    };
    return detection_head({.levels = {a}, .height = height_, .width = width_, .nms = 1},
                          zero + constant(logits, {1, 3, a}),
                          zero + constant(std::vector<float>(size_t(4 * a)), {1, 4, a}), {},
                          constant(sides, {4, a}));
  }

 private:
  double height_, width_;
  int64_t dogs_;
};

/// What the report shows of two black images with a cat, of this size.
std::vector<Example> shown(const Finder& net, int height, int width) {
  const data::Targets pets = data::box_targets({"cat", "dog"}, 1);
  Predictor predictor(
      describe_model(net, {.outputs = 3, .input = {1, height, width}, .module = true},
                     *tasks::make("detect", pets),
                     Preprocessing{.height = height,
                                   .width = width,
                                   .channels = 1,
                                   .resize = {},
                                   .mean = {0},
                                   .std = {1}}),
      "finder", &net);
  Array targets(DType::f32, {2, 1, 5});
  for (int64_t i = 0; i < 2; ++i) {
    const Array one = data::box_array({net.cat()}, 1);
    for (int64_t k = 0; k < 5; ++k) targets.set(5 * i + k, one.at(k));
  }
  const Results results{.split = "test",
                        .samples = std::make_shared<data::ArrayDataset>(
                            Array::zeros(DType::u8, {2, height, width, 1}), targets, pets)};
  return describe(predictor, results, 2).compared;
}

/// Whether a pixel is of a box's frame, whose class has a colour, and not of the gray image or the
/// letters.
bool is_frame(const Image& picture, int x, int y) {
  const uint8_t* rgb = picture.at(y, x);
  const auto [low, high] = std::minmax({rgb[0], rgb[1], rgb[2]});
  return high - low > 40;
}

/// Where the only box in a picture lies, whose text is narrower than it.
data::ClassBox frame_in(const Image& picture) {
  int left = picture.width, right = 0, top = 0, bottom = 0;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      if (!is_frame(picture, x, y)) continue;
      left = std::min(left, x);
      right = std::max(right, x + 1);
      bottom = std::max(bottom, y + 1);
    }
  }
  for (int y = bottom - 1; right > 0 && y >= 0; --y) {
    if (is_frame(picture, right - 1, y)) top = y;
  }
  return {.x1 = double(left), .y1 = double(top), .x2 = double(right), .y2 = double(bottom)};
}

// Small pictures are enlarged, so that names can be read, and boxes with them.
TEST(ReportOfBoxes, DrawsThemWhereTheyAreInPicturesOfAnySize) {
  for (const auto& [height, width] :
       {std::pair{28, 28}, {64, 64}, {40, 90}, {112, 112}, {113, 60}, {150, 300}, {400, 250}}) {
    const Finder net(nn::Scope("finder"), height, width, 0);
    const std::vector<Example> examples = shown(net, height, width);
    ASSERT_EQ(examples.size(), 2u);
    for (const Image* picture : {&examples[1].picture, &examples[1].predicted}) {
      SCOPED_TRACE(std::to_string(height) + "x" + std::to_string(width) +
                   (picture == &examples[1].picture ? ", the target" : ", the prediction"));
      EXPECT_GE(std::max(picture->height, picture->width), 224);
      const double y = double(picture->height) / height, x = double(picture->width) / width;
      const data::ClassBox frame = frame_in(*picture), cat = net.cat();
      constexpr double line = 2;  // half of its width, and rounding
      EXPECT_NEAR(frame.x1, x * cat.x1, line);
      EXPECT_NEAR(frame.y1, y * cat.y1, line);
      EXPECT_NEAR(frame.x2, x * cat.x2, line);
      EXPECT_NEAR(frame.y2, y * cat.y2, line);
    }
  }
}

// A net's threshold lets many boxes pass: they would hide the image and those that count.
TEST(ReportOfBoxes, LeavesOutThoseOfWhichTheNetIsFarLessSure) {
  const Finder net(nn::Scope("finder"), 64, 64, 9);
  const Example example = shown(net, 64, 64).at(0);
  EXPECT_EQ(example.prediction, "the surest 1 of 10 boxes");
  EXPECT_NEAR(frame_in(example.predicted).y2, 0.5 * example.predicted.height, 2);
}

}  // namespace
}  // namespace fovea::report
