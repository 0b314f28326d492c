#pragma once

#include "fovea/core/arguments.h"
#include "fovea/tasks/detection_coding.h"
#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The boxes found in an image, by descending score.
struct BoxesPrediction : Prediction {
  /// One of them, in pixels of the net's input, or of the picture once that is known.
  struct Found {
    int64_t label = 0;  ///< 1 + the index of its class; 0 for the background, which nets that have
                        ///< a sigmoid for it may find
    double score = 0;
    double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  };
  std::vector<Found> boxes;
  std::vector<std::string> names;  ///< of the classes
  std::vector<int64_t> ids = {};   ///< see data::Targets::ids

  const std::string& name_of(const Found& box) const;
  std::string text() const override;  ///< a line per box: class, score, and x, y, width, height
  /// {"boxes": [{"class": ..., "score": ..., "box": [x, y, width, height]}, ...]}
  Json json() const override;
  Cells cells() const override;  ///< how many, and all of them as one text
  void place(const InputPlace& place) override;
  /// "boxes", with names and scores. The surest are those with at least half of the highest score
  /// in the picture: thresholds of nets are low, so that precision can be measured at high recalls.
  std::vector<PredictedPicture> pictures(const ShownInput& shown) const override;
  /// "boxes" f32[N,4] as x1, y1, x2, y2, "scores" f32[N] and "labels" i64[N].
  std::vector<std::pair<std::string, Array>> arrays() const override;
  std::optional<Json> coco(int64_t image) const override;
};

/// Boxes of objects and their classes: targets f32[M,5] (see data::is_boxes), outputs of nets that
/// end in a detection head (see ops/detection.h), whose logits are of the background and the
/// classes. The loss is that of the net's kind (see detection_loss). Metrics: COCO's mean average
/// precisions (see precision_metrics) and the loss. Unless "score" is chosen, precisions count
/// boxes with scores of 0.05 and above (or of the net's own lowest, where that is less), however
/// few of them the net shows: those with low scores decide the precision at high recalls.
class Detection : public Task {
 public:
  static constexpr std::string_view id = "detect";

  /// Which boxes are found: "score", "nms", "max_boxes"; the net's own where they have no value.
  static std::vector<Argument> choices();

  /// Errors: usage when targets are not boxes with names.
  explicit Detection(data::Targets targets, const Arguments& chosen = {});

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return std::ssize(targets_.names) + 1; }
  bool takes(const Tensor& output) const override;
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  std::vector<Metric> metrics() const override;
  /// The logits of each class but the background: at the box that fits the region best (by
  /// intersection over union) or, without one, the largest over all boxes.
  Tensor explained(const Tensor& output, const std::optional<Region>& region) const override;
  std::optional<ExplainedLevels> explained_levels(
      const Tensor& output, const std::optional<Region>& region) const override;
  /// Sigmoids.
  Tensor explained_probabilities(const Tensor& numbers) const override;
  /// The boxes found, f32[N,D,6]: see KeepDetections.
  Tensor decoded(const Tensor& output) const override;
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  /// How many boxes there are and how many were found, and these.
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;
  bool has_places() const override { return true; }

 private:
  data::Targets targets_;
  BoxChoice choice_;
};

}  // namespace fovea::tasks
