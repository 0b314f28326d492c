#include "fovea/predict/views.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/flip.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {

TestViews TestViews::parse(std::string_view text) {
  TestViews views;
  if (text.empty() || text == "none") return views;
  for (const std::string& word : split(text, ',')) {
    bool* chosen = word == "flip" ? &views.flip : word == "shift" ? &views.shift : nullptr;
    if (chosen == nullptr || *chosen) {
      throw Error(ErrorKind::usage, fmt::format("tta: \"{}\" is not a choice of views", text))
          .with("expected", "none, flip, shift, or flip,shift");
    }
    *chosen = true;
  }
  return views;
}

std::string TestViews::text() const {
  if (count() == 1) return "none";
  return std::string(flip ? "flip" : "") + (flip && shift ? "," : "") + (shift ? "shift" : "");
}

Tensor TestViews::of(const Tensor& images) const {
  if (count() == 1) return images;
  if (images.rank() != 4 || images.dim(2) < 2 || images.dim(3) < 2) {
    throw Error(ErrorKind::usage, "views need images [N, C, H, W] of at least 2x2 pixels")
        .with("found", to_string(images.type()));
  }
  Tensors all{images};
  if (shift) {
    const int64_t h = images.dim(2), w = images.dim(3);
    const Tensor padded = pad(images, 1, PadMode::reflect);
    for (const int64_t at : {2, 0}) {
      all.push_back(slice(slice(padded, 2, at, at + h), 3, at, at + w));
    }
  }
  if (flip) {
    const Tensors straight = all;
    for (const Tensor& view : straight) all.push_back(fovea::flip(view, {3}));
  }
  return concat(all, 0);
}

Tensor TestViews::averaged(const Tensor& outputs) const {
  if (count() == 1) return outputs;
  const Shape one = Shape{outputs.dim(0) / count()}.concat(outputs.shape().slice(1));
  if (outputs.rank() == 4) {  // maps: what a view sees has to be put back in its place
    if (shift) {
      throw Error(ErrorKind::usage, "views: shift is not for outputs with a value for each pixel")
          .with("output", to_string(outputs.type()))
          .with("try", "--tta flip");
    }
    const Tensors straight_and_flipped = split(outputs, {one[0], one[0]}, 0);
    return 0.5 * straight_and_flipped[0] + 0.5 * fovea::flip(straight_and_flipped[1], {3});
  }
  const Tensor views = reshape(outputs, Shape{count()}.concat(one));
  if (!shift) return mean(views, {0});
  // Per direction: straight, up left, down right.
  const int64_t directions = count() / 3;
  const Tensor each = reshape(views, Shape{directions, 3}.concat(one));
  const Tensor straight = mean(slice(each, 1, 0, 1), {0, 1});
  const Tensor shifted = mean(slice(each, 1, 1, 3), {0, 1});
  return 0.5 * straight + 0.5 * shifted;
}

}  // namespace fovea
