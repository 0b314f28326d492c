#pragma once

#include <cstddef>

namespace fovea {

/// Bytes of physical memory that this process holds now, and the most it has held so far; 0 where
/// the system does not say.
size_t resident_bytes();
size_t peak_resident_bytes();

/// How much memory this process can have in all, what it holds included.
struct MemoryLimits {
  size_t most;  ///< the machine's memory and swap, or the control group's limit where that is less
  size_t now;   ///< the same without what others hold now
};
MemoryLimits memory_limits();

}  // namespace fovea
