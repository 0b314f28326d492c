#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fovea/tasks/prediction.h"

namespace fovea::cli {

/// The boxes found in images as COCO's tools read them, on their way into a file of JSON. An image
/// has the id that COCO's `annotations` give it; without these, "", the number that is its file's
/// name, or else its place among `paths`.
class CocoResults {
 public:
  /// Errors: usage when two images have one number; data when `annotations` cannot be read, or lack
  /// an image.
  CocoResults(std::string file, const std::string& annotations,
              const std::vector<std::string>& paths);

  /// Errors: usage for predictions that COCO's tools do not know.
  void add(const std::string& path, const tasks::Prediction& prediction);
  /// Errors: io.
  void write() const;

 private:
  std::string file_;
  std::map<std::string, int64_t> numbers_;
  Json list_ = Json::array();
};

}  // namespace fovea::cli
