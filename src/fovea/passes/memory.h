#pragma once

#include <cstddef>
#include <vector>

namespace fovea {

/// One buffer to place: its size and the first and last step (both included) that touch it.
struct Block {
  size_t bytes = 0;
  int first = 0, last = 0;
  size_t offset = 0;  ///< filled in by plan_memory
};

struct MemoryPlan {
  size_t bytes = 0;  ///< of the arena
  size_t lower_bound =
      0;  ///< the largest sum of bytes live in one step, so no plan can use less in total
};

/// Assigns offsets so that no two blocks live in the same step overlap, in the smallest arena that
/// a few orders find, or the first within 1% of the lower bound: greedy ones (largest first,
/// longest-lived first, those of the most crowded step first, in order of time), and those that
/// follow when the blocks at the arena's end are placed earlier. Each block takes the lowest gap
/// that fits. Offsets are multiples of 64. Sizes are first rounded up to 64, also for the lower
/// bound.
MemoryPlan plan_memory(std::vector<Block>& blocks);

}  // namespace fovea
