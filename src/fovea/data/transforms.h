#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/core/random.h"

namespace fovea::data {

/// The sides of a u8[H,W,C] image.
struct ImageSize {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
};

/// Pads by `pad` zeros (black) on each side, then cuts the original size out of it: each of the
/// (2 pad + 1)^2 offsets is equally likely.
struct RandomCrop {
  int64_t pad = 4;
  void operator()(const ImageSize& size, std::span<uint8_t> image, Random& random) const;
};

/// Mirrors left and right with probability `p`.
struct RandomFlip {
  double p = 0.5;
  void operator()(const ImageSize& size, std::span<uint8_t> image, Random& random) const;
};

/// What is done to a training image before the net sees it, in order; none by default.
class Augmentation {
 public:
  using Step = std::variant<RandomCrop, RandomFlip>;

  Augmentation() = default;
  explicit Augmentation(std::vector<Step> steps) : steps_(std::move(steps)) {}

  /// Reads the text of --augment: `none`, `standard` (crop:4,flip:0.5), or a comma list of
  /// `crop[:PAD]` (default 4) and `flip[:P]` (default 0.5). Errors: usage, listing what there is.
  static Augmentation parse(std::string_view text);

  /// The text that parse reads back to the same steps: "crop:4,flip:0.5", "none".
  std::string text() const;

  bool empty() const { return steps_.empty(); }

  /// Errors: usage when a step cannot be done to images of this size (a crop that could miss the
  /// image).
  void check(const ImageSize& size) const;

  /// Changes `image` in place; draws from `random` alone.
  void operator()(const ImageSize& size, std::span<uint8_t> image, Random& random) const;

 private:
  std::vector<Step> steps_;
};

/// The image moved by `down` rows and `right` columns (negative: up, left); what comes in is zero.
void shift(const ImageSize& size, std::span<uint8_t> image, int64_t down, int64_t right);

/// The image mirrored left and right.
void flip(const ImageSize& size, std::span<uint8_t> image);

}  // namespace fovea::data
