#pragma once

#include <optional>

#include "fovea/core/array.h"
#include "fovea/explain/methods.h"
#include "fovea/images/preprocessing.h"

namespace fovea::explain {

/// A map f32 [H, W] as it is drawn, from 0 to 1: of a cam the smallest and largest value become 0
/// and 1; of saliency, where few pixels stand out, 0 and the value that 1 % exceed, with negative
/// ones (what speaks against the class) at 0. The same value everywhere becomes 0.
Array drawn_map(const Array& map, Family family);

/// A map of 0 to 1 for a network's input, laid over the picture that it was prepared from, at the
/// picture's own size. What the network does not see is shown pale.
Image overlay(const Image& picture, const Array& map,
              const std::optional<Preprocessing>& preprocessing = std::nullopt);

}  // namespace fovea::explain
