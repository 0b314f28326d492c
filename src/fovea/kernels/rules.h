#pragma once

#include <functional>
#include <typeindex>

#include "fovea/kernels/kernel.h"

namespace fovea {

/// Receives the rules of a family of kernels, in the order in which to try them.
using RuleSink = std::function<void(std::type_index op, KernelRule rule)>;

/// onednn/: convolution (all three passes), matrix products, average pooling.
void add_onednn_rules(const RuleSink& add);
/// simd/: memory-bound ops: norms, pooling, elementwise, loss, layout changes.
void add_simd_rules(const RuleSink& add);

}  // namespace fovea
