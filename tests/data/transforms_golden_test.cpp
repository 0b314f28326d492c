// Every operation, with given parameters, against torchvision's on Pillow images
// (scripts/golden/transforms.py).

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/helpers.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/auto_augment.h"
#include "fovea/data/transforms/crop.h"
#include "fovea/data/transforms/flip.h"
#include "fovea/formats/safetensors.h"
#include "fovea/images/adjust.h"
#include "fovea/images/geometry.h"
#include "paths.h"

namespace fovea::data {
namespace {

using Words = std::vector<std::string>;

const std::map<std::string, Array>& golden() {
  static const std::map<std::string, Array> tensors = [] {
    const SafeTensors file = read_safetensors(tests_folder() + "/golden/transforms.safetensors");
    return std::map<std::string, Array>(file.tensors.begin(), file.tensors.end());
  }();
  return tensors;
}

double number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

Point center_of(const Array& image) {
  return {static_cast<double>(image.dim(1)) / 2, static_cast<double>(image.dim(0)) / 2};
}

Array rotated(const Array& image, const Words& p) {
  return warp(image, affine_matrix({.degrees = -number(p[0])}, center_of(image)),
              *filter_named(p[1]));
}

Array moved_affine(const Array& image, const Words& p) {
  const AffineParameters plain{.degrees = 25, .right = 3, .down = -2, .scale = 1.3};
  const AffineParameters shear{
      .degrees = -15, .right = -4, .down = 1, .scale = 0.7, .shear_x = 20, .shear_y = -10};
  return warp(image, affine_matrix(p[0] == "plain" ? plain : shear, center_of(image)),
              *filter_named(p[1]));
}

Array in_perspective(const Array& image, const Words& p) {
  const auto right = static_cast<double>(image.dim(1) - 1);
  const auto bottom = static_cast<double>(image.dim(0) - 1);
  return warp(image,
              perspective_matrix({Point{0, 0}, {right, 0}, {right, bottom}, {0, bottom}},
                                 {Point{4, 2}, {28, 5}, {29, 19}, {1, 20}}),
              *filter_named(p[0]));
}

Array resized_crop(const Array& image, const Words&) {
  const Array part = crop(image, 5, 3, 11, 20);
  const auto pixels = part.data<uint8_t>();
  const Image scaled =
      resize(Image{11, 20, static_cast<int>(image.dim(2)), {pixels.begin(), pixels.end()}}, 16, 16,
             Filter::bilinear);
  return Array::of(scaled.pixels, {16, 16, image.dim(2)});
}

Array padded(const Array& image, const Words& p) {
  const PaddingMode mode = p[0] == "constant"  ? PaddingMode::zeros
                           : p[0] == "reflect" ? PaddingMode::reflect
                                               : PaddingMode::edge;
  return crop(image, 3, -3, image.dim(0), image.dim(1), mode);
}

Array center_cropped(const Array& image, const Words& p) {
  Sample sample{image, {}};
  TransformContext context(0, "", 0, 1, 0);
  CenterCrop(static_cast<int64_t>(number(p[0])))(sample, context);
  return sample.input;
}

using Operation = std::function<Array(const Array&, const Words&)>;

Operation in_place(void (*change)(Array&)) {
  return [change](const Array& image, const Words&) {
    Array result = image.clone();
    change(result);
    return result;
  };
}
Operation in_place(void (*adjust)(Array&, double)) {
  return [adjust](const Array& image, const Words& p) {
    Array result = image.clone();
    adjust(result, number(p[0]));
    return result;
  };
}

Array automatic(const Array& image, const Words& p) {
  const auto all = rand_augment_operations();
  const auto operation = std::ranges::find(all, p[0], &AutoOperation::name);
  Sample result{image.clone(), {}};
  operation->apply(result, number(p[1]), Filter::nearest);
  return result.input;
}

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> all{
      {"source", [](const Array& image, const Words&) { return image; }},
      {"rotate", rotated},
      {"affine", moved_affine},
      {"perspective", in_perspective},
      {"resized_crop", resized_crop},
      {"pad", padded},
      {"center_crop", center_cropped},
      {"hflip", in_place(flip)},
      {"vflip", in_place(vertical_flip)},
      {"adjust_brightness", in_place(adjust_brightness)},
      {"adjust_contrast", in_place(adjust_contrast)},
      {"adjust_saturation", in_place(adjust_saturation)},
      {"adjust_sharpness", in_place(adjust_sharpness)},
      {"adjust_hue", in_place(adjust_hue)},
      {"grayscale", in_place(grayscale)},
      {"solarize", in_place(solarize)},
      {"equalize", in_place(equalize)},
      {"invert", in_place(invert)},
      {"auto", automatic},
      {"autocontrast", in_place([](Array& image) {
         adjust_contrast(image, 0.4);
         autocontrast(image);
       })},
      {"posterize",
       in_place([](Array& image, double bits) { posterize(image, static_cast<int>(bits)); })},
      {"gaussian_blur", [](const Array& image, const Words& p) {
         Array result = image.clone();
         gaussian_blur(result, static_cast<int>(number(p[0])), number(p[1]));
         return result;
       }}};
  return all;
}

TEST(TransformsGolden, EveryOperationGivesTorchvisionsPixels) {
  size_t compared = 0, other = 0, values = 0;
  for (const auto& [name, wanted] : golden()) {
    Words words = split(name, '/');
    if (words[0] == "space") continue;
    const Array& source = golden().at(words[0] + "/source");
    const Operation& operation = operations().at(words[1]);
    words.erase(words.begin(), words.begin() + 2);
    const Array got = operation(source, words);
    ASSERT_EQ(describe(got), describe(wanted)) << name;
    double worst = 0;
    size_t differ = 0;
    for (int64_t i = 0; i < got.numel(); ++i) {
      worst = std::max(worst, std::abs(got.at(i) - wanted.at(i)));
      differ += got.at(i) != wanted.at(i);
    }
    EXPECT_LE(worst, 1) << name << ", " << differ << " of " << got.numel() << " values differ";
    other += differ;
    values += static_cast<size_t>(got.numel());
    ++compared;
  }
  EXPECT_GE(compared, 110u);
  EXPECT_LE(other, values / 1000);  // of blurred images, where sums are rounded
}

TEST(TransformsGolden, AutomaticAugmentationsAreAsStrongAsTorchvisions) {
  size_t compared = 0;
  for (const auto& [policy, all] : {std::pair{"randaugment", rand_augment_operations()},
                                    std::pair{"trivialaugment", trivial_augment_operations()}}) {
    for (const AutoOperation& operation : all) {
      const Array& wanted =
          golden().at("space/" + std::string(policy) + "/" + std::string(operation.name));
      const std::vector<double> got = operation.magnitudes(23, 31);
      ASSERT_EQ(std::ssize(got), wanted.numel()) << policy << operation.name;
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], wanted.at(static_cast<int64_t>(i)), 1e-4) << policy << operation.name;
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, 28u);
}

}  // namespace
}  // namespace fovea::data
