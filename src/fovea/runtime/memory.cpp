#include "fovea/runtime/memory.h"

#include <algorithm>

namespace fovea {

std::byte* Memory::arena(size_t bytes) {
  if (bytes > arena_bytes_) {
    arena_.reset();  // free the old one before allocating
    arena_bytes_ = 0;
    arena_ = allocate(bytes);
    arena_bytes_ = bytes;
  }
  return arena_.get();
}

Memory::Kept& Memory::kept(uint64_t program) {
  constexpr size_t maximum = 16;
  if (!kept_.contains(program) && kept_.size() >= maximum) {
    kept_.erase(std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    }));
  }
  Kept& kept = kept_[program];
  kept.used = ++calls_;
  return kept;
}

}  // namespace fovea
