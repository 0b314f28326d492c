// Sums over leading and trailing axes (gradients of biases, sums of everything), f32: in floats
// inside fixed chunks of at most 1024 values, in double across them, in order, so results do not
// depend on the number of threads. Error bound: 16 eps of the inputs' absolute values.
#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/sum_to.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/channels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

void sum_chunk(const float* x, const Channels& c, int64_t block, int64_t chunk, float* sum) {
  const auto add = [&](auto) FOVEA_INLINE {
    return [x](auto at, int64_t i, Sums<1>& s)
               FOVEA_INLINE { s[0] = hn::Add(s[0], at.load(x + i)); };
  };
  walk_chunk<1>(c, block, chunk, add, &sum);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(sum_chunk);

/// x as [before, kept, behind], of which the outer two are summed; nothing when the axes that are
/// kept do not lie side by side.
std::optional<Channels> kept_axes(const Shape& x, const Shape& y) {
  const int missing = x.rank() - y.rank();
  const auto kept = [&](int axis) { return axis >= missing && y[axis - missing] == x[axis]; };
  int begin = 0, end = x.rank();
  while (begin < end && (x[begin] == 1 || !kept(begin))) ++begin;
  while (end > begin && (x[end - 1] == 1 || !kept(end - 1))) --end;
  for (int axis = begin; axis < end; ++axis) {
    if (!kept(axis)) return std::nullopt;
  }
  const int64_t before = x.slice(0, begin).numel(), behind = x.slice(end).numel();
  return channels(before, x.slice(begin, end).numel(), behind, 1);
}

}  // namespace

Offer make_sum_to(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const auto found = kept_axes(problem.in[0].shape, problem.out[0].shape);
  if (!found) return Refusal{"only sums over leading and trailing axes"};
  const Channels c = *found;
  const auto run = [c](const Args& args) {
    auto* sums = reinterpret_cast<float*>(args.scratch);
    for_each_chunk(c, [&](int64_t block, int64_t chunk) {
      HWY_DYNAMIC_DISPATCH(sum_chunk)
      (args.input<float>(0), c, block, chunk, sums + chunk * c.channels() + block * c.width);
    });
    for (int64_t channel = 0; channel < c.channels(); ++channel)
      args.output<float>(0)[channel] = static_cast<float>(join_sums(c, sums, channel));
  };
  return offer(run, static_cast<size_t>(checked_product(c.channels(), c.chunks() * 4)));
}

}  // namespace fovea::simd
#endif
