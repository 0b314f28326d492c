#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// CutMix (Yun et al. 2019): a box of each sample is replaced by that of the one before it in the
/// batch, at the same position; one box per batch, whose fraction of the volume is drawn from
/// Beta(alpha, alpha). Targets are mixed by the fraction of the part of the box that lies inside.
/// Classes become targets f32[K].
class CutMix : public BatchTransform {
 public:
  explicit CutMix(double alpha) : alpha_(alpha) {}
  std::string text() const override;
  Targets output(const Targets& targets) const override;
  /// Inputs need spatial axes.
  void check_input(const Type& input) const override;
  /// The box: f32[spatial axes, 2], where it begins and ends along each.
  std::vector<Array> draw(const Shape& inputs, Random& random) const override;
  BatchTensors trace(const BatchTensors& batch, const Targets& targets,
                     const Tensors& random) const override;

 private:
  double alpha_;
};

}  // namespace fovea::data
