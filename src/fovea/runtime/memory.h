#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "fovea/core/array.h"

namespace fovea {

/// The working memory of Programs: one arena that grows to the largest Program run with it, and
/// what each Program keeps between runs (packed and folded weights). Give one Memory to all
/// Programs of a trainer or a predictor; two threads running at once need two.
class Memory {
 public:
  /// At least `bytes`, 64-byte aligned. What was in the arena is lost when it has to grow.
  std::byte* arena(size_t bytes);
  size_t arena_bytes() const { return arena_bytes_; }

  /// What the Program with this id keeps, and the State::version it was made for (0: not yet).
  struct Kept {
    std::shared_ptr<std::byte> data;
    size_t bytes = 0;
    uint64_t version = 0;
    std::vector<std::byte*> pointers;  ///< of the Program's values, resolved at each run
    uint64_t used = 0;                 ///< when last, counted in calls
  };
  /// Of more than 16 Programs, the one not run for longest is forgotten.
  Kept& kept(uint64_t program, size_t bytes);

 private:
  std::shared_ptr<std::byte> arena_;
  size_t arena_bytes_ = 0;
  std::map<uint64_t, Kept> kept_;
  uint64_t calls_ = 0;
};

}  // namespace fovea
