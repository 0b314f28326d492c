#pragma once

#include <filesystem>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/dataset.h"
#include "fovea/data/volume.h"

namespace fovea::data {

/// The options of the data set volumes:DIR: size, channels.
std::vector<Argument> volume_options();

/// Volumes (see VolumeModality) with classes, sorted into folders (see open_class_folders), or with
/// the class of each voxel: DIR/images/NAME.nii.gz and DIR/labels/NAME.nii.gz (.nii and .npy too),
/// below DIR itself or below DIR/train and, if they exist, DIR/val and DIR/test. A volume of labels
/// has the size of its image and whole numbers: the classes from 0 to the largest in any, named by
/// their numbers or by the lines of DIR/names.txt; 255 does not count. What of the input lies
/// beside its volume does not count either. Labels of a file without orientation lie as the stored
/// voxels of their image do, and beside an image without one they are not turned either. Without a
/// size, that of the first volume is taken.
///
/// Errors: as open_class_folders and VolumeModality; data when an image has no labels or labels no
/// image, or there are no volumes; when a sample is read, for labels of another size or with other
/// numbers.
DataSets open_volumes(const std::filesystem::path& folder, const Arguments& options);

}  // namespace fovea::data
