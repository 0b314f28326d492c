#pragma once

#include <cstddef>

namespace fovea::runtime_test {

/// While it lives, counts the allocations above 4 KiB of the entire process: of this program, and
/// of every library in it.
class LargeAllocations {
 public:
  LargeAllocations();
  ~LargeAllocations();
  LargeAllocations(const LargeAllocations&) = delete;
  LargeAllocations& operator=(const LargeAllocations&) = delete;

  int count() const;
  size_t largest() const;
};

/// False under a sanitizer, which has an allocator of its own: nothing is counted then.
bool allocations_are_counted();

}  // namespace fovea::runtime_test
