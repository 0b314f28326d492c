#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images and the masks of their pixels' classes: DIR/images/NAME.jpg (or any other format) and
/// DIR/masks/NAME.png, below DIR itself or below DIR/train and, if they exist, DIR/val and
/// DIR/test.
///
/// A mask is a PNG of the image's size: the indices of a palette, grey levels, or colours. Which
/// value is which class is in DIR/classes.csv, a table with the columns
///
///   name              of the class; "ignore" for pixels that do not count
///   value             the index or grey level; or
///   red, green, blue  the colour
///
/// Without that table every value is a class, from 0 to the largest one in any mask, named by its
/// number, and 255 does not count; if there are no other values than 0 and 255, both are classes.
/// Masks that cannot be read are left out there.
///
/// Errors: data when folders or masks are missing, a mask has no image, two images differ only in
/// their suffix, the table is malformed, or there are no classes; when a sample is read, for a mask
/// that is damaged, not a PNG, of a different size than its image, or has a value without a class.
DataSets open_masks(const std::filesystem::path& folder);

}  // namespace fovea::data
