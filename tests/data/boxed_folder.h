#pragma once

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/boxes.h"
#include "fovea/data/registry.h"
#include "fovea/images/codec.h"

namespace fovea::data {

/// A folder of images and annotations of the data set NAME:DIR.
class BoxedFolder : public testing::Test {
 protected:
  explicit BoxedFolder(std::string name) : name_(std::move(name)) {}

  void image(const std::string& name, int height, int width) {
    text(name, png_bytes(Image::black(height, width, 3)));  // whatever its name ends with
  }
  void text(const std::string& name, const std::string& contents) {
    folder_.write(name, Bytes(contents.begin(), contents.end()));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  DataSets open_it() const { return open(name_ + ":" + folder_.path().string()); }
  /// The message of opening it and reading every sample.
  std::string failure() const {
    return error_text(ErrorKind::data, [&] {
      const DataSets sets = open_it();
      for (const auto& split : {sets.train, sets.test}) {
        for (int64_t i = 0; i < split->size(); ++i) (void)split->sample(i);
      }
    });
  }
  void expect_failure(const std::string& part) const {
    const std::string said = failure();
    EXPECT_NE(said.find(part), std::string::npos) << "expected: " << part << "\ngot: " << said;
  }

  void expect_no_worse(const std::string& name) const {
    data::expect_no_worse(folder_, name, [&] { (void)open_it(); });
  }

  std::string name_;
  TempFolder folder_;
};

inline ClassBox box(double x1, double y1, double x2, double y2, int64_t label, bool counts = true) {
  return {.x1 = x1, .y1 = y1, .x2 = x2, .y2 = y2, .label = label, .counts = counts};
}

/// The boxes of the sample whose name ends like this.
inline std::vector<ClassBox> boxes_in(const DataSets& sets, const std::string& name) {
  for (const auto& split : {sets.train, sets.test}) {
    for (int64_t i = 0; i < split->size(); ++i) {
      if (split->name(i).ends_with(name)) return boxes_of(split->sample(i).target);
    }
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

}  // namespace fovea::data
