#pragma once

#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/data/modality.h"

namespace fovea::cli {

/// The files that models take as arguments, for help.
inline const std::string file_kinds =
    "PNG, JPEG or WebP images, or what the model takes: WAV sounds, series in .ts, .tsv or .csv, "
    "clips (folders of frames, .npy), volumes (.nii, .nii.gz, .npy); and folders of them";

/// The files that an argument names: itself, or all in a folder and those below it that a model can
/// take, sorted: pictures, or what its modality reads. Errors: data when a folder cannot be read or
/// has none.
std::vector<std::string> files_of(const std::string& argument, const data::Modality* modality);

/// Checks the array of --input: f32 N, C, spatial with the channels and axes of `takes` (C,
/// spatial). Raw input has no preprocessing to make it fit; sizes may be any that the net takes,
/// which says itself what it cannot. Errors: usage.
void check_input(const Array& input, const Shape& takes, const std::string& path);

/// `text` as part of a file's name: letters, digits, dots and dashes are kept, others become "_".
std::string file_word(std::string text);

}  // namespace fovea::cli
