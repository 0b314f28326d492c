#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// The subsets of EMNIST: byclass, bymerge, balanced, letters, digits, mnist.
std::vector<std::string> emnist_subsets();

/// The files of one: "emnist-letters-train-images-idx3-ubyte", ...
std::vector<std::string> emnist_files(const std::string& subset);

/// EMNIST as published: 28x28 images, stored transposed and turned upright here, in IDX files that
/// begin with emnist-SUBSET. Classes are digits and letters as they are written; in bymerge and
/// balanced fifteen lower-case letters count as their capitals, and letters has both as one.
/// `subset` "": the one that `folder` holds. Errors: data, as open_idx_folder; usage when the
/// folder holds several subsets, or the name is unknown.
DataSets open_emnist(const std::filesystem::path& folder, const std::string& subset = "");

}  // namespace fovea::data
