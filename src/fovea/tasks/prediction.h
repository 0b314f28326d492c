#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/json.h"
#include "fovea/images/preprocessing.h"
#include "fovea/tasks/metric.h"

namespace fovea::tasks {

/// One row of a table of texts: each cell with the heading of its column.
using Cells = std::vector<std::pair<std::string, std::string>>;

/// The picture that a prediction is for, and which part of it became the net's input.
struct ShownInput {
  const Image& picture;  ///< as its file has it
  InputPlace place;
  bool only_surest = false;  ///< without what the net is far less sure of than of the rest, for
                             ///< pictures beside those of targets
};

/// A picture that shows a prediction.
struct PredictedPicture {
  std::string name;       ///< "mask": what files are called after the picture's own name
  std::string png;        ///< the contents of its file
  std::string note = {};  ///< what it leaves out, if anything: "the surest 3 of 17 boxes"
};

/// A prediction for one sample, for people and for programs.
class Prediction {
 public:
  virtual ~Prediction() = default;
  /// Lines that end with a newline, each indented by two spaces.
  virtual std::string text() const = 0;
  /// An object: {"classes": [...]}.
  virtual Json json() const = 0;
  /// Its row in a table. The headings are the same for every sample.
  virtual Cells cells() const = 0;
  /// From now on its coordinates, if it has any, are in the pixels of the picture instead of those
  /// of the net's input.
  virtual void place(const InputPlace&) {}
  /// Pictures of it at the size of the picture, if it is about places in it; after `place`.
  virtual std::vector<PredictedPicture> pictures(const ShownInput&) const { return {}; }
  /// Its numbers by name, where their count differs from sample to sample, so that the net's
  /// outputs do not have them; else none.
  virtual std::vector<std::pair<std::string, Array>> arrays() const { return {}; }
  /// Its results as COCO's tools read them, a list of objects, for the image of that number; none
  /// for what these do not know.
  virtual std::optional<Json> coco(int64_t image) const {
    (void)image;
    return std::nullopt;
  }
};

/// A line per probability: its name, percent and a bar.
std::string probability_text(const Numbers& probabilities);

/// {"KEY": [{"name": ..., "VALUE": ...}, ...]}.
Json numbers_json(std::string_view key, std::string_view value, const Numbers& numbers);

}  // namespace fovea::tasks
