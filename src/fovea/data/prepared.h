#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// A split whose images are made as a network takes them: resized, cropped, gray or RGB, as
/// `prepare` does with pictures. Normalising stays with the network.
class Prepared : public Dataset {
 public:
  /// Errors: usage when the preprocessing has a problem, or the images have other than 1 or 3
  /// channels.
  Prepared(std::shared_ptr<const Dataset> whole, Preprocessing preprocessing);

  int64_t size() const override { return whole_->size(); }
  int64_t height() const override { return preprocessing_.height; }
  int64_t width() const override { return preprocessing_.width; }
  int64_t channels() const override { return preprocessing_.channels; }
  int64_t label(int64_t i) const override { return whole_->label(i); }
  void image(int64_t i, std::span<uint8_t> out) const override;
  const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
  int64_t held_bytes() const override { return whole_->held_bytes(); }

 private:
  std::shared_ptr<const Dataset> whole_;
  Preprocessing preprocessing_;
};

/// `whole` itself where its images have the size that `preprocessing` makes, else a Prepared of it.
/// Errors: as Prepared.
std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> whole,
                                        const Preprocessing& preprocessing);

}  // namespace fovea::data
