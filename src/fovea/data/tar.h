#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images in tar files, as WebDataset writes them: members whose names are equal up to the first
/// dot belong to one sample and follow each other: an image (.jpg, .jpeg, .png or .webp) and its
/// class, .cls (a number or a name) or .json (an object with a number or name "cls", "label" or
/// "class"); other members are ignored. `pattern` is one file, several with {000..009}, {a,b}, * or
/// ? in it, or a folder, whose .tar files it means. Files that begin with train, val (valid,
/// validation) and test are those splits, others are to train on. Numbered classes are named by
/// names.txt beside the tar files, one per line, or else 0, 1, ...; named classes are sorted.
///
/// Opening reads the headers only; images are read where they are, so that memory does not grow.
/// An epoch goes through the files in random order (see Sampling), and a split divides entire files
/// between training and validation. Without test files, the best model is also measured on those of
/// val; without either, on a tenth of the files, or of the samples of a single one.
///
/// Errors: data, naming the file and the offset, when one is missing or damaged, or a sample has no
/// image, two, or no class.
DataSets open_tar(const std::filesystem::path& pattern);

}  // namespace fovea::data
