#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/predict/predictor.h"

namespace fovea::report {

/// One sample that the report shows.
struct Example {
  std::string name;                ///< of its file, or "sample 7"
  std::string target, prediction;  ///< names of classes
  double probability = 0;          ///< of the prediction
  Image picture;                   ///< as the net sees it
  Image explained;  ///< the same below its activation map; without pixels if there is none
};

/// Samples whose probabilities for the predicted class are alike.
struct CalibrationBin {
  int64_t count = 0;
  double confidence = 0, accuracy = 0;  ///< means
};

/// A model measured on a split, for its report.
struct Measured {
  std::string split;           ///< "test"
  int64_t count = 0, all = 0;  ///< samples measured, and how many there are
  tasks::Numbers numbers = {};
  std::vector<tasks::Table> tables = {};
  std::vector<CalibrationBin> calibration = {};  ///< of classifiers; bins without samples left out
  /// Of classifiers of pictures: the most confident mistakes, and the most confident right
  /// prediction of each of some classes.
  std::vector<Example> mistakes = {}, right = {};
  std::string cam_layer = {};  ///< whose Grad-CAM the examples have; "" for none
};

struct MeasureOptions {
  int64_t batch = 128;
  int64_t maximum = 10'000;  ///< of a larger split so many samples are chosen at random
  int64_t examples = 12;     ///< of mistakes, and half as many right ones
  std::function<void(int64_t done, int64_t all)> progress = nullptr;
};

/// Errors: as Evaluation::measure.
Measured measure(Predictor& predictor, std::shared_ptr<const data::Dataset> samples,
                 const std::string& split, const MeasureOptions& options = {});

}  // namespace fovea::report
