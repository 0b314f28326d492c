#include "fovea/graph/op.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/random.h"

namespace fovea {

bool Op::operator==(const Op& other) const {
  if (self_ == other.self_) return true;
  return type() == other.type() && exact_bytes(fields()) == exact_bytes(other.fields());
}

size_t Op::hash() const { return type().hash_code() ^ fovea::hash(exact_bytes(fields())); }

void Op::throw_wrong_type(const std::type_info& wanted) const {
  throw Error(ErrorKind::internal, fmt::format("the op {} is of type {}, expected {}", name(),
                                               type().name(), wanted.name()));
}

}  // namespace fovea
