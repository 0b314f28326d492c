#include "fovea/kernels/kernel.h"
#include "fovea/kernels/onednn/engine.h"

namespace fovea {

/// oneDNN's direct kernels work on blocks of 16 channels where there is AVX-512 (of 8 before, which
/// no Layout has: there channels-last serves them as well), and on channels-last values of any
/// number. Images, of few channels, stay plain before blocks; beside channels-last oneDNN takes
/// nothing but channels-last.
Layout preferred_layout(const Type& type) {
  static const bool avx512 = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
  const bool known = type.dtype == DType::f32 || type.dtype == DType::bf16;
  if (!known || type.rank() < 3 || type.rank() > 5) return Layout::plain;
  if (!avx512) return Layout::channels_last;
  if (type.dim(1) % 16 == 0) return Layout::blocked16;
  return type.dim(1) <= 4 ? Layout::plain : Layout::channels_last;
}

}  // namespace fovea
