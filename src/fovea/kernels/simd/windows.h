#pragma once

#include <algorithm>
#include <array>

#include "fovea/ops/pool.h"

namespace fovea::simd {

/// Windows over exactly three spatial axes; missing leading axes have size 1. They slide, or are
/// bins of nearly equal size (see adaptive_bin).
struct Windows {
  using Axes = std::array<int64_t, 3>;
  Axes in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1},
      padding{0, 0, 0}, padding_end{0, 0, 0};
  bool bins = false;  ///< kernel is the largest bin's, and stride 0

  /// The taps [begin, end) of window `o` along an axis that lie inside the input, and the position
  /// of the first.
  struct Taps {
    int64_t begin, end, first;
  };
  Taps taps(size_t axis, int64_t o) const {
    if (bins) {
      const Bin bin = adaptive_bin(o, in[axis], out[axis]);
      return {0, bin.end - bin.begin, bin.begin};
    }
    const int64_t start = o * stride[axis] - padding[axis], step = dilation[axis];
    if (step == 1) {  // without divisions, which would cost more than a small window
      const int64_t begin = std::max<int64_t>(0, -start);
      return {begin, std::min(kernel[axis], in[axis] - start), start + begin};
    }
    const int64_t begin = start < 0 ? (-start + step - 1) / step : 0;
    const int64_t behind = (in[axis] - start + step - 1) / step;
    return {begin, std::min(kernel[axis], behind), start + begin * step};
  }

  /// Whether each input lies in exactly one window.
  bool tiles() const {
    for (size_t a = 0; a < 3; ++a) {
      if (bins || stride[a] != kernel[a] || padding[a] != 0 || dilation[a] != 1 ||
          out[a] * stride[a] != in[a]) {
        return false;
      }
    }
    return true;
  }
};

inline int64_t volume(const Windows::Axes& axes) { return axes[0] * axes[1] * axes[2]; }

inline Windows::Axes three_axes(const int64_t* sizes, size_t count) {
  Windows::Axes axes{1, 1, 1};
  std::copy_n(sizes, count, axes.end() - count);
  return axes;
}

inline Windows windows_of(const PoolGeometry& g, const Shape& in, const Shape& out) {
  const size_t count = g.kernel.size();
  Windows w{.in = three_axes(in.begin() + 2, count),
            .out = three_axes(out.begin() + 2, count),
            .kernel = three_axes(g.kernel.data(), count),
            .stride = three_axes(g.stride.data(), count),
            .dilation = three_axes(g.dilation.data(), count)};
  std::copy_n(g.padding_begin.data(), count, w.padding.end() - count);
  std::copy_n(g.padding_end.data(), count, w.padding_end.end() - count);
  return w;
}

/// For adaptive pooling; bins that do not overlap are sliding windows.
inline Windows bins_of(const Shape& in, const Shape& out) {
  const auto count = static_cast<size_t>(in.rank() - 2);
  Windows w{.in = three_axes(in.begin() + 2, count), .out = three_axes(out.begin() + 2, count)};
  for (size_t a = 0; a < 3; ++a) {
    w.bins = w.bins || w.in[a] % w.out[a] != 0;
    w.kernel[a] = w.stride[a] = w.in[a] / w.out[a];
  }
  if (!w.bins) return w;
  for (size_t a = 0; a < 3; ++a) w.kernel[a] = (w.in[a] + w.out[a] - 1) / w.out[a] + 1;
  w.stride = {0, 0, 0};
  return w;
}

/// A value of any layout as planes of rows of `width` channels: how many planes, and the width.
struct Planes {
  int64_t count, width;
};
inline Planes planes_of(const Type& type) {
  switch (type.layout) {
    case Layout::plain:
      return {type.dim(0) * type.dim(1), 1};
    case Layout::channels_last:
      return {type.dim(0), type.dim(1)};
    case Layout::blocked16:
      return {type.dim(0) * type.dim(1) / 16, 16};
  }
  return {};
}

}  // namespace fovea::simd
