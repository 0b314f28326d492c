#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Adds normally distributed noise to the inputs of training batches, in the units of the net's
/// inputs: for the task reconstruct of 0 to 1, else of normalised pictures. Targets stay as they
/// are: a net that learns its inputs learns them without the noise.
class GaussianNoise : public BatchTransform {
 public:
  explicit GaussianNoise(double std) : std_(std) {}
  std::string text() const override;
  std::vector<Array> draw(const Shape& inputs, Random& random) const override;
  BatchTensors trace(const BatchTensors& batch, const Targets& targets,
                     const Tensors& random) const override;

 private:
  double std_;
};

}  // namespace fovea::data
