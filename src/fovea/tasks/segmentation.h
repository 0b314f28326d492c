#pragma once

#include "fovea/images/image.h"
#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The classes of an image's pixels, or of a volume's voxels.
struct MaskPrediction : Prediction {
  Array mask;      ///< u8 [H, W] or [D, H, W]: the index of each pixel's class
  Numbers shares;  ///< of each class: the fraction of the pixels

  std::string text() const override;  ///< the classes that occur, the most frequent first
  Json json() const override;         ///< {"classes": [{"name": ..., "share": ...}, ...]}
  Cells cells() const override;       ///< the shares by name
  /// Of images: "mask", a PNG with a palette whose indices are the classes, and "overlay". Of
  /// volumes "overlay", on the slices that their modality draws.
  std::vector<PredictedPicture> pictures(const ShownInput& shown) const override;
  /// Of volumes: "mask".
  std::vector<std::pair<std::string, Array>> arrays() const override;
};

/// A class for each pixel: masks u8[H,W,1], or u8[D,H,W,1] of volumes (see data::is_mask), and
/// outputs [N, K, H, W], or [N, K, D, H, W], logits. An output smaller than the mask is of the
/// central pixels. Losses, alone or as a sum:
///
///   cross-entropy  of all pixels, weighted by class (the default)
///   dice           the mean over classes of 1 - dice of probabilities and mask (see dice_loss)
///   focal          cross-entropy in which a pixel counts (1 - p)^2, p the probability of its class
///
/// Metrics: mean_iou (over the classes that occur in masks or predictions), pixel_accuracy, dice
/// (the mean over the same classes), loss (cross-entropy); the IoU of each class, and the confusion
/// matrix in pixels. Pixels whose class does not count are in none of them.
class Segmentation : public Task {
 public:
  static constexpr std::string_view id = "segment";

  /// Errors: usage when targets are not masks with names.
  explicit Segmentation(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return std::ssize(targets_.names); }
  std::vector<std::string> losses() const override;
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  std::vector<double> balanced_weights(const data::Dataset& samples) const override;
  std::vector<Metric> metrics() const override;
  /// The means of each class's logits over the region or, without one, over the pixels where the
  /// class is the prediction (all pixels if there are none): Vinogradova et al. 2020, "Towards
  /// interpretable semantic segmentation via gradient-weighted class activation mapping", eq. 1.
  Tensor explained(const Tensor& output, const std::optional<Region>& region) const override;
  Tensor explained_probabilities(const Tensor& numbers) const override;
  /// The classes, i64[N,H,W].
  Tensor decoded(const Tensor& output) const override;
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  /// "pixel_accuracy" of the image, and the share of each class in the prediction.
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;

 private:
  data::Targets targets_;
};

}  // namespace fovea::tasks
