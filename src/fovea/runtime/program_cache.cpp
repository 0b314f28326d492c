#include "fovea/runtime/program_cache.h"

#include <algorithm>

namespace fovea {

const Program& ProgramCache::get(const Shape& shape,
                                 const std::function<Program(const Shape&)>& compile) {
  const auto found = std::find_if(programs_.begin(), programs_.end(),
                                  [&](const auto& entry) { return entry.first == shape; });
  if (found != programs_.end()) {
    programs_.splice(programs_.begin(), programs_, found);
  } else {
    programs_.emplace_front(shape, compile(shape));
    if (programs_.size() > cap_) programs_.pop_back();
  }
  return programs_.front().second;
}

}  // namespace fovea
