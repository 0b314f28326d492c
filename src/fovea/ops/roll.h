#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// The elements shifted along one axis; those shifted beyond its end come back at its beginning.
struct Roll {
  int axis = 0;
  int64_t shift = 0;  ///< towards higher indices; negative: towards lower ones

  static void fields(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("shift", op.shift);
  }

  static constexpr std::string_view name = "roll";

  /// Where the first element along an axis of this size goes: the shift from 0 to size - 1.
  int64_t offset(int64_t size) const { return size == 0 ? 0 : (shift % size + size) % size; }

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// x shifted by `shift` places towards higher indices along `axis` (negative counts from the end);
/// what is shifted beyond the end comes back at the beginning. Errors: usage when there is no such
/// axis.
Tensor roll(const Tensor& x, int64_t shift, int axis);

}  // namespace fovea
