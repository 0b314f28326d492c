#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// CutMix (Yun et al. 2019): a box of each sample is replaced by that of another sample in the
/// batch, at the same position; one box per batch, whose fraction of the volume is drawn from
/// Beta(alpha, alpha). Targets are mixed by the fraction of the part of the box that lies inside.
/// Classes become targets f32[K].
class CutMix : public BatchTransform {
 public:
  explicit CutMix(double alpha) : alpha_(alpha) {}
  std::string text() const override;
  Targets output(const Targets& targets) const override;
  /// Images u8[H,W,C], or numbers f32[C, spatial...] of one to three spatial axes.
  void check_input(const Type& input) const override;
  void operator()(Batch& batch, const Targets& targets, Random& random) const override;

 private:
  double alpha_;
};

}  // namespace fovea::data
