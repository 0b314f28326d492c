#pragma once

#include <optional>

#include "fovea/kernels/kernel.h"

namespace fovea {

/// A kernel for `problem` made of `inner`, which solves `other`: the same op on values in other
/// layouts or dtypes. Inputs are converted before it and outputs after it, in scratch memory;
/// packed weights when they are packed.
std::unique_ptr<Kernel> converted(std::unique_ptr<Kernel> inner, const Problem& problem,
                                  const Problem& other);

/// The kernel of the same op on f32 values, with casts around it, for a problem with 16-bit floats:
/// 16 bits as storage, f32 as arithmetic. Nothing if there are no such values, or only the
/// reference takes f32 ones. Its name ends in ":widened".
std::optional<KernelChoice> widened(const Problem& problem);

/// Whether a choice was made by `widened`.
bool is_widened(const KernelChoice& choice);

}  // namespace fovea
