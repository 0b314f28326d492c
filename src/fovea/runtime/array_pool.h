#pragma once

#include <memory>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"

namespace fovea {

/// Memory for arrays that live together: one after another in large chunks, so that also the small
/// ones of a large model lie in huge pages. An update of a model's parameters reads and writes all
/// of them, and would else wait for the TLB. Under AddressSanitizer, what is before and after an
/// array cannot be accessed, as if each had an allocation of its own.
class ArrayPool {
 public:
  ArrayPool();

  /// An array, not initialised. Its memory is used again when the last handle is gone; all of it is
  /// freed when the pool and all handles are. Arrays of several MiB have memory of their own.
  /// Errors: memory when it cannot be allocated.
  Array make(const Type& type);
  /// The bytes of all chunks. Each is as large as all before it together, within limits: what is
  /// not used, and not touched, is a part of the last.
  size_t bytes() const;

 private:
  class Chunks;
  std::shared_ptr<Chunks> chunks_;
};

}  // namespace fovea
