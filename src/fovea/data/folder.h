#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images sorted into folders, one per class: DIR/CLASS/.../IMAGE, or DIR/SPLIT/CLASS/.../IMAGE
/// with the splits train, val (or valid, validation) and test. Classes are the names of those
/// folders in byte order, of all splits together, as torchvision's ImageFolder numbers them; one
/// without images is allowed. Files whose names do not end as images' do, and hidden ones, are not
/// looked at; symbolic links are followed.
///
/// Without test/, val/ is also what the best model is measured on; without either, one image in
/// ten is held out for that, of each class its share, the same ones every time.
///
/// Errors: data when the folder is missing or unreadable, has no images, fewer than two classes or
/// images beside the classes' folders; names the folder and what was expected.
DataSets open_folder(const std::filesystem::path& folder);

/// ImageNet as it is published: train/SYNSET/IMAGE, and val/ either the same or flat, with its
/// list: val.txt ("ILSVRC2012_val_00000001.JPEG 65", classes counted from 0 in the order of the
/// synsets) or LOC_val_solution.csv, in `folder` or in val/. Classes are named by
/// LOC_synset_mapping.txt ("n01440764 tench, Tinca tinca") where it is there, else by their
/// synsets. Errors: as open_folder; data for a list that is missing, broken, or names an image that
/// is not there.
DataSets open_imagenet(const std::filesystem::path& folder);

}  // namespace fovea::data
