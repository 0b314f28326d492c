#pragma once

#include <functional>
#include <list>
#include <utility>

#include "fovea/runtime/program.h"

namespace fovea {

/// Programs of one computation for the input shapes it has met: a full batch, the smaller last one,
/// images of other sizes. Holds at most `cap`; the one not used for longest goes first, so memory
/// stays flat however many shapes come.
class ProgramCache {
 public:
  explicit ProgramCache(size_t cap = 8) : cap_(cap) {}

  /// The Program for this shape, made by `compile` when there is none yet. Valid until the next
  /// call.
  const Program& get(const Shape& shape, const std::function<Program(const Shape&)>& compile);

 private:
  size_t cap_;
  std::list<std::pair<Shape, Program>> programs_;  // the latest used first
};

}  // namespace fovea
