#pragma once

namespace fovea {

/// The minimum number of random shapes that an op or a kernel is tested with. Under sanitizers each
/// takes many times as long, and fewer show as well how memory is used.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int shapes_per_op = 40;
#else
inline constexpr int shapes_per_op = 200;
#endif

}  // namespace fovea
