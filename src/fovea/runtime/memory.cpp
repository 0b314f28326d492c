#include "fovea/runtime/memory.h"

namespace fovea {

std::byte* Memory::arena(size_t bytes) {
  if (bytes > arena_bytes_) {
    arena_.reset();  // first give back, then take
    arena_bytes_ = 0;
    arena_ = allocate(bytes);
    arena_bytes_ = bytes;
  }
  return arena_.get();
}

Memory::Kept& Memory::kept(uint64_t program, size_t bytes) {
  Kept& kept = kept_[program];
  if (kept.data == nullptr || kept.bytes < bytes) {
    kept.data = allocate(bytes);
    kept.bytes = bytes;
    kept.version = 0;
  }
  return kept;
}

}  // namespace fovea
