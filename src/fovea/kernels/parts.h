#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea {

/// How a problem is divided along the first axis of its values, mostly a batch's images.
struct Division {
  std::vector<bool> in;  ///< inputs that are divided; every part reads the others entirely
  bool sum = false;      ///< outputs are f32 sums over parts, instead of divided themselves
  int64_t smallest = 1;  ///< a part that the kernel is still fast on, unless threads would be idle
};

/// A kernel that divides its problem into parts, which threads take one after
/// another, and computes each by a kernel for one thread that `make` offers. So a library's kernels
/// need none of its own threads, all of which would have to come. Sums are in the order of the
/// parts. The parts depend on the problem alone. Where there are too few images, or no input is
/// divided, the offer is that of `make` for the undivided problem, unless deterministic().
Offer in_parts(const Problem& problem, const Division& division,
               const std::function<Offer(const Problem&)>& make);

}  // namespace fovea
