#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Mixup (Zhang et al. 2018): each sample becomes share * itself + (1 - share) * the one before it
/// in the batch, in input and target; one share per batch, from Beta(alpha, alpha). Classes become
/// targets f32[K], the share of each class.
class Mixup : public BatchTransform {
 public:
  explicit Mixup(double alpha) : alpha_(alpha) {}
  std::string text() const override;
  Targets output(const Targets& targets) const override;
  std::vector<Array> draw(const Shape& inputs, Random& random) const override;
  BatchTensors trace(const BatchTensors& batch, const Targets& targets,
                     const Tensors& random) const override;

 private:
  double alpha_;
};

}  // namespace fovea::data
