#include "fovea/kernels/onednn/reordered.h"

#include "fovea/kernels/converted.h"
#include "fovea/ops/conv.h"

namespace fovea::onednn {
namespace {

/// The problem with all images channels-last; weights are unchanged.
Problem with_channels_last(Problem problem) {
  const bool data = problem.op.as<ConvBackwardData>() != nullptr;
  const bool weights = problem.op.as<ConvBackwardWeights>() != nullptr;
  for (size_t i = 0; i < problem.in.size(); ++i) {
    const bool weight = i == (data ? 0u : 1u) && !weights;
    if (!weight && fits(problem.in[i], Layout::channels_last))
      problem.in[i].layout = Layout::channels_last;
  }
  if (!weights) problem.out[0].layout = Layout::channels_last;
  return problem;
}

}  // namespace

Offer reordered(const Problem& problem) {
  const Problem other = with_channels_last(problem);
  if (other.in == problem.in && other.out == problem.out)
    return Refusal{"the values are channels-last"};
  KernelChoice inner = choose_kernel(other);
  if (inner.name == "reference" || is_widened(inner))
    return Refusal{"none for channels-last values either"};
  return converted(std::move(inner.kernel), problem, other);
}

}  // namespace fovea::onednn
