#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"
#include "fovea/data/folder_index.h"

namespace fovea::data {

/// Images sorted into folders, one per class: DIR/CLASS/.../IMAGE, or DIR/SPLIT/CLASS/.../IMAGE
/// with the splits train, val (or valid, validation) and test. Classes are the names of those
/// folders in byte order, over all splits, numbered as in torchvision's ImageFolder; a class may
/// have no images. Files without a suffix of images and hidden files are ignored; symbolic links
/// are followed.
///
/// Without test/, the best model is also measured on val/; without either, a fixed, stratified
/// tenth of the images is held out for that.
///
/// Errors: data when the folder is missing or unreadable, has no images, fewer than two classes or
/// images beside the class folders; each names the folder and what was expected. `index` may know
/// names already, and learns them; null: a new one.
DataSets open_folder(const std::filesystem::path& folder,
                     std::shared_ptr<FolderIndex> index = nullptr);

/// ImageNet as published: train/SYNSET/IMAGE, and val/ either the same or flat, with a list:
/// val.txt ("ILSVRC2012_val_00000001.JPEG 65", classes counted from 0 in the order of the synsets)
/// or LOC_val_solution.csv, in `folder` or in val/. Classes are named by LOC_synset_mapping.txt
/// ("n01440764 tench, Tinca tinca") if it exists, else by their synsets. Errors: as open_folder;
/// data for a list that is missing, broken, or names an image that does not exist.
DataSets open_imagenet(const std::filesystem::path& folder,
                       std::shared_ptr<FolderIndex> index = nullptr);

}  // namespace fovea::data
