#pragma once

#include "fovea/data/dataset.h"

// Samples from which only their inputs are learned (the task "reconstruct").
namespace fovea::data {

/// Whether a target's type is that of none: an array without elements.
inline bool are_none(const Type& target) { return target.shape == Shape{0}; }
/// No targets beside inputs of this dtype: u8[0] beside pictures of any depth, else f32[0].
Targets no_targets(DType input);

/// Another split without its targets.
class Unlabelled : public DatasetView {
 public:
  explicit Unlabelled(std::shared_ptr<const Dataset> dataset);

  Sample sample(int64_t i) const override { return scaled_sample(i, {}); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override {
    return {dataset_->scaled_sample(i, minimum).input, target(i)};
  }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t) const override { return {meaning_.type.dtype, meaning_.type.shape}; }

 private:
  Targets meaning_;
};

/// All splits without their targets.
DataSets unlabelled(const DataSets& sets);

}  // namespace fovea::data
