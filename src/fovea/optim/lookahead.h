#pragma once

#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// Lookahead (Zhang et al. 2019): every few updates a slow copy of the weights, of all float
/// parameters and buffers, moves towards them, and the weights return to it:
///     slow = decay slow + (1 - decay) weights;   weights = slow
/// The copies are the State arrays "slow:NAME".
class Lookahead {
 public:
  /// As Average::declare.
  void declare(State& state, bool fill = true) const;
  /// One such move, in place; with a decay of 1 the weights only return. Errors: usage without
  /// `declare`, or when decay is not from 0 to 1.
  void synchronize(State& state, double decay);

 private:
  ProgramCache<std::vector<std::pair<std::string, Type>>> programs_;
  Memory memory_;
};

}  // namespace fovea::optim
