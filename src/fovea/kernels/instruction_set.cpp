#include <hwy/targets.h>

#include "fovea/kernels/kernel.h"

namespace fovea {

std::string instruction_set() {
  const int64_t supported = hwy::SupportedTargets();
  return hwy::TargetName(supported & -supported);  // the lowest bit is the best target
}

}  // namespace fovea
