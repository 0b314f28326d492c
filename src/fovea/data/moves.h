#pragma once

#include "fovea/data/sample.h"
#include "fovea/images/geometry.h"
#include "fovea/images/preprocessing.h"

// Moves of a sample: its image, u8 or u16 [H,W,C], and what of its target lies in the image, in the
// same way. The pixels of a mask are never mixed, and what enters from beyond its border is 0, the
// unknown class; other targets stay unchanged. A target that is moved may still share memory with
// others: it is replaced, not written to. Errors: those of the functions of images of the same
// name.
namespace fovea::data {

void flip(Sample& sample);
void vertical_flip(Sample& sample);
/// As fovea::crop.
void crop(Sample& sample, int64_t top, int64_t left, int64_t height, int64_t width,
          PaddingMode outside = PaddingMode::zeros);
/// As fovea::warp; `filter` is for the image.
void warp(Sample& sample, const Matrix3& matrix, Filter filter);
/// As fovea::prepare.
void prepare(Sample& sample, const Preprocessing& preprocessing);
/// As fovea::letterbox, with bars of `value` beside the image.
void letterbox(Sample& sample, int height, int width, uint8_t value);

}  // namespace fovea::data
