#pragma once

#include "fovea/images/image.h"
#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// An input as a net gives it back.
struct ReconstructionPrediction : Prediction {
  Array input, reconstruction;  ///< f32 [C, spatial...]; of pictures from 0 to 1
  bool of_picture = false;      ///< whether the input was made of the pixels of pictures
  double mse = 0;               ///< the mean squared difference

  std::string text() const override;  ///< mse and, of pictures, psnr
  Json json() const override;         ///< {"mse": ..., "psnr": ...}
  Cells cells() const override;       ///< the same by name
  /// Of a picture [C, H, W] of 1 or 3 channels: "reconstruction", and "beside", the net's input and
  /// its reconstruction.
  std::vector<PredictedPicture> pictures(const ShownInput& shown) const override;
  std::vector<std::pair<std::string, Array>> arrays() const override;  ///< "reconstruction"
};

/// The inputs themselves: a net gives back what it took, [N, C, spatial...]. Pictures have values
/// from 0 to 1, without further normalisation; other inputs are numbers as the net takes them.
/// Losses, alone or as a sum:
///
///   mse   the mean squared difference (the default)
///   l1    the mean absolute difference
///   ssim  1 - structural similarity (see ssim in ops/distance.h); for pictures
///
/// Metrics: mse, mae (the mean absolute difference); for pictures also psnr (10 log10(1 / mse) of
/// each, in dB, the mean over the samples) and ssim. A transform of batches that changes inputs,
/// such as noise, leaves what they are compared with as it was.
class Reconstruction : public Task {
 public:
  static constexpr std::string_view id = "reconstruct";

  /// Errors: usage for targets that are not of data sets from which inputs are learned (see
  /// data/unlabelled.h).
  explicit Reconstruction(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return 0; }
  bool learns_inputs() const override { return true; }
  bool takes(const Tensor& output) const override { return output.rank() > 2; }
  std::vector<std::string> losses() const override;
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  std::vector<Metric> metrics() const override;
  /// The mean of each channel, of all of it or of the region.
  Tensor explained(const Tensor& output, const std::optional<Region>& region) const override;
  Tensor explained_probabilities(const Tensor& numbers) const override { return numbers; }
  Tensor decoded(const Tensor& both) const override { return both; }
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  /// mse and psnr, as a prediction's cells.
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;

 private:
  bool of_pictures() const { return targets_.type.dtype == DType::u8; }

  data::Targets targets_;
};

}  // namespace fovea::tasks
