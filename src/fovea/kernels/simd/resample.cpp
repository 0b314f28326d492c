// Padding, resizing and their gradients, f32, bf16 or f16, any layout, 1 to 3 axes: linear maps
// that act on each spatial axis separately, the gradients by the transposed maps. Rows are combined
// first, then elements along the last axis, each output on its own and in the order of its sources:
// results do not depend on the number of threads. Exact if nothing is added; else the error bound
// is 4 eps of the inputs' absolute values, and 1 more for each source of an output along an axis;
// for bf16 (f16) another 2^-8 (2^-11) of the value.
#include <limits>
#include <type_traits>

#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/upsample.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/resample.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_RESAMPLE
#define FOVEA_KERNELS_SIMD_RESAMPLE
namespace fovea::simd {
namespace {

/// How an axis is computed from another: output `to` is the weighted sum of its sources, with
/// weights other than 0.
class AxisMap {
 public:
  struct Source {
    int64_t to, from;
    double weight;
  };
  /// Outputs in groups that vectors load at once: source k of all 16 outputs is contiguous, with
  /// weight 0 if an output has fewer.
  static constexpr int64_t width = 16;
  struct Group {
    const int32_t* from;
    const float* weight;
    int64_t depth;  ///< the largest number of sources of an output
    bool run;       ///< one source each, with weight 1, contiguous
  };

  AxisMap(int64_t out, const std::vector<Source>& sources) : out_(out) {
    const auto groups = static_cast<size_t>((out + width - 1) / width);
    std::vector<int64_t> count(static_cast<size_t>(out), 0), depth(groups, 0);
    for (const Source& s : sources) {
      int64_t& group_depth = depth[static_cast<size_t>(s.to / width)];
      group_depth = std::max(group_depth, ++count[static_cast<size_t>(s.to)]);
    }
    first_.push_back(0);
    for (int64_t d : depth) first_.push_back(first_.back() + d * width);
    from_.assign(static_cast<size_t>(first_.back()), 0);
    weight_.assign(static_cast<size_t>(first_.back()), 0);
    std::fill(count.begin(), count.end(), 0);
    for (const Source& s : sources) {
      const auto at =
          static_cast<size_t>(first_[static_cast<size_t>(s.to / width)] +
                              count[static_cast<size_t>(s.to)]++ * width + s.to % width);
      from_[at] = static_cast<int32_t>(s.from);
      weight_[at] = static_cast<float>(s.weight);
    }
    run_.assign(groups, false);
    for (size_t g = 0; g < groups; ++g) run_[g] = is_run(static_cast<int64_t>(g));
    copies_ = std::all_of(depth.begin(), depth.end(), [](int64_t d) { return d <= 1; }) &&
              std::all_of(weight_.begin(), weight_.end(), [](float w) { return w == 0 || w == 1; });
  }

  int64_t size() const { return out_; }
  Group group(int64_t g) const {
    const auto i = static_cast<size_t>(g);
    return {from_.data() + first_[i], weight_.data() + first_[i],
            (first_[i + 1] - first_[i]) / width, run_[i]};
  }
  /// Whether no output is a sum.
  bool copies() const { return copies_; }

 private:
  bool is_run(int64_t g) const {
    const Group group = this->group(g);
    if (group.depth != 1) return false;
    const int64_t count = std::min(width, out_ - g * width);
    for (int64_t i = 0; i < count; ++i) {
      if (group.weight[i] != 1 || group.from[i] != group.from[0] + i) return false;
    }
    return true;
  }

