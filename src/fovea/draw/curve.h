#pragma once

#include "fovea/core/array.h"
#include "fovea/images/image.h"

namespace fovea::draw {

/// Signals f32 [C, T] as curves, one below the other, each scaled to its own range: a column shows
/// all values that lie in it, so that no peak is lost. With a map over them, f32 [T'] of any length
/// with values from 0 to 1, which colours what lies behind; null: none. Of many channels the first
/// 8 are drawn. Errors: usage for another dtype or rank, or without values.
Image curve_image(const Array& signals, const Array* map = nullptr);

}  // namespace fovea::draw
