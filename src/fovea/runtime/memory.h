#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "fovea/runtime/state.h"

namespace fovea {

/// The working memory of Programs: one arena that grows to that of the largest Program, and the
/// packed and folded weights of each, which it holds as long as the Program is used. Share one
/// Memory among all Programs of a trainer or a predictor; threads that run concurrently need one
/// each.
class Memory {
 public:
  /// At least `bytes`, 64-byte aligned. The arena's contents are lost when it has to grow.
  std::byte* arena(size_t bytes);
  size_t arena_bytes() const { return arena_bytes_; }

  /// What the Program with this id derives from the State, as of this State::version (0: none).
  struct Kept {
    std::vector<std::shared_ptr<State::Derived>> derived;
    uint64_t version = 0;
    /// Of the Program's values: those of arrays, derived data and constants as of `version`, others
    /// of the last run.
    std::vector<std::byte*> pointers;
    uint64_t used = 0;                          ///< time of last use, counted in calls
    std::chrono::duration<double> last_run{0};  ///< how long it took
  };
  /// Of more than 16 Programs, the least recently run one is forgotten.
  Kept& kept(uint64_t program);

 private:
  std::shared_ptr<std::byte> arena_;
  size_t arena_bytes_ = 0;
  std::map<uint64_t, Kept> kept_;
  uint64_t calls_ = 0;
};

}  // namespace fovea
