// Ops that move elements of plain values: reshape, concat, slice and its gradient (any dtype), and
// casts to floats. Exact, but for casts to f32, which round once.
#include <cstring>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::simd {
namespace {

/// Copies `rows` runs of `run` bytes; the runs begin `from_stride` and `to_stride` bytes apart.
void copy_runs(const std::byte* from, int64_t from_stride, std::byte* to, int64_t to_stride,
               int64_t run, int64_t rows) {
  if (rows == 1) {
    parallel_for(run, 4 * elementwise_grain, [&](int64_t begin, int64_t end) {
      std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
    });
    return;
  }
  const int64_t grain = 4 * elementwise_grain / std::max<int64_t>(1, run);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      std::memcpy(to + row * to_stride, from + row * from_stride, static_cast<size_t>(run));
  });
}

/// How the elements of one value lie inside a larger one that differs from it along `axis` only.
struct Part {
  Part(const Type& whole, const Type& part, int axis) {
    const int64_t inner =
        part.shape.slice(axis + 1).numel() * static_cast<int64_t>(size_of(part.dtype));
    rows = part.shape.slice(0, axis).numel();
    step = inner;
    run = part.dim(axis) * inner;
    stride = whole.dim(axis) * inner;
  }
  int64_t rows, step, run, stride;  ///< bytes: of one place along the axis, of a run, between runs
};

template <class From, class To>
Offer cast_kernel(int64_t count) {
  return offer([count](const Args& args) {
    const From* x = args.input<From>(0);
    To* y = args.output<To>(0);
    parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<To>(x[i]);
    });
  });
}

template <class From>
Offer cast_from(DType to, int64_t count) {
  switch (to) {
    case DType::f32:
      return cast_kernel<From, float>(count);
    case DType::f64:
      return cast_kernel<From, double>(count);
    default:
      return Refusal{"only casts to f32 and f64"};
  }
}

}  // namespace

Offer make_reshape(const Problem& problem) {
  const auto bytes = static_cast<int64_t>(problem.in[0].bytes());
  return offer(
      [bytes](const Args& args) { copy_runs(args.in[0], bytes, args.out[0], bytes, bytes, 1); });
}

Offer make_concat(const Problem& problem) {
  std::vector<Part> parts;
  for (const Type& type : problem.in)
    parts.emplace_back(problem.out[0], type, problem.op.as<Concat>()->axis);
  return offer([parts](const Args& args) {
    std::byte* to = args.out[0];
    for (size_t i = 0; i < parts.size(); ++i) {
      const Part& p = parts[i];
      copy_runs(args.in[i], p.run, to, p.stride, p.run, p.rows);
      to += p.run;
    }
  });
}

Offer make_slice(const Problem& problem) {
  const Slice op = *problem.op.as<Slice>();
  const Part p(problem.in[0], problem.out[0], op.axis);
  return offer([p, op](const Args& args) {
    copy_runs(args.in[0] + op.begin * p.step, p.stride, args.out[0], p.run, p.run, p.rows);
  });
}

Offer make_slice_backward(const Problem& problem) {
  const SliceBackward op = *problem.op.as<SliceBackward>();
  const Part p(problem.out[0], problem.in[0], op.axis);
  return offer([p, op, bytes = problem.out[0].bytes()](const Args& args) {
    std::memset(args.out[0], 0, bytes);
    copy_runs(args.in[0], p.run, args.out[0] + op.begin * p.step, p.stride, p.run, p.rows);
  });
}

Offer make_cast(const Problem& problem) {
  const DType to = problem.out[0].dtype;
  const int64_t count = problem.in[0].numel();
  switch (problem.in[0].dtype) {
    case DType::f32:
      return cast_from<float>(to, count);
    case DType::f64:
      return cast_from<double>(to, count);
    case DType::i64:
      return cast_from<int64_t>(to, count);
    case DType::i32:
      return cast_from<int32_t>(to, count);
    case DType::u8:
      return cast_from<uint8_t>(to, count);
    default:
      return Refusal{"only casts from f32, f64, i64, i32 and u8"};
  }
}

}  // namespace fovea::simd
