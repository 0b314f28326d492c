#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fovea/data/boxes.h"
#include "fovea/tasks/metric.h"

// How well boxes are found: COCO's average precision, equal to that of pycocotools.
namespace fovea::tasks {

/// A box that a net found.
struct FoundBox {
  data::ClassBox box;
  double score = 0;  ///< larger: more certain
};

/// What was found in an image, and what is in it.
struct FoundInImage {
  std::vector<FoundBox> found;
  std::vector<data::ClassBox> boxes;
  /// Of each of `boxes`, if not that of the box itself: COCO's is that of the object's outline.
  std::vector<double> areas = {};
};

/// What counts in an average precision; by default all that COCO's first number is of.
struct PrecisionOptions {
  /// A box is right if its intersection over union with one of its class is at least this; the mean
  /// over several thresholds. Default: 0.5, 0.55, ..., 0.95.
  std::vector<double> thresholds = coco_thresholds();
  /// In pixels: boxes that are smaller or larger are neither targets nor, where they are found,
  /// mistakes.
  double min_area = 0, max_area = 1e10;
  int64_t most = 100;  ///< of an image's found boxes of a class, those with the highest scores

  static std::vector<double> coco_thresholds();
};

/// The average precision of each of `classes` classes over all images together: the mean of the
/// precision at the recalls 0, 0.01, ..., 1, where the precision at a recall is the largest at it
/// or above. Boxes with equal scores count in the order of the images, and in an image in their
/// own. Found boxes that match regions that do not count are no mistakes. NaN for a class of which
/// there are no boxes.
std::vector<double> average_precisions(const std::vector<FoundInImage>& images, int64_t classes,
                                       const PrecisionOptions& options = {});

/// The mean over the classes that have one; none if there are none.
std::optional<double> mean_precision(const std::vector<double>& precisions);

/// COCO's metrics: map; map50 and map75, at one threshold; map_small, map_medium and map_large, of
/// objects of less than 32^2, up to 96^2 and more pixels; and the average precision of each class.
/// Boxes are compared in the picture as it is in its file, as far as the data set knows it (see
/// data::BoxedPicture).
/// `found` builds the boxes that the net found: f32[N,D,6], rows (x1, y1, x2, y2, score, class) of
/// which those with a class below 0 are absent. Targets are boxes f32[N,M,5].
std::vector<Metric> precision_metrics(
    const std::vector<std::string>& classes,
    const std::function<Tensor(const Tensor& output, const Tensor& target)>& found);

}  // namespace fovea::tasks
