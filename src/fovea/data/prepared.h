#pragma once

#include <memory>

#include "fovea/data/dataset.h"
#include "fovea/data/transform.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// Prepares images for a network: resized, cropped, gray or RGB, as `prepare` does with pictures.
/// The network normalises. The target stays unchanged.
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

 private:
  Preprocessing preprocessing_;
  MinimumSize minimum_;
};

/// A split whose images are resized.
class Prepared : public Dataset {
 public:
  /// Errors: as Resize.
  Prepared(std::shared_ptr<const Dataset> dataset, const Preprocessing& preprocessing);

  int64_t size() const override { return dataset_->size(); }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override { return input_; }
  const Targets& targets() const override { return dataset_->targets(); }
  Array target(int64_t i) const override { return dataset_->target(i); }
  int64_t group(int64_t i) const override { return dataset_->group(i); }
  std::optional<int64_t> shard(int64_t i) const override { return dataset_->shard(i); }
  std::string stamp() const override { return dataset_->stamp(); }
  std::string name(int64_t i) const override { return dataset_->name(i); }
  int64_t held_bytes() const override { return dataset_->held_bytes(); }

 private:
  std::shared_ptr<const Dataset> dataset_;
  Resize resize_;
  Type input_;
};

/// The type that `preprocessing` produces: u8[H,W,C].
Type image_type(const Preprocessing& preprocessing);

/// Whether the inputs of `dataset` are images, of one size or several, and not all in the form of
/// `preprocessing`.
bool needs_resizing(const Dataset& dataset, const Preprocessing& preprocessing);

/// `dataset` itself if there is nothing to resize, else a Prepared of it. Errors: as Prepared.
std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> dataset,
                                        const Preprocessing& preprocessing);

}  // namespace fovea::data
