#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"
#include "fovea/data/folder_index.h"

namespace fovea::data {

/// Images sorted into folders, one per class (see open_class_folders): DIR/CLASS/.../IMAGE, or
/// DIR/SPLIT/CLASS/.../IMAGE. Errors: as open_class_folders.
DataSets open_folder(const std::filesystem::path& folder,
                     std::shared_ptr<FolderIndex> index = nullptr);

/// Images anywhere below a folder, or below its folders train, val (or valid, validation) and test,
/// without targets: for what is learned of inputs alone. Errors: data when the folder is missing or
/// unreadable, or a part of it has no images.
DataSets open_images(const std::filesystem::path& folder,
                     std::shared_ptr<FolderIndex> index = nullptr);

/// ImageNet as published: train/SYNSET/IMAGE, and val/ either the same or flat, with a list:
/// val.txt ("ILSVRC2012_val_00000001.JPEG 65", classes counted from 0 in the order of the synsets)
/// or LOC_val_solution.csv, in `folder` or in val/. Classes are named by LOC_synset_mapping.txt
/// ("n01440764 tench, Tinca tinca") if it exists, else by their synsets. Errors: as open_folder;
/// data for a list that is missing, broken, or names an image that does not exist.
DataSets open_imagenet(const std::filesystem::path& folder,
                       std::shared_ptr<FolderIndex> index = nullptr);

}  // namespace fovea::data
