#pragma once

#include <string_view>

#include "fovea/core/random.h"
#include "fovea/data/transform.h"

// Tools for transforms of batches.
namespace fovea::data {

/// A draw of Beta(alpha, alpha), alpha from 0 (exclusive) to 1.
double random_share(double alpha, Random& random);

/// share * x + (1 - share) * the sample before it, for each sample of x [N, ...]; the first is
/// mixed with the last. `share` broadcasts to x.
Tensor mixed(const Tensor& x, const Tensor& share);

/// The type of mixed targets: classes become f32[K], the share of each; numbers stay. Errors:
/// usage, naming `who`, for others.
Targets mixable(std::string_view who, const Targets& targets);

/// A batch's targets in the type of `mixable`: one-hot rows for classes.
Tensor as_mixable(const Tensor& batch, const Targets& targets);

}  // namespace fovea::data
