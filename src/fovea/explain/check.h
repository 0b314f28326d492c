#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/explain/methods.h"

namespace fovea::explain {

/// The probability of the class while more and more of an image is removed or shown.
struct Curve {
  std::vector<double> fractions;  ///< of the positions, as many as were changed: from 0 to 1
  std::vector<double> scores;
  double area = 0;  ///< under the curve
};

/// Whether a map points at what the model uses: what happens when the positions that it ranks
/// highest are removed from the image, or put into one from which all was removed.
struct Faithfulness {
  /// Removed positions have the values of the image blurred, or the mean of the image.
  struct Baseline {
    Curve deletion;   ///< Petsiuk et al. 2018: a good map makes it fall early, a small area
    Curve insertion;  ///< a good map makes it rise early, a large area
  };
  Baseline blur, mean;
  /// Of the image times the map scaled to 0 to 1, over the mean of the image (Chattopadhay et al.
  /// 2018): how much of the probability is lost, from 0 to 1, and whether it grows.
  double drop = 0;
  bool increase = false;
};

/// One per sample. `maps` are those of an Explanation; ties are broken at random by `seed`.
/// `steps`: parts in which the image is removed. Errors: usage when shapes or classes do not fit.
std::vector<Faithfulness> faithfulness(Explainer& explainer, const Array& inputs,
                                       const std::vector<int64_t>& classes, const Array& maps,
                                       uint64_t seed = 1, int64_t steps = 20);

/// Maps of the same shape that know nothing: noise, uniform from 0 to 1. A method has to do better.
Array random_maps(const Shape& shape, uint64_t seed);

/// Spearman's rank correlation, -1 to 1; ties share their mean rank; 0 if either list is constant.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

/// The maps of a model whose weights were replaced by random ones (Adebayo et al. 2018, "Sanity
/// checks for saliency maps"): a map that stays the same does not show what the model learned.
struct Randomization {
  struct Step {
    int64_t layers = 0;     ///< how many layers have random weights, from the head on
    std::string last;       ///< the module of the last of them
    double similarity = 0;  ///< rank correlation with the original maps, the mean over all draws
    double spread = 0;      ///< its standard deviation from draw to draw of the random weights
    double error = 0;       ///< of the mean
  };
  std::vector<Step> steps;  ///< from the head alone to all layers
  int64_t draws = 0;

  static constexpr double similar = 0.5;
  /// Whether the maps follow the weights: some similarity is below `similar`, by twice its error.
  /// False: all are above it by as much; none: neither is certain.
  std::optional<bool> passed() const;
};

/// Computes `explanation` again with weights and statistics of a copy of the State replaced by new
/// initial ones, in five steps from the last layer to the first; for three draws of these, and
/// more, up to nine, until it is certain whether the maps follow the weights. `inputs` as for the
/// explanation.
Randomization randomization(Explainer& explainer, const Chosen<Method>& method,
                            const Request& request, const Explanation& explanation);

}  // namespace fovea::explain
