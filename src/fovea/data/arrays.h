#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A data set of one's own in NumPy's files, `arrays:DIR`: x.npy and y.npy in DIR, and x_test.npy
/// and y_test.npy; where those are missing, a tenth of the samples, the same each time, are the
/// test set.
///
///   x   images u8[N,H,W,C] or u8[N,H,W], or numbers f32 or f64 [N,C,spatial...], with 0 to 3
///       spatial axes: as the net takes them, they are not normalised
///   y   classes, of an integer type [N], or numbers, f32 or f64 [N] or [N,K]
///
/// names.txt, a line each, names the classes or numbers; by default they are 0, 1, ... Errors:
/// data, naming the file and what is expected of it.
DataSets open_arrays(const std::filesystem::path& folder);

}  // namespace fovea::data
