#pragma once

#include "fovea/explain/methods.h"

/// The built-in methods: a file per kind, and a line here and in the table.
namespace fovea::explain {

std::vector<Method> gradient_cams();
std::vector<Method> perturbed_cams();  ///< scorecam, ablationcam
Method eigencam();
std::vector<Method> gradient_saliencies();
std::vector<Method> averaged_saliencies();  ///< integrated-gradients, smoothgrad
Method occlusion();
Method rise();

/// The inputs of a graph that explains the batch: "input", and "target" if classes are given.
Inputs inputs_of(const Batch& batch);

/// Sets the batch's classes to the largest outputs [N, K] unless they are given.
void choose_classes(Batch& batch, const Array& outputs);

/// The activations [N, C, spatial...] of the batch's layer; chooses the classes.
Array activations(Explainer& explainer, Batch& batch);

/// Sums of masks times weights, in any number of parts.
class WeightedSum {
 public:
  explicit WeightedSum(Explainer& explainer) : explainer_(explainer) {}
  /// `masks` f32 [M, ...], a weight for each of the first ones.
  void add(const Array& masks, const std::vector<double>& weights);
  /// f32 [...] of one mask.
  const Array& total() const { return total_; }

 private:
  Explainer& explainer_;
  Array total_;
};

}  // namespace fovea::explain
