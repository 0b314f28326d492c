#include "fovea/data/moves.h"

#include "fovea/data/transforms/flip.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

/// Replaces the mask, if there is one, by what `move` makes of it.
template <class Move>
void move_mask(Sample& sample, const Move& move) {
  if (is_mask({sample.target.dtype(), sample.target.shape()})) sample.target = move(sample.target);
}

Array flipped(const Array& mask, void (*change)(Array&)) {
  Array copy = mask.clone();
  change(copy);
  return copy;
}

}  // namespace

void flip(Sample& sample) {
  flip(sample.input);
  move_mask(sample, [](const Array& mask) { return flipped(mask, flip); });
}

void vertical_flip(Sample& sample) {
  vertical_flip(sample.input);
  move_mask(sample, [](const Array& mask) { return flipped(mask, vertical_flip); });
}

void crop(Sample& sample, int64_t top, int64_t left, int64_t height, int64_t width,
          PaddingMode outside) {
  sample.input = fovea::crop(sample.input, top, left, height, width, outside);
  move_mask(sample, [&](const Array& mask) {
    return fovea::crop(mask, top, left, height, width, outside);
  });
}

void warp(Sample& sample, const Matrix3& matrix, Filter filter) {
  sample.input = fovea::warp(sample.input, matrix, filter);
  move_mask(sample, [&](const Array& mask) { return fovea::warp(mask, matrix, Filter::nearest); });
}

void prepare(Sample& sample, const Preprocessing& preprocessing) {
  sample.input = changed_picture(
      sample.input, [&](const auto& image) { return fovea::prepare(image, preprocessing); });
  move_mask(sample, [&](const Array& mask) {
    Preprocessing own = preprocessing;
    own.channels = 1;
    own.mean = {0};
    own.std = {1};
    own.filter = Filter::nearest;
    if (own.letterbox) own.letterbox = 0;
    return changed_picture(mask, [&](const auto& image) { return fovea::prepare(image, own); });
  });
}

void letterbox(Sample& sample, int height, int width, uint8_t value) {
  sample.input = changed_picture(sample.input, [&](const auto& image) {
    return fovea::letterbox(image, height, width, value, Filter::bilinear);
  });
  move_mask(sample, [&](const Array& mask) {
    return changed_picture(mask, [&](const auto& image) {
      return fovea::letterbox(image, height, width, 0, Filter::nearest);
    });
  });
}

}  // namespace fovea::data