  int64_t out_;
  std::vector<int64_t> first_;
  std::vector<int32_t> from_;
  std::vector<float> weight_;
  std::vector<bool> run_;
  bool copies_;
};

/// The maps of three axes, over planes of rows of `width` channels; `constant` is the value of an
/// output without sources.
struct Resample {
  DType dtype;
  Windows::Axes in, out;
  std::vector<AxisMap> maps;
  int64_t width;
  float constant;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Calls body(from, weight) for each source of an output.
template <class Body>
HWY_INLINE void for_each_source(const AxisMap& map, int64_t to, const Body& body) {
  const AxisMap::Group g = map.group(to / AxisMap::width);
  for (int64_t k = to % AxisMap::width; k < g.depth * AxisMap::width; k += AxisMap::width) {
    if (g.weight[k] == 0) return;
    body(g.from[k], g.weight[k]);
  }
}

/// A row in plain layout.
template <class T>
HWY_INLINE void map_positions(const AxisMap& map, float constant, const float* x, T* y) {
  const hn::RebindToSigned<F32> integers;
  for (int64_t o = 0; o < map.size(); o += AxisMap::width) {
    const AxisMap::Group group = map.group(o / AxisMap::width);
    const int64_t count = std::min(AxisMap::width, map.size() - o);
    for_each_vector(0, count, [&](int64_t i, auto at) FOVEA_INLINE {
      if (group.run) return at.store(at.load(x + group.from[0] + i), y + o + i);
      V sum = all(constant);
      for (int64_t k = 0; k < group.depth; ++k) {
        const V weight = hn::LoadU(F32(), group.weight + k * AxisMap::width + i);
        const auto from = hn::LoadU(integers, group.from + k * AxisMap::width + i);
        const V value = hn::GatherIndex(F32(), x, from), none = hn::Zero(F32());
        const V next = k == 0 ? hn::Mul(weight, value) : hn::MulAdd(weight, value, sum);
        sum = hn::IfThenElse(hn::Eq(weight, none), sum, next);
      }
      at.store(sum, y + o + i);
    });
  }
}

/// A row with adjacent channels.
template <class T>
HWY_INLINE void map_channels(const AxisMap& map, int64_t width, float constant, const float* x,
                             T* y) {
  for (int64_t o = 0; o < map.size(); ++o, y += width) {
    for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
      V sum = all(constant);
      bool first = true;
      for_each_source(map, o, [&](int64_t from, float weight) FOVEA_INLINE {
        const V value = at.load(x + from * width + c);
        sum = first ? hn::Mul(all(weight), value) : hn::MulAdd(all(weight), value, sum);
        first = false;
      });
      at.store(sum, y + c);
    });
  }
}

/// Row `row` of the out[0] * out[1] rows of a plane; `mixed` has space for a row of x.
template <class T>
HWY_INLINE void resample_as(const Resample& r, int64_t row, const T* x, float* mixed, T* y) {
  const int64_t length = r.in[2] * r.width;
  const T* first = nullptr;
  float share = 1;
  bool is_mixed = false;
  const auto mix = [&](const T* next, float weight) FOVEA_INLINE {
    for_each_vector(0, length, [&](int64_t i, auto at) FOVEA_INLINE {
      V sum = is_mixed ? at.load(mixed + i) : hn::Mul(all(share), at.load(first + i));
      if (next != nullptr) sum = hn::MulAdd(all(weight), at.load(next + i), sum);
      at.store(sum, mixed + i);
    });
    is_mixed = true;
  };
  for_each_source(r.maps[0], row / r.out[1], [&](int64_t z, float z_weight) {
    for_each_source(r.maps[1], row % r.out[1], [&](int64_t y_from, float y_weight) {
      const T* next = x + (z * r.in[1] + y_from) * length;
      if (first != nullptr) return mix(next, z_weight * y_weight);
      first = next;
      share = z_weight * y_weight;
    });
  });
  y += row * r.out[2] * r.width;
  if (first == nullptr) {
    std::fill_n(y, r.out[2] * r.width, static_cast<T>(r.constant));
    return;
  }
  if (!is_mixed && (share != 1 || !std::is_same_v<T, float>)) mix(nullptr, 0);
  const float* source = mixed;
  if constexpr (std::is_same_v<T, float>) source = is_mixed ? mixed : first;
  r.width == 1 ? map_positions(r.maps[2], r.constant, source, y)
               : map_channels(r.maps[2], r.width, r.constant, source, y);
}

/// `x` and `y` point to their planes.
void resample_row(const Resample& r, int64_t row, const std::byte* x, float* mixed, std::byte* y) {
  with_element(r.dtype, [&]<class T>(T) { resample_as(r, row, as<T>(x), mixed, as<T>(y)); });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(resample_row);

/// The sources of each output along one axis.
using Sources = std::vector<AxisMap::Source>;

Sources padded(const Pad& op, size_t axis, int64_t in) {
  Sources sources;
  for (int64_t i = 0; i < op.begin[axis] + in + op.end[axis]; ++i) {
    const int64_t from = pad_source(op.mode, i - op.begin[axis], in);
    if (from >= 0) sources.push_back({i, from, 1});
  }
  return sources;
}

Sources resized(const Upsample& op, size_t axis, int64_t in) {
  Sources sources;
  for (int64_t i = 0; i < op.output[axis]; ++i) {
    const Between b = between(op, axis, i, in);
    if (b.share != 0 && b.high != b.low) {
      sources.push_back({i, b.low, 1 - b.share});
      sources.push_back({i, b.high, b.share});
    } else {
      sources.push_back({i, b.low, 1});
    }
  }
  return sources;
}

/// Computes y from x by the maps `sources_of(axis, its size in the op's input)`: an op, or
/// (`transposed`) its gradient.
template <class SourcesOf>
Offer resample(const Problem& problem, bool transposed, float constant,
               const SourcesOf& sources_of) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Type &x = problem.in[0], &y = problem.out[0];
  if (y.numel() == 0) return offer([](const Args&) {});
  const auto count = static_cast<size_t>(x.rank() - 2);
  const Planes planes = planes_of(x);
  Resample r{x.dtype,
             three_axes(x.shape.begin() + 2, count),
             three_axes(y.shape.begin() + 2, count),
             {},
             planes.width,
             constant};
  for (size_t a = 0; a < 3; ++a) {
    if (r.in[a] > std::numeric_limits<int32_t>::max())
      return Refusal{"only axes of up to 2^31 elements"};
    Sources sources{{0, 0, 1}};
    if (a + count >= 3) sources = sources_of(a + count - 3, transposed ? r.out[a] : r.in[a]);
    if (transposed) {
      for (AxisMap::Source& s : sources) std::swap(s.to, s.from);
    }
    r.maps.emplace_back(r.out[a], sources);
  }
  const int64_t rows = r.out[0] * r.out[1], row = std::max(r.in[2], r.out[2]) * r.width;
  const bool mixes = x.dtype != DType::f32 || !r.maps[0].copies() || !r.maps[1].copies();
  const Slots slots(planes.count * rows, elementwise_grain / row,
                    mixes ? static_cast<size_t>(r.in[2] * r.width) * sizeof(float) : 0, problem);
  const auto element = static_cast<int64_t>(size_of(x.dtype));
  const int64_t from = volume(r.in) * r.width * element, to = volume(r.out) * r.width * element;
  const auto run = [=](const Args& args) {
    slots.for_each(args.scratch, [&](int64_t i, std::byte* scratch) {
      const int64_t plane = i / rows;
      HWY_DYNAMIC_DISPATCH(resample_row)
      (r, i % rows, args.in[0] + plane * from, reinterpret_cast<float*>(scratch),
       args.out[0] + plane * to);
    });
  };
  return offer(run, slots.scratch_bytes());
}

}  // namespace

Offer make_pad(const Problem& problem) {
  const Pad& op = problem.op.get<Pad>();
  return resample(problem, false, static_cast<float>(op.value),
                  [&](size_t axis, int64_t size) { return padded(op, axis, size); });
}

Offer make_pad_backward(const Problem& problem) {
  const Pad& op = problem.op.get<PadBackward>().pad;
  return resample(problem, true, 0,
                  [&](size_t axis, int64_t size) { return padded(op, axis, size); });
}

Offer make_upsample(const Problem& problem) {
  const Upsample& op = problem.op.get<Upsample>();
  return resample(problem, false, 0,
                  [&](size_t axis, int64_t size) { return resized(op, axis, size); });
}

Offer make_upsample_backward(const Problem& problem) {
  const Upsample& op = problem.op.get<UpsampleBackward>().upsample;
  return resample(problem, true, 0,
                  [&](size_t axis, int64_t size) { return resized(op, axis, size); });
}

}  // namespace fovea::simd
#endif
