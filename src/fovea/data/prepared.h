#pragma once

#include <memory>

#include "fovea/data/dataset.h"
#include "fovea/data/transform.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// Prepares images for a network: resized, cropped, gray or RGB, as `prepare` does with pictures.
/// The network normalises. A mask moves with its image.
class Resize : public Transform {
 public:
  /// Errors: usage when the preprocessing has a problem.
  explicit Resize(Preprocessing preprocessing);

  std::string text() const override { return "resize"; }
  /// Errors: usage unless the input is an image of 1 or 3 channels.
  Type output(const Type& input) const override;
  MinimumSize minimum_size(const MinimumSize&) const override { return minimum_; }
  void operator()(Sample& sample, TransformContext&) const override { (*this)(sample); }
  /// The same, which needs no context.
  void operator()(Sample& sample) const;

  const Preprocessing& preprocessing() const { return preprocessing_; }

 private:
  Preprocessing preprocessing_;
  MinimumSize minimum_;
};

/// A split whose images, and masks if it has them, are resized.
class Prepared : public DatasetView {
 public:
  /// Errors: as Resize.
  Prepared(std::shared_ptr<const Dataset> dataset, const Preprocessing& preprocessing);

  Sample sample(int64_t i) const override;
  Sample scaled_sample(int64_t i, const MinimumSize&) const override { return sample(i); }
  std::optional<Type> input() const override { return input_; }
  std::optional<Type> typical_input() const override { return input_; }
  Array target(int64_t i) const override;
  /// Of a picture that is cropped, where boxes may be lost, areas are the boxes' own.
  std::optional<BoxedPicture> boxed_picture(int64_t i) const override;

 private:
  Resize resize_;
  Type input_;
};

/// The type that `preprocessing` makes of images of this dtype: [H,W,C].
Type image_type(const Preprocessing& preprocessing, DType dtype = DType::u8);

/// Whether the inputs of `dataset` are images, of one size or several, and not all in the form of
/// `preprocessing`.
bool needs_resizing(const Dataset& dataset, const Preprocessing& preprocessing);

/// `dataset` itself if there is nothing to resize, else a Prepared of it. Errors: as Prepared.
std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> dataset,
                                        const Preprocessing& preprocessing);

}  // namespace fovea::data
