#pragma once

#include <memory>
#include <vector>

#include "fovea/formats/model_file.h"
#include "fovea/nn.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/fit.h"
#include "golden_fill.h"

// A small model for tests of what is done with trained models.
namespace fovea {

/// small_cnn for 3 classes of 8x8 gray images, filled by the rule of the golden files.
struct Trained {
  std::unique_ptr<nn::Module> model =
      models::make("small_cnn", {.outputs = 3, .input = Shape{1, 8, 8}});
  State state;
  Trained() { golden_fill::declare(state, *model, DType::f32); }
  ModelFile file() {
    return {
        .architecture = "small_cnn",
        .arguments = to_arguments(models::configure(
            "small_cnn", {.outputs = 3, .input = Shape{1, 8, 8}, .choices = {{"dropout", 0.25}}})),
        .preprocessing = Preprocessing{.height = 8,
                                       .width = 8,
                                       .channels = 1,
                                       .resize = {},
                                       .filter = Filter::bilinear,
                                       .mean = {0.5},
                                       .std = {0.25}},
        .class_names = {"ant", "bee", "cat"},
        .training = {},
        .weights = weights_of(*model, state)};
  }
};

/// Gray images, filled by the same rule.
inline Array pixels(int64_t count, int64_t side = 8) {
  Array images(DType::u8, {count, side, side, 1});
  const golden_fill::Words words("pixels");
  for (int64_t i = 0; i < images.numel(); ++i) images.set(i, static_cast<double>(words[i] % 256));
  return images;
}

/// All elements.
inline std::vector<double> list(const Array& array) {
  std::vector<double> values;
  for (int64_t i = 0; i < array.numel(); ++i) values.push_back(array.at(i));
  return values;
}

}  // namespace fovea
