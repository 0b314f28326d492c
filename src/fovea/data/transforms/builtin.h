#pragma once

#include "fovea/data/transform.h"

/// The built-in transforms: one file and one line here each.
namespace fovea::data {

TransformEntry crop_entry();
TransformEntry flip_entry();
TransformEntry mixup_entry();

}  // namespace fovea::data
