#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A sample of one of the splits of a data set.
struct SampleRef {
  std::string split;  ///< "train", "val" or "test"
  int64_t index = 0;
  std::string name;   ///< see Dataset::name
  std::string label;  ///< of its class; "" if targets are not classes
};

/// What is wrong with one sample.
struct SampleProblem {
  SampleRef sample;
  std::string problem;
};

/// Samples that are the same, or look alike.
struct Duplicates {
  bool exact = true;    ///< the same input, number by number
  bool across = false;  ///< in more than one split: what is trained on is also measured
  bool labels_differ = false;
  std::vector<SampleRef> samples;
};

/// The samples of one size.
struct SizeCount {
  Shape shape;  ///< of the input
  int64_t count = 0;
};

/// The volumes whose voxels are as far apart, up to 1 %.
struct SpacingCount {
  std::array<double, 3> spacing;  ///< mm along depth, height and width; 0: not known
  int64_t count = 0;
};

struct CheckOptions {
  /// Pictures are near duplicates if their perceptual hashes differ in at most this many of 64
  /// bits, 0 to 8, and their small gray versions correlate by at least `correlation`; none are
  /// looked for if it is negative.
  int distance = 6;
  double correlation = 0.996;
  std::function<void(int64_t done, int64_t all)> progress = nullptr;
  std::stop_token stop = {};
};

/// The result of `check`.
struct Report {
  std::map<std::string, int64_t> counts;    ///< of samples, by split
  std::vector<SampleProblem> broken;        ///< cannot be read, or hold numbers that are not finite
  std::vector<SampleProblem> wrong_suffix;  ///< files in another format than their name says
  std::vector<Duplicates> duplicates;       ///< across splits first, then exact ones
  std::vector<SampleProblem> repeated_boxes;  ///< the same box twice in an image
  /// Samples of each class, or boxes of it, by name and split; empty if targets are neither.
  std::vector<std::pair<std::string, std::map<std::string, int64_t>>> classes;
  std::vector<SizeCount> sizes;             ///< most frequent first
  std::vector<SampleProblem> odd_sizes;     ///< much smaller, larger or longer than the others
  std::vector<SpacingCount> spacings;       ///< of volumes that say it, most frequent first
  std::vector<SampleProblem> odd_spacings;  ///< all but the most frequent
  /// Of volumes in files: how many had their axes in which directions, such as "LPS", before they
  /// were turned; "" for those that do not say. Empty if none says it.
  std::map<std::string, int64_t> orientations;
  std::vector<SampleProblem> unoriented;   ///< those that do not say, if others do
  std::optional<ChannelStats> statistics;  ///< of the training images that can be read

  bool counts_boxes = false;  ///< whether `classes` counts boxes

  /// The largest class of the training split divided by the smallest; none without classes,
  /// infinite if one has no sample.
  std::optional<double> imbalance() const;
};

/// Reads every sample of all splits once, on all threads, and finds what is wrong. Memory: about
/// 350 bytes per sample. A stop request ends it early with a report of what was read.
Report check(const DataSets& sets, const CheckOptions& options = {});

}  // namespace fovea::data
