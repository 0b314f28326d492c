#pragma once

#include <limits>

#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// The norm of all gradients of a State together, sqrt(sum of squares), and what clipping makes of
/// it: a Program, compiled when it is first asked for and again when there are other gradients. Its
/// sums are float64 and the same bits for every number of threads.
class GradientNorm {
 public:
  struct Result {
    /// Not finite where a gradient is not: worth a look before each update, since one NaN that
    /// reaches the weights cannot be undone.
    double norm = 0;
    /// What to scale gradients by so that their norm is at most `max_norm`: min(1, max_norm / (norm
    /// + 1e-6)), PyTorch's clip_grad_norm_; NaN for a norm that is NaN.
    double clip_scale = 1;
  };
  Result measure(State& state, double max_norm = std::numeric_limits<double>::infinity());

 private:
  using Gradients = std::vector<std::pair<std::string, Type>>;
  ProgramCache<Gradients> programs_;
  Memory memory_;
};

}  // namespace fovea::optim
