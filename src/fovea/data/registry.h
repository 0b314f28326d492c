#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// The names open() knows: cifar10, cifar100, fashion-mnist, mnist.
std::vector<std::string> names();

/// Opens what --data names:
///
///   NAME       looked for in $FOVEA_DATA (by default ~/.cache/fovea/data), as a folder NAME in it,
///              as the folder the official archive unpacks to, or as that folder itself; then where
///              Debian's package puts it
///   NAME:DIR   in DIR (the folder of the files, or the one above it)
///
/// Errors: usage for an unknown name, with the nearest ones; data when the files are not there
/// (every place looked at, and how to get them) or are damaged (see idx.h, cifar.h).
DataSets open(std::string_view spec);

}  // namespace fovea::data
