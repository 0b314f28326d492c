#include "fovea/kernels/kernel.h"
#include "fovea/kernels/onednn/engine.h"

namespace fovea {

/// oneDNN's direct kernels work on blocks of 16 channels with AVX-512 (of 8 without, which no
/// Layout has: there channels-last is as fast), and on channels-last values with any number of
/// channels. Images, with few channels, stay plain before blocks; together with channels-last
/// values, oneDNN only accepts channels-last. So do its kernels for tiles of bf16.
Layout preferred_layout(const Type& type) {
  static const bool avx512 = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
  const bool known = is_float(type.dtype) && type.dtype != DType::f64;  // f16 is widened to f32
  if (!known || type.rank() < 3 || type.rank() > 5) return Layout::plain;
  if (!avx512 || (type.dtype == DType::bf16 && onednn::has_tiles())) return Layout::channels_last;
  if (type.dim(1) % 16 == 0) return Layout::blocked16;
  return type.dim(1) <= 4 ? Layout::plain : Layout::channels_last;
}

}  // namespace fovea
