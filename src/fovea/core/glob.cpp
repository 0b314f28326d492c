#include "fovea/core/glob.h"

#include <fnmatch.h>

namespace fovea {

bool matches_glob(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

}  // namespace fovea
