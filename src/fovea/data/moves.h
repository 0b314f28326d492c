#pragma once

#include "fovea/data/sample.h"
#include "fovea/images/geometry.h"
#include "fovea/images/preprocessing.h"

// Moves of a sample: its image, u8 or u16 [H,W,C], and what of its target lies in the image, in the
// same way. The pixels of a mask are never mixed, and what enters from beyond its border is 0, the
// unknown class. A box becomes the box around its moved corners, clipped at the border, and is
// removed if too little of it is left (see visible in boxes.h). Other targets stay unchanged. A
// target that is moved may still share memory with others: it is replaced, not written to. Errors:
// those of the functions of images of the same name.
namespace fovea::data {

void flip(Sample& sample);
void vertical_flip(Sample& sample);
/// As fovea::crop. Boxes do not repeat where the image does.
void crop(Sample& sample, int64_t top, int64_t left, int64_t height, int64_t width,
          PaddingMode outside = PaddingMode::zeros);
/// As fovea::warp; `filter` is for the image.
void warp(Sample& sample, const Matrix3& matrix, Filter filter);
/// As fovea::prepare.
void prepare(Sample& sample, const Preprocessing& preprocessing);
/// As fovea::resize; bilinear.
void resize(Sample& sample, int height, int width);
/// As fovea::letterbox, with bars of `value` beside the image.
void letterbox(Sample& sample, int height, int width, uint8_t value);

/// An image of height x width of the same kind as `like`, filled with `value`, 0 to 255 whatever
/// the depth. Of its target nothing is known: a mask of 0, or no boxes, with `times` the room that
/// `like` has for them; other targets are that of `like`.
Sample blank(int64_t height, int64_t width, uint8_t value, const Sample& like, int64_t times = 1);
/// Pastes another sample, image and target, over a part of this one with its top left at (top,
/// left), of which any part may lie outside. Boxes are added to those that are there. Errors: usage
/// when depths or channels differ; internal when there is no room for the boxes.
void paste(Sample& sample, const Sample& other, int64_t top, int64_t left);

}  // namespace fovea::data
