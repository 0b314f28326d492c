#pragma once

#include <optional>

#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// A running mean of the weights: of every parameter and every buffer of floats (running
/// statistics), as the State array "average:NAME", so that a checkpoint of the State holds it.
///
///     auto ema = optim::Average::exponential(0.999);
///     ema.declare(state);
///     for (...) { ...; optimizer->update(state, ...); ema.update(state); }
///     ema.swap(state);   // evaluate or save the averaged weights
///     ema.swap(state);   // and go on
class Average {
 public:
  /// a = decay a + (1 - decay) p, from the weights at `declare` on. Errors: usage when decay is not
  /// from 0 to 1.
  static Average exponential(double decay);
  /// The mean of the weights at all updates so far, each counted alike (SWA, Izmailov et al. 2018).
  /// Their number is the State array "averaged".
  static Average equal();

  /// Makes the averages known to the State; those that are known stay as they are.
  void declare(State& state) const;
  /// Takes in the weights as they are now, in place. Errors: usage without `declare`.
  void update(State& state);
  /// Exchanges the weights and their averages. Errors: usage without `declare`.
  void swap(State& state);

 private:
  using Arrays = std::vector<std::pair<std::string, Type>>;
  explicit Average(std::optional<double> decay) : decay_(decay) {}
  static Arrays averaged(const State& state);
  const Program& program(const State& state, bool swap);

  std::optional<double> decay_;  ///< none: equal
  ProgramCache<std::pair<Arrays, bool>> programs_;
  Memory memory_;
};

}  // namespace fovea::optim
