#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/explain/explainer.h"

namespace fovea::explain {

/// What the model makes of inputs just before it decides: of f32 [N, C, spatial...] the inputs of
/// the last linear layer, or the means over positions of `layer` (see find_layer): f32 [N, F].
/// Without a linear layer, those of the default layer.
Array features(Explainer& explainer, const Array& inputs, const std::string& layer = {});

/// The same for samples [0, count) of a data set whose inputs are as the model takes them (see
/// data::prepared); all inputs are never held at once.
Array features(Explainer& explainer, const data::Dataset& samples, int64_t count,
               const std::string& layer = {},
               const std::function<void(int64_t done)>& progress = nullptr);

/// Points along the directions in which they vary most.
struct Principal {
  Array points;                   ///< f32 [N, components]
  std::vector<double> explained;  ///< the share of the variance along each
};

/// Principal component analysis (Pearson 1901) of f32 [N, F] by subspace iteration: at most
/// `components` of them, no more than N or F. Each has its largest coefficient positive, so that
/// its direction is settled. Errors: usage when there is no point.
Principal principal_components(const Array& points, int64_t components);

struct TsneOptions {
  double perplexity = 30;  ///< about as many neighbours count; at most a third of the points
  int64_t iterations = 500;
  uint64_t seed = 0;
};

/// t-SNE (van der Maaten and Hinton 2008), exact: f32 [N, F] as points [N, 2] whose neighbours are
/// the same. Starts from the first two principal components, which `seed` shifts a little. Time
/// and memory grow with N^2. Errors: usage when there are more than 10,000 points.
Array tsne(const Array& points, const TsneOptions& options = {},
           const std::function<void(int64_t iteration)>& progress = nullptr);

/// A point near another.
struct Neighbour {
  int64_t point = 0;
  double similarity = 0;  ///< the cosine of the angle between both, -1 to 1
};

/// The `count` rows of `points` f32 [N, F] most similar to row `row` of `queries` f32 [M, F], the
/// nearest first.
std::vector<Neighbour> nearest(const Array& points, const Array& queries, int64_t row,
                               int64_t count);

}  // namespace fovea::explain
