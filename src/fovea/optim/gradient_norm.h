#pragma once

#include <limits>

#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// The norm of all gradients of a State together, sqrt(sum of squares), and the scale that clips
/// it: a Program, compiled on first use and again when the set of gradients changes. Its sums are
/// float64, bit-identical for any number of threads.
class GradientNorm {
 public:
  struct Result {
    /// Not finite if any gradient is not: check it before each update, since one NaN that reaches
    /// the weights cannot be undone.
    double norm = 0;
    /// The factor that scales gradients to a norm of at most `max_norm`: min(1, max_norm / (norm +
    /// 1e-6)), PyTorch's clip_grad_norm_; NaN for a norm that is NaN.
    double clip_scale = 1;
  };
  Result measure(State& state, double max_norm = std::numeric_limits<double>::infinity());

 private:
  using Gradients = std::vector<std::pair<std::string, Type>>;
  ProgramCache<Gradients> programs_;
  Memory memory_;
};

}  // namespace fovea::optim
