#pragma once

#include <filesystem>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images with boxes as Pascal VOC has them, in DIR, DIR/VOC2012 or DIR/VOCdevkit/VOC2012 (or of
/// another year): Annotations/ID.xml, JPEGImages/ID.jpg (or any other format), and the splits in
/// ImageSets/Main: train.txt or else trainval.txt, val.txt and test.txt, with an ID at the
/// beginning of each line. Without them all annotations are for training.
///
/// Of an annotation size and each object's name, bndbox and difficult are read. xmin, ymin, xmax
/// and ymax count pixels from 1, the last one included: a box is (xmin - 1, ymin - 1, xmax, ymax).
/// Difficult objects are regions that do not count. Classes are the lines of DIR/classes.txt, or
/// else all names that occur in annotations, in byte order.
///
/// Errors: data when folders or images are missing, or an object's class is not in classes.txt;
/// when a sample is read, for an annotation that is missing, no XML, larger than 16 MiB or lacks
/// one of these, a box that is empty or outside of the image, and an image of another size than
/// stated. Each names the file and the line.
DataSets open_voc(const std::filesystem::path& folder);

}  // namespace fovea::data
