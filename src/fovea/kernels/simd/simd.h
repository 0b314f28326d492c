#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "fovea/core/parallel.h"
#include "fovea/kernels/kernel.h"

namespace fovea::simd {

/// Every kernel in this folder gives the same bits for any number of threads: work is split into
/// chunks that do not depend on the team, and partial sums are added in order. The test harness
/// runs each with 1, 2 and 3 threads and compares the bytes.

/// A kernel that is one function of Args (and of its captures). `in_place` is a function of an
/// input and an output: see Kernel.
template <class Run, class InPlace>
class FunctionKernel final : public Kernel {
 public:
  FunctionKernel(Run run, size_t scratch, InPlace in_place)
      : run_(std::move(run)), scratch_(scratch), in_place_(std::move(in_place)) {}
  void run(const Args& args) const override { run_(args); }
  size_t scratch_bytes() const override { return scratch_; }
  bool in_place(size_t input, size_t output) const override { return in_place_(input, output); }

 private:
  Run run_;
  size_t scratch_;
  InPlace in_place_;
};

template <class Run, class InPlace>
Offer offer(Run run, size_t scratch_bytes, InPlace in_place) {
  return std::make_unique<FunctionKernel<Run, InPlace>>(std::move(run), scratch_bytes,
                                                        std::move(in_place));
}
template <class Run>
Offer offer(Run run, size_t scratch_bytes = 0) {
  return offer(std::move(run), scratch_bytes, [](size_t, size_t) { return false; });
}
/// A kernel that reads each element before it writes it.
template <class Run>
Offer offer_in_place(Run run) {
  return offer(std::move(run), 0, [](size_t, size_t) { return true; });
}

/// Nothing if all inputs and outputs are f32; inputs from `checked` on are ignored.
inline std::optional<Refusal> unless_f32(const Problem& problem, size_t checked = SIZE_MAX) {
  for (size_t i = 0; i < std::min(checked, problem.in.size()); ++i) {
    if (problem.in[i].dtype != DType::f32) return Refusal{"only f32"};
  }
  for (const Type& type : problem.out) {
    if (type.dtype != DType::f32) return Refusal{"only f32"};
  }
  return std::nullopt;
}

/// Whether vectors are loaded from 16-bit floats: not under SSE4, which has no instructions for
/// them and would add a fifth to the time to compile; there problems are widened to f32.
bool has_half_vectors();
bool has_avx512();  ///< vectors are entire lines of the caches

inline bool is_simd_float(DType dtype) {
  return dtype == DType::f32 ||
         ((dtype == DType::bf16 || dtype == DType::f16) && has_half_vectors());
}
/// Why it is false.
inline const char* simd_floats() {
  return has_half_vectors() ? "only f32, bf16 or f16" : "only f32, under SSE4";
}

/// Nothing if all inputs and outputs have the same of f32, bf16 and f16; inputs from `checked` on
/// are ignored.
inline std::optional<Refusal> unless_one_float(const Problem& problem, size_t checked = SIZE_MAX) {
  const DType dtype = problem.in[0].dtype;
  const auto fits = [&](const Type& type) { return type.dtype == dtype; };
  const std::span<const Type> in(problem.in.data(), std::min(checked, problem.in.size()));
  if (is_simd_float(dtype) && std::ranges::all_of(in, fits) &&
      std::ranges::all_of(problem.out, fits))
    return std::nullopt;
  return Refusal{simd_floats()};
}

/// Nothing if all values of in[0]'s rank have the same of f32, bf16 and f16, and the rest (scales,
/// statistics, their gradients) are f32.
inline std::optional<Refusal> unless_float_beside_f32(const Problem& problem) {
  const Type& x = problem.in[0];
  const auto fits = [&](const Type& type) {
    return type.dtype == (type.rank() == x.rank() ? x.dtype : DType::f32);
  };
  if (is_simd_float(x.dtype) && std::ranges::all_of(problem.in, fits) &&
      std::ranges::all_of(problem.out, fits))
    return std::nullopt;
  return Refusal{has_half_vectors() ? "only f32, or bf16 or f16 beside f32" : simd_floats()};
}

/// f(a value of the C++ type), for f32, bf16 and f16.
template <class F>
auto with_float(DType dtype, const F& f) {
  switch (dtype) {
    case DType::bf16:
      return f(Bf16());
    case DType::f16:
      return f(F16());
    default:
      return f(float());
  }
}

/// The number of elements that is worth a thread when they are only read and written.
inline constexpr int64_t elementwise_grain = 16384;

/// For data that an op rejects at run time: runs its reference, which throws the op's own error.
void fail_as_reference(const Problem& problem, const Args& args);

/// Work on [0, n) that needs scratch memory for each item: one piece for each thread that is worth
/// it.
class Slots {
 public:
  Slots(int64_t n, int64_t grain, size_t bytes, const Problem& problem)
      : n_(n),
        count_(std::clamp<int64_t>(n / std::max<int64_t>(1, grain), 1, problem.threads)),
        bytes_(align_up(bytes)) {}

