#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A data set of your own in NumPy files, `arrays:DIR`: x.npy and y.npy (or train_x.npy and
/// train_y.npy) in DIR, and, optionally, x_val.npy and y_val.npy (val_x, val_y), x_test.npy and
/// y_test.npy (test_x, test_y). Without test files, the best model is also measured on those of
/// val; without either, a fixed tenth of the samples is the test set.
///
///   x   images u8 or u16, [N,H,W,C] or [N,H,W], or numbers f32 or f64 [N,C,spatial...], with 0 to
///   3
///       spatial axes: they go into the net without normalisation; any number of channels
///   y   classes, of an integer type [N], or numbers, f32 or f64 [N] or [N,K]
///
/// names.txt, one per line, names the classes or numbers; by default they are 0, 1, ... Errors:
/// data, naming the file and what it should contain.
DataSets open_arrays(const std::filesystem::path& folder);

/// `count` names of classes or numbers: the lines of names.txt in `folder` if it exists, which may
/// have more, or else 0, 1, ... Errors: data when it has fewer.
std::vector<std::string> class_names(const std::filesystem::path& folder, int64_t count);

}  // namespace fovea::data
