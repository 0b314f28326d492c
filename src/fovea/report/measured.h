#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/predict/predictor.h"

namespace fovea::report {

/// What a classifier said of one sample.
struct Verdict {
  int64_t index = 0, target = 0, prediction = 0;
  double probability = 0;  ///< of the prediction
};

/// The results of an evaluation that a report is made of.
struct Results {
  std::string split;  ///< "test"
  std::shared_ptr<const data::Dataset> samples =
      nullptr;                 ///< those measured, as the net takes them
  int64_t count = 0, all = 0;  ///< samples measured, and how many the split has
  tasks::Numbers numbers = {};
  std::vector<tasks::Table> tables = {};
  std::vector<Verdict> verdicts = {};  ///< of classifiers, one per sample
  /// Of nets that learn their inputs: the squared error of each sample, and its index.
  std::vector<std::pair<double, int64_t>> errors = {};

  /// Adds the verdicts or errors of one batch of an evaluation whose task is `task`.
  void add(const EvaluatedBatch& batch, const tasks::Task& task);
};

struct EvaluateOptions {
  int64_t batch = 128;
  int64_t maximum = 10'000;  ///< of a larger split so many samples are chosen at random
  std::function<void(int64_t done, int64_t all)> progress = nullptr;
  std::stop_token stop = {};  ///< ends it early, with the results so far
};

/// Measures the model of a predictor, for a report. Errors: as Evaluation::measure.
Results evaluate(Predictor& predictor, std::shared_ptr<const data::Dataset> samples,
                 const std::string& split, const EvaluateOptions& options = {});

/// One sample that the report shows.
struct Example {
  std::string name;                ///< of its file, or "sample 7"
  std::string target, prediction;  ///< names of classes; of places what the picture leaves out
  double probability = 0;          ///< of the prediction
  Image picture;                   ///< as the net sees it; with the target, if that lies in it
  Image explained;  ///< the same below its activation map; without pixels if there is none
  Image predicted;  ///< the same with the prediction, if that is about places in it
};

/// One input that a net gives back.
struct Restored {
  std::string name;  ///< of its file, or "sample 7"
  double error = 0;  ///< the mean squared difference
  Image input, reconstruction;
};

/// Samples whose probabilities for the predicted class are alike.
struct CalibrationBin {
  int64_t count = 0;
  double confidence = 0, accuracy = 0;  ///< means
};

/// What a report shows of results.
struct Measured {
  std::string split;           ///< "test"
  int64_t count = 0, all = 0;  ///< samples measured, and how many there are
  tasks::Numbers numbers = {};
  std::vector<tasks::Table> tables = {};
  std::vector<CalibrationBin> calibration = {};  ///< of classifiers; bins without samples left out
  /// Of classifiers of pictures: the most confident mistakes, and the most confident right
  /// prediction of each of some classes.
  std::vector<Example> mistakes = {}, right = {};
  /// Of tasks about places in pictures, such as detection: samples evenly spaced in the split.
  std::vector<Example> compared = {};
  /// Of nets that learn their inputs: those with the largest errors, and some of the others.
  std::vector<Restored> worst = {}, typical = {};
  std::string cam_layer = {};  ///< whose Grad-CAM the examples have; "" for none
};

/// Chooses the examples, `mistakes` and half as many right ones or, of places, `mistakes` in all,
/// and computes their Grad-CAMs in batches. A stop request ends it early, with fewer maps. Errors:
/// as explain::explain.
Measured describe(Predictor& predictor, const Results& results, int64_t mistakes = 12,
                  const std::stop_token& stop = {});

}  // namespace fovea::report
