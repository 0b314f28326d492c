#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fovea/graph/graph.h"

namespace fovea {

/// The views of an image whose outputs are averaged (test-time augmentation). Without any choice
/// there is one, the image itself.
struct TestViews {
  bool flip = false;  ///< also mirrored left to right: twice as many
  /// Also moved by one pixel up and left, and by one down and right, borders reflected: three times
  /// as many.
  bool shift = false;

  bool operator==(const TestViews&) const = default;

  /// "flip", "shift", or both with a comma between them; "" is one view. Errors: usage for another
  /// word.
  static TestViews parse(std::string_view text);
  std::string text() const;
  int64_t count() const { return (flip ? 2 : 1) * (shift ? 3 : 1); }

  /// All views of images [N, C, H, W], one view of all images after the other: [count N, C, H, W].
  /// Errors: usage when there are several views and the input is no image, or below 2x2 pixels.
  Tensor of(const Tensor& images) const;
  /// The mean over the views of what a model gave for them: [count N, ...] to [N, ...].
  Tensor averaged(const Tensor& outputs) const;
};

}  // namespace fovea