  size_t scratch_bytes() const {
    return static_cast<size_t>(checked_product(count_, static_cast<int64_t>(bytes_)));
  }

  /// Calls body(i, its scratch memory) for each i, in parallel.
  template <class Body>
  void for_each(std::byte* scratch, const Body& body) const {
    parallel_for(count_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        std::byte* own = scratch + static_cast<size_t>(slot) * bytes_;
        for (int64_t i = n_ * slot / count_; i < n_ * (slot + 1) / count_; ++i) body(i, own);
      }
    });
  }

 private:
  int64_t n_, count_;
  size_t bytes_;
};

/// The families, each in its own file: each makes a kernel or refuses.
Offer make_reorder(const Problem& problem);
Offer make_normalize_images(const Problem& problem);
/// Where weights are fixed, channels-last, as pixels are stored: convolutions take any layout then.
std::vector<Layouts> normalize_images_layouts(const Problem& problem);
Offer make_unary(const Problem& problem);
Offer make_unary_backward(const Problem& problem);
Offer make_binary(const Problem& problem);
Offer make_affine(const Problem& problem);
Offer make_broadcast_binary(const Problem& problem);
Offer make_broadcast_to(const Problem& problem);
Offer make_increment(const Problem& problem);
Offer make_batch_norm(const Problem& problem);
Offer make_batch_norm_statistics(const Problem& problem);
Offer make_batch_norm_eval(const Problem& problem);
Offer make_batch_norm_backward(const Problem& problem);
Offer make_batch_norm_eval_backward(const Problem& problem);
Offer make_max_pool(const Problem& problem);
Offer make_max_pool_backward(const Problem& problem);
Offer make_max_pool_indices(const Problem& problem);
Offer make_max_unpool(const Problem& problem);
Offer make_max_unpool_backward(const Problem& problem);
Offer make_adaptive_max_pool(const Problem& problem);
Offer make_adaptive_max_pool_backward(const Problem& problem);
Offer make_avg_pool(const Problem& problem);
Offer make_avg_pool_backward(const Problem& problem);
Offer make_adaptive_avg_pool(const Problem& problem);
Offer make_adaptive_avg_pool_backward(const Problem& problem);
Offer make_softmax(const Problem& problem);
Offer make_softmax_backward(const Problem& problem);
Offer make_softmax_cross_entropy(const Problem& problem);
Offer make_softmax_cross_entropy_backward(const Problem& problem);
Offer make_negative_log_likelihood(const Problem& problem);
Offer make_negative_log_likelihood_backward(const Problem& problem);
Offer make_binary_cross_entropy(const Problem& problem);
Offer make_pad(const Problem& problem);
Offer make_pad_backward(const Problem& problem);
Offer make_upsample(const Problem& problem);
Offer make_upsample_backward(const Problem& problem);
Offer make_depthwise_backward_weights(const Problem& problem);
Offer make_fold_batchnorm(const Problem& problem);
Offer make_fold_batchnorm_backward(const Problem& problem);
Offer make_fused_elementwise(const Problem& problem);
Offer make_sum_of_squares(const Problem& problem);
Offer make_sum_to(const Problem& problem);
Offer make_sum_of_products(const Problem& problem);
Offer make_multiply_add(const Problem& problem);
Offer make_dropout(const Problem& problem);
Offer make_permute(const Problem& problem);
Offer make_reshape(const Problem& problem);
Offer make_concat(const Problem& problem);
Offer make_flip(const Problem& problem);
Offer make_roll(const Problem& problem);
Offer make_slice(const Problem& problem);
Offer make_slice_backward(const Problem& problem);
Offer make_cast(const Problem& problem);
Offer make_one_hot(const Problem& problem);
Offer make_layer_norm(const Problem& problem);
Offer make_layer_norm_backward(const Problem& problem);
Offer make_winograd(const Problem& problem);
Offer make_winograd_by_matrices(const Problem& problem);

}  // namespace fovea::simd
