#pragma once

#include "fovea/data/transform.h"

/// The built-in transforms: each has one line here and in the table.
namespace fovea::data {

// Which part of an image is seen, and in which orientation.
TransformEntry crop_entry();
TransformEntry center_crop_entry();
TransformEntry random_resized_crop_entry();
TransformEntry letterbox_entry();
TransformEntry scale_jitter_entry();
TransformEntry mosaic_entry();
TransformEntry flip_entry();
TransformEntry vertical_flip_entry();
TransformEntry rotation_entry();
TransformEntry affine_entry();
TransformEntry perspective_entry();

// Colours and sharpness.
TransformEntry color_jitter_entry();
TransformEntry grayscale_entry();
TransformEntry gaussian_blur_entry();
TransformEntry sharpness_entry();
TransformEntry posterize_entry();
TransformEntry solarize_entry();
TransformEntry autocontrast_entry();
TransformEntry equalize_entry();
TransformEntry invert_entry();

// Erased parts.
TransformEntry erasing_entry();
TransformEntry cutout_entry();

// Sounds and other signals.
TransformEntry spec_augment_entry();
TransformEntry time_shift_entry();
TransformEntry time_crop_entry();

// Random choices among others.
TransformEntry rand_augment_entry();
TransformEntry trivial_augment_entry();

// Batches.
TransformEntry mixup_entry();
TransformEntry cutmix_entry();
TransformEntry noise_entry();

}  // namespace fovea::data
