#pragma once

#include <string>

#include "fovea/data/modality.h"
#include "fovea/data/sample.h"
#include "fovea/images/image.h"

// Samples for people.
namespace fovea::data {

/// An input as a picture, RGB of 8 bits: an image u8 or u16 [H,W,1 or 3], or what a modality makes
/// of others; of bare numbers as numbers_picture.
Image input_picture(const Array& input, const Modality* modality);

/// Numbers f32 [C, spatial...] of which nothing more is known, with the smallest black and the
/// largest white: of one spatial axis as curves, of two as an image, of three the slices through
/// the middle. With a map of an explanation over it, as Modality::picture; null: none.
Image numbers_picture(const Array& values, const Array* map = nullptr);

/// The image of a sample, u8 or u16 [H,W,1 or 3], or what its modality draws, with its mask over it
/// or its boxes and their
/// classes' names on it, if the target is one of these. A small image with boxes is enlarged, so
/// that the names can be read.
Image sample_picture(const Array& input, const Array& target, const Targets& targets,
                     const Modality* modality = nullptr);

/// `picture`, which is what a modality draws of a volume, with the classes of its voxels over it:
/// the same slices of `mask` [D, H, W] or [D, H, W, 1], 1 + the class or 0, of so many classes.
Image volume_overlay(const Image& picture, const Array& mask, int classes);

/// A target in words: the class, the labels that apply, shares of classes, the numbers, or the
/// classes of a mask with their shares, the largest first, or those of boxes: "bag x2, coat".
std::string target_text(const Array& target, const Targets& targets);

}  // namespace fovea::data
