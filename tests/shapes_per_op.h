#pragma once

namespace fovea {

/// The minimum number of random shapes that an op or a kernel is tested with. Sanitizers look at
/// how memory is used, which fewer shapes show as well, and make each take about 20 times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int shapes_per_op = 40;
#else
inline constexpr int shapes_per_op = 200;
#endif

}  // namespace fovea
