#pragma once

#include "fovea/core/array.h"

// Colours and sharpness of images as arrays u8 or u16 [H,W,C], changed in place. For u8 the same
// bytes as torchvision's functions of these names for Pillow images, gaussian_blur within 1; for
// u16 the same formulas with a white of 65535. They take any number of channels unless stated
// otherwise. Errors of all: usage when the array is not an image.
namespace fovea {

/// Between black (0), the image (1) and brighter ones (above 1).
void adjust_brightness(Array& image, double factor);
/// Between the image's mean gray (0), the image (1) and more contrast (above 1). Unless there are 1
/// or 3 channels, the mean is that of all values.
void adjust_contrast(Array& image, double factor);
/// Between gray (0), the image (1) and more vivid ones (above 1); for 3 channels, others stay
/// unchanged.
void adjust_saturation(Array& image, double factor);
/// Rotates the hue by `shift` of a full turn, -0.5 to 0.5; for 3 channels, others stay unchanged.
void adjust_hue(Array& image, double shift);
/// Between smooth (0), the image (1) and sharper ones (above 1). The border of one pixel stays
/// unchanged.
void adjust_sharpness(Array& image, double factor);

/// All three channels become the gray value (see to_gray); other channel counts stay unchanged.
void grayscale(Array& image);
/// White (255 or 65535) - value.
void invert(Array& image);
/// Keeps the upper `bits` of each value, 0 to 8.
void posterize(Array& image, int bits);
/// Inverts values of at least `threshold`, where 255 is white in u16, too.
void solarize(Array& image, double threshold);
/// Stretches each channel so that its darkest value is 0 and its brightest white.
void autocontrast(Array& image);
/// Equalises the histogram of each channel as far as a mapping of values can.
void equalize(Array& image);

/// Weighted by exp(-d^2 / (2 sigma^2)) over `size` x `size` pixels around each, mirrored at the
/// border. Errors: usage when size is not odd or sigma not above 0.
void gaussian_blur(Array& image, int size, double sigma);

}  // namespace fovea
