#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images with boxes in the form of YOLO: beside each image of a folder "images" a text in the
/// folder "labels" in its place, images/train/1.jpg and labels/train/1.txt (or, where no folder is
/// called "images", beside the image itself). An image without such a text has no boxes. A line is
/// a box: the class's number, and x and y of the centre, width and height as fractions of the
/// image's; or an outline, the number and x and y of three points or more, which becomes the box
/// around it.
///
/// The splits and the classes' names are in DIR/data.yaml (see data_yaml.h): "train", "val" and
/// "test" are folders of images or .txt files that list images, relative to "path" or to DIR.
/// Without it there are DIR/images and DIR/labels or, for each split, images/SPLIT or SPLIT/images
/// ("valid" is also "val"); names are the lines of DIR/classes.txt, or else the numbers up to the
/// largest one.
///
/// Errors: data when folders or images are missing, data.yaml or a list is malformed, a class has
/// no name, or no image has a text; when a sample is read, for lines that are not boxes, boxes that
/// are empty or outside of the image, and images that cannot be read. Each names the file and the
/// line.
DataSets open_yolo(const std::filesystem::path& folder);

}  // namespace fovea::data
