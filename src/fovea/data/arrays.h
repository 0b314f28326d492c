#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A data set of your own in NumPy files, `arrays:DIR`: x.npy and y.npy in DIR, and x_test.npy and
/// y_test.npy; without those, a fixed tenth of the samples is the test set.
///
///   x   images u8[N,H,W,C] or u8[N,H,W], or numbers f32 or f64 [N,C,spatial...], with 0 to 3
///       spatial axes: they go into the net without normalisation
///   y   classes, of an integer type [N], or numbers, f32 or f64 [N] or [N,K]
///
/// names.txt, one per line, names the classes or numbers; by default they are 0, 1, ... Errors:
/// data, naming the file and what it should contain.
DataSets open_arrays(const std::filesystem::path& folder);

}  // namespace fovea::data
