#pragma once

#include <memory>

#include "fovea/data/dataset.h"
#include "fovea/data/transform.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// Makes images as a network takes them: resized, cropped, gray or RGB, as `prepare` does with
/// pictures. Normalising stays with the network. The target stays.
class Resize : public Transform {
 public:
  /// Errors: usage when the preprocessing has a problem.
  explicit Resize(Preprocessing preprocessing);

  std::string text() const override { return "resize"; }
  /// Errors: usage unless the input is an image of 1 or 3 channels.
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext&) const override { (*this)(sample); }
  /// The same, which needs no context.
  void operator()(Sample& sample) const;

 private:
  Preprocessing preprocessing_;
};

/// A split whose images went through Resize.
class Prepared : public Dataset {
 public:
  /// Errors: as Resize.
  Prepared(std::shared_ptr<const Dataset> whole, const Preprocessing& preprocessing);

  int64_t size() const override { return whole_->size(); }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override { return input_; }
  const Targets& targets() const override { return whole_->targets(); }
  Array target(int64_t i) const override { return whole_->target(i); }
  int64_t group(int64_t i) const override { return whole_->group(i); }
  std::string name(int64_t i) const override { return whole_->name(i); }
  int64_t held_bytes() const override { return whole_->held_bytes(); }

 private:
  std::shared_ptr<const Dataset> whole_;
  Resize resize_;
  Type input_;
};

/// The type that `preprocessing` makes: u8[H,W,C].
Type image_type(const Preprocessing& preprocessing);

/// Whether the inputs of `dataset` are images, of one size or several, and not all as
/// `preprocessing` makes them.
bool needs_resizing(const Dataset& dataset, const Preprocessing& preprocessing);

/// `whole` itself where there is nothing to resize, else a Prepared of it. Errors: as Prepared.
std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> whole,
                                        const Preprocessing& preprocessing);

}  // namespace fovea::data
