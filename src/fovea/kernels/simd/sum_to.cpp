// Sums over any axes (gradients of broadcast values, total sums) of a value, or of the products of
// two in the same layout, f32, bf16 or f16, any layout: in floats within fixed chunks of at most
// 1024 values, in double across them, in order, so results do not depend on the number of threads.
// Up to two groups of neighbouring axes are summed at once, more in several stages. Error bound:
// 16 eps of the inputs' absolute values; for bf16 (f16) another 2^-8 (2^-11) of the sum.
#include <cstring>

#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/walk.h"
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

/// The sums of x, or of x * factor unless that is null.
void sum_chunk(DType dtype, const std::byte* x, const std::byte* factor, const Channels& c,
               int64_t block, int64_t chunk, float* sum) {
  with_element(dtype, [&]<class T>(T) {
    const T *a = as<T>(x), *b = as<T>(factor);
    const auto add = [&](auto) FOVEA_INLINE {
      return [=](auto at, int64_t i, Sums<1>& s)
                 FOVEA_INLINE { s[0] = hn::Add(s[0], at.load(a + i)); };
    };
    const auto add_products = [&](auto) FOVEA_INLINE {
      return [=](auto at, int64_t i, Sums<1>& s)
                 FOVEA_INLINE { s[0] = hn::MulAdd(at.load(a + i), at.load(b + i), s[0]); };
    };
    if (b == nullptr)
      walk_chunk<1>(c, block, chunk, add, &sum);
    else
      walk_chunk<1>(c, block, chunk, add_products, &sum);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(sum_chunk);

/// Which axes of x, in memory order, are summed.
struct Sum {
  int64_t size;
  bool summed;
};

/// Nothing if the sum's memory order differs from that of x.
std::optional<std::vector<Sum>> axes_of(const Type& x, const Type& y) {
  std::vector<Sum> axes;
  int64_t step = 1;  // of y
  const Axes<2> walked = walk<2>({&x, &y});
  for (size_t i = walked.size(); i-- > 0;) {
    const Axis<2>& axis = walked[i];
    const bool summed = axis.step[1] == 0;
    if (!summed && axis.step[1] != step) return std::nullopt;
    if (!summed) step *= axis.size;
    axes.insert(axes.begin(), {axis.size, summed});
  }
  return axes;
}

/// The axes as [summed, kept, summed, kept], if they have that form.
std::optional<Channels> as_channels(const std::vector<Sum>& axes) {
  int64_t sizes[4] = {1, 1, 1, 1};
  size_t at = 0;
  for (const Sum& axis : axes) {
    if (axis.summed == (at % 2 == 1)) ++at;
    if (at >= 4) return std::nullopt;
    sizes[at++] = axis.size;
  }
  return channels(sizes[0], sizes[1], sizes[2], sizes[3]);
}

/// The successive sums that lead from x to y.
std::vector<Channels> stages_of(std::vector<Sum> axes) {
  std::vector<Channels> stages;
  while (true) {
    if (const auto all = as_channels(axes)) {
      stages.push_back(*all);
      return stages;
    }
    int64_t after = 1;
    for (; !axes.back().summed; axes.pop_back()) after *= axes.back().size;
    const int64_t summed = axes.back().size;
    axes.pop_back();
    int64_t before = 1;
    for (const Sum& axis : axes) before *= axis.size;
    stages.push_back(channels(1, before, summed, after));
    if (!axes.empty() && !axes.back().summed)
      axes.back().size *= after;
    else
      axes.push_back({after, false});
  }
}

template <class T>
void join_chunks(const Channels& c, const float* sums, T* y) {
  const int64_t grain = elementwise_grain / std::max<int64_t>(1, c.chunks());
  parallel_for(c.channels(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t channel = begin; channel < end; ++channel)
      y[channel] = static_cast<T>(static_cast<float>(join_sums(c, sums, channel)));
  });
}

/// Sums x, or the products with a factor, of dtype `from`, into y of dtype `to`.
void run_stage(const Channels& c, DType from, const std::byte* x, const std::byte* factor,
               float* sums, DType to, std::byte* y) {
  for_each_chunk(c, [&](int64_t block, int64_t chunk) {
    HWY_DYNAMIC_DISPATCH(sum_chunk)
    (from, x, factor, c, block, chunk, sums + chunk * c.channels() + block * c.width);
  });
  with_float(to, [&]<class T>(T) { join_chunks(c, sums, reinterpret_cast<T*>(y)); });
}

Offer make_sums(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Type &x = problem.in[0], &y = problem.out[0];
  if (x.numel() == 0) {
    return offer([bytes = y.bytes()](const Args& args) { std::memset(args.out[0], 0, bytes); });
  }
  const auto axes = axes_of(x, y);
  if (!axes) return Refusal{"only sums in the memory order of their input"};
  const std::vector<Channels> stages = stages_of(*axes);
  // Scratch memory: sums of chunks, then the result of each stage but the last.
  const auto bytes = [](int64_t floats) {
    return align_up(static_cast<size_t>(checked_product(floats, 4)));
  };
  size_t end = 0;
  for (const Channels& c : stages)
    end = std::max(end, bytes(checked_product(c.channels(), c.chunks())));
  std::vector<size_t> results;
  for (const Channels& c : stages) {
    results.push_back(end);
    end += bytes(c.channels());
  }
  const auto run = [stages, results, dtype = x.dtype](const Args& args) {
    const std::byte *from = args.in[0], *factor = args.in.size() > 1 ? args.in[1] : nullptr;
    for (size_t i = 0; i < stages.size(); ++i) {
      const bool last = i + 1 == stages.size();
      std::byte* to = last ? args.out[0] : args.scratch + results[i];
      run_stage(stages[i], i == 0 ? dtype : DType::f32, from, factor,
                reinterpret_cast<float*>(args.scratch), last ? dtype : DType::f32, to);
      from = to, factor = nullptr;
    }
  };
  return offer(run, results.back());
}

}  // namespace

Offer make_sum_to(const Problem& problem) { return make_sums(problem); }

Offer make_sum_of_products(const Problem& problem) {
  if (problem.in[0].layout != problem.in[1].layout) return Refusal{"factors in different layouts"};
  return make_sums(problem);
}

}  // namespace fovea::simd
#endif
