// Pooled values put back at their indices, and the gradient; f32, bf16 or f16, any layout. Exact;
// of equal indices the last wins, for any number of threads, which take entire planes.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"

namespace fovea::simd {
namespace {

/// Planes of pooled values and of the elements that their indices refer to.
struct Unpooling {
  Unpooling(const Type& pooled, const Type& full)
      : planes(planes_of(pooled)),
        positions(pooled.shape.slice(2).numel()),
        full_positions(full.shape.slice(2).numel()) {}

  int64_t pooled_plane() const { return positions * planes.width; }
  int64_t whole_plane() const { return full_positions * planes.width; }
  int64_t grain() const { return elementwise_grain / std::max<int64_t>(1, whole_plane()); }

  /// Calls body(pooled element, full element) for each value of a plane, in order; false at an
  /// index outside it.
  template <class Body>
  bool for_each(const int64_t* indices, const Body& body) const {
    for (int64_t i = 0; i < pooled_plane(); ++i) {
      const int64_t index = indices[i];
      if (index < 0 || index >= full_positions) return false;
      body(i, index * planes.width + i % planes.width);
    }
    return true;
  }

  Planes planes;
  int64_t positions, full_positions;
};

template <class T>
Offer unpool(const Problem& problem) {
  const Unpooling u(problem.in[0], problem.out[0]);
  return offer([u, problem](const Args& args) {
    parallel_for(u.planes.count, u.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* from = args.input<T>(0) + i * u.pooled_plane();
        T* to = args.output<T>(0) + i * u.whole_plane();
        std::fill_n(to, u.whole_plane(), T());
        const bool inside = u.for_each(args.input<int64_t>(1) + i * u.pooled_plane(),
                                       [&](int64_t xi, int64_t yi) { to[yi] = from[xi]; });
        if (!inside) fail_as_reference(problem, args);
      }
    });
  });
}

/// Scratch memory holds for each element of a plane which pooled value it gets.
template <class T>
Offer unpool_backward(const Problem& problem) {
  const Unpooling u(problem.in[0], problem.in[1]);
  const Slots slots(u.planes.count, u.grain(), static_cast<size_t>(u.whole_plane()) * 8, problem);
  const auto run = [u, slots, problem](const Args& args) {
    slots.for_each(args.scratch, [&](int64_t i, std::byte* scratch) {
      auto* owner = reinterpret_cast<int64_t*>(scratch);
      const int64_t* at = args.input<int64_t>(0) + i * u.pooled_plane();
      const T* from = args.input<T>(1) + i * u.whole_plane();
      T* to = args.output<T>(0) + i * u.pooled_plane();
      const auto each = [&](const auto& body) {
        if (!u.for_each(at, body)) fail_as_reference(problem, args);
      };
      each([&](int64_t xi, int64_t yi) { owner[yi] = xi; });
      each([&](int64_t xi, int64_t yi) { to[xi] = owner[yi] == xi ? from[yi] : T(); });
    });
  };
  return offer(run, slots.scratch_bytes());
}

}  // namespace

Offer make_max_unpool(const Problem& problem) {
  if (auto refusal = unless_one_float(problem, 1)) return *refusal;
  return with_float(problem.in[0].dtype, [&]<class T>(T) { return unpool<T>(problem); });
}

Offer make_max_unpool_backward(const Problem& problem) {
  const DType dtype = problem.in[1].dtype;
  if (!is_simd_float(dtype)) return Refusal{simd_floats()};
  return with_float(dtype, [&]<class T>(T) { return unpool_backward<T>(problem); });
}

}  // namespace fovea::simd
