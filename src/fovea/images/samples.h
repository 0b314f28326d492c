#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/error.h"
#include "fovea/images/image.h"

// Images as arrays u8 or u16 [H,W,C]: their samples, and conversion from and to pictures.
namespace fovea {

/// Calls action(the samples of `image`), as a span of uint8_t or uint16_t. Errors: usage, naming
/// `who`, when it is not an image.
template <class Action>
void with_samples(std::string_view who, Array& image, const Action& action) {
  if (image.shape().rank() == 3 && image.numel() > 0) {
    if (image.dtype() == DType::u8) return action(image.data<uint8_t>());
    if (image.dtype() == DType::u16) return action(image.data<uint16_t>());
  }
  throw Error(ErrorKind::usage, std::string(who) + " needs images u8 or u16 [H, W, C]")
      .with("found", describe(image));
}

/// An array of 1, 3 or 4 channels as a picture. Errors: as with_samples.
AnyImage to_picture(const Array& image);

template <class Sample>
Array to_array(const BasicImage<Sample>& image) {
  return Array::of(image.pixels, {image.height, image.width, image.channels});
}

/// The result of `change`, which gets an array as a picture, an Image or Image16, and returns one
/// of the same kind. Errors: as with_samples.
template <class Change>
Array changed_picture(const Array& image, const Change& change) {
  return std::visit([&](const auto& picture) { return to_array(change(picture)); },
                    to_picture(image));
}

}  // namespace fovea
