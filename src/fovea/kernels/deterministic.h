#pragma once

#include "fovea/core/scoped.h"

namespace fovea {

/// Whether kernels that are chosen from now on give the same bits for any number of threads: off by
/// default. A batch is then divided into parts that depend on the problem alone, each computed by
/// one thread, and sums over parts are added in order; by default the parts depend on the number of
/// threads, too, and where there are few images all threads share each one. Bits still depend on
/// the instruction set. Programs that are compiled already keep their kernels.
void set_deterministic(bool on);
bool deterministic();

using DeterministicScope = Scoped<deterministic, set_deterministic>;

}  // namespace fovea
