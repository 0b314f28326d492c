#pragma once

#include <memory>
#include <vector>

#include "fovea/data/transform.h"

namespace fovea::data {

/// A transform of images as one of clips [T,H,W,C]: applied to each frame with the same random
/// numbers, so that all frames move alike.
class EachFrame : public Transform {
 public:
  explicit EachFrame(std::shared_ptr<const Transform> of_images)
      : of_images_(std::move(of_images)) {}

  std::string text() const override { return of_images_->text(); }
  /// Errors: usage unless the input is a clip of such images.
  Type output(const Type& input) const override;
  Targets targets(const Targets& given) const override { return of_images_->targets(given); }
  bool frames() const override { return of_images_->frames(); }
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  std::shared_ptr<const Transform> of_images_;
};

/// Steps for images, as they are for samples of that type: for clips each that changes
/// frames is an EachFrame.
std::vector<std::shared_ptr<const Transform>> steps_for(
    const Type& input, std::vector<std::shared_ptr<const Transform>> steps);

/// Frame `t` of a clip [T,H,W,C], as an image that shares its memory with it.
Array frame(const Array& clip, int64_t t);

}  // namespace fovea::data
