#pragma once

#include <string>
#include <string_view>

#include "fovea/data/transform.h"

// What transforms share that place images, scaled, in a frame of the net's size.
namespace fovea::data {

/// Frames at the net's size: images are decoded at the size that a scale of up to `largest` needs,
/// 1 being that of an image that just fits.
class Placing : public Transform {
 public:
  Placing(std::string text, double largest) : text_(std::move(text)), largest_(largest) {}

  std::string text() const override { return text_; }
  /// Errors: usage unless the input is an image of 1 or 3 channels.
  Type output(const Type& input) const override;
  bool frames() const override { return true; }
  MinimumSize minimum_size(const MinimumSize& wanted) const override;

 private:
  std::string text_;
  double largest_;
};

/// The sample, scaled by `scale` times what makes it just fit into height x width.
Sample fitted(Sample sample, int64_t height, int64_t width, double scale);

}  // namespace fovea::data
