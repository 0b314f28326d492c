#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coco_results.h"
#include "fovea/images/codec.h"
#include "fovea/predict/predictor.h"
#include "kernel_flags.h"
#include "model.h"
#include "rows.h"

// What using a model on pictures and on arrays of numbers share.
namespace fovea::cli {

struct PredictFlags : TrainedFlags {
  Command command;
  std::string input, output, csv, tta;
  std::vector<std::string> images;
  std::string pictures, coco, annotations;
  TaskFlags of_task;
  int64_t top = 5, batch = 32, max_pixels = default_pixel_limit, tile = 0, overlap = 64;
  KernelFlags kernels;

  /// Classes to show for each input: a table has the first only, unless --top is given.
  int64_t classes_shown() const;
  /// The model, with the views and the task's choices.
  std::unique_ptr<Predictor> load(Console& console) const;
};

/// What was said of each input: text, the document for --json, the lines of --csv and the results
/// of --coco.
class PredictReport {
 public:
  /// `noun`: what an input is called; `images`: for --coco.
  PredictReport(const PredictFlags& flags, std::string noun, Console& console,
                const std::vector<std::string>& images = {});

  void add(const std::string& name, const tasks::Prediction& prediction,
           const std::vector<std::string>& pictures = {});
  /// There is no prediction for this one. The exit code is the highest of all.
  void add(const std::string& name, Error error);
  /// Writes the files and the document; returns the exit code.
  int finish();

 private:
  const std::string& csv_;
  std::string noun_;
  std::optional<CocoResults> coco_;
  Console& console_;
  Rows rows_;
  Json list_ = Json::array();
  int code_ = 0;
};

/// Predicts --input, an array; returns the exit code.
int predict_array(const PredictFlags& flags, Console& console);

}  // namespace fovea::cli
