#pragma once

#include <memory>
#include <string>

#include "explain.h"
#include "fovea/data/dataset.h"
#include "fovea/draw/canvas.h"

namespace fovea::cli {

/// The flags --data, --split and --limit.
struct ExplainData {
  std::string data, split;
  int64_t limit = 0;

  /// `help` says what the data are for.
  void add(Command command, const std::string& help);
  /// The split, its inputs as the model takes them, at most `limit` samples, evenly spread. Errors:
  /// as open_data; usage when it has no such split or its inputs do not fit the model.
  std::shared_ptr<const data::Dataset> open(const Predictor& predictor, Console& console) const;
};

/// The input of a sample as a picture, RGB.
Image sample_picture(const data::Dataset& samples, int64_t i);

/// A picture scaled to have a longer side of `side`: without smoothing if it is enlarged.
Image thumbnail(const Image& picture, int side);

/// The colour of a class, of `count`.
draw::Color class_color(int64_t index, int64_t count);

}  // namespace fovea::cli
