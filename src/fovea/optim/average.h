#pragma once

#include <optional>

#include "fovea/runtime/program_cache.h"
#include "fovea/runtime/state.h"

namespace fovea::optim {

/// The arrays of a State that averages are of: every parameter, and every buffer of floats.
std::vector<std::pair<std::string, Type>> weights_and_statistics(const State& state);
/// Declares a copy of each of them, "PREFIX:NAME", unless it is there: equal to the array as it is
/// now or, without `fill`, when the copy is first used.
void declare_copies(State& state, const std::string& prefix, bool fill);

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
  /// The mean of the weights at all updates so far, equally weighted (SWA, Izmailov et al. 2018).
  /// The number of updates is the State array "averaged".
  static Average equal();

  /// Declares the averages in the State; those already declared stay as they are. An
  /// exponential one begins as the weights are now or, without `fill`, when it is first used.
  void declare(State& state, bool fill = true) const;
  /// Updates the averages with the current weights, in place. Errors: usage without `declare`.
  void update(State& state);
  /// The number of updates of an equally weighted mean. Errors: usage without `declare`.
  static int64_t count(State& state);
  /// Exchanges the weights and their averages. Errors: usage without `declare`.
  void swap(State& state);

 private:
  using Arrays = std::vector<std::pair<std::string, Type>>;
  explicit Average(std::optional<double> decay) : decay_(decay) {}
  const Program& program(const State& state, bool swap);

  std::optional<double> decay_;  ///< none: equally weighted
  ProgramCache<std::pair<Arrays, bool>> programs_;
  Memory memory_;
};

}  // namespace fovea::optim
