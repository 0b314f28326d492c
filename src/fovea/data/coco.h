#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images with boxes as COCO publishes them: DIR/annotations/instances_NAME.json and the images of
/// its file_names in DIR/NAME or DIR/images/NAME. NAME begins with "train", "val" or "test" and
/// says which split it is: instances_train2017.json and train2017/.
///
/// Of the JSON images (id, file_name, width, height), annotations (image_id, category_id, bbox as
/// [x, y, width, height], area, iscrowd, id) and categories (id, name) are read, whatever their
/// order, as a stream: outlines and the rest take no memory. Classes are the categories in the
/// order of their ids, which may have gaps and are kept (see Targets::ids); those of other splits
/// must be among those of the training split. A crowd is a region that does not count. Images
/// without annotations have no boxes.
///
/// Errors: data when files or folders are missing, a file is no JSON or lacks one of these, an id
/// occurs twice or is unknown; when a sample is read, for a box that is empty or outside of its
/// image and an image of another size than stated. Each names the file and the id.
DataSets open_coco(const std::filesystem::path& folder);

/// The ids of the images in a file of annotations by their file names, "train/17.jpg". Errors: data
/// as open_coco, or when two images have one file name.
std::map<std::string, int64_t> read_coco_images(const std::filesystem::path& file);

}  // namespace fovea::data
