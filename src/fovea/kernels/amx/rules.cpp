// Which problems tiles compute, and their price.
#include "fovea/kernels/rules.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "fovea/kernels/amx/product.h"
#include "fovea/kernels/amx/tiles.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/linear.h"

namespace fovea {
namespace amx {
namespace {

namespace direct = simd::direct;

/// Linux saves the tiles of a process only if it has asked for that.
bool is_granted() {
  constexpr int request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

/// Whether the result is the gradient of weights.
bool of_weights(const Op& op) {
  const auto* product = op.as<MatMul>();
  return op.as<ConvBackwardWeights>() != nullptr || (product != nullptr && product->transpose_a);
}

std::optional<Refusal> refuse(const Problem& problem) {
  if (!available()) return Refusal{"needs AMX"};
  if (problem.in[0].dtype != DType::f32) return Refusal{"only f32"};
  return std::nullopt;
}

/// What tiles compute, or why they cannot.
direct::Derived<direct::Pass> pass_of(const Problem& problem) {
  if (auto refusal = refuse(problem)) return *refusal;
  auto derived = direct::pass_of(problem);
  if (const auto* pass = std::get_if<direct::Pass>(&derived)) {
    for (const direct::Convolution& c : pass->parts) {
      if (auto refusal = amx::refuse(c)) return *refusal;
    }
  }
  return derived;
}
direct::Derived<direct::WeightGradient> weight_gradient_of(const Problem& problem) {
  if (auto refusal = refuse(problem)) return *refusal;
  auto derived = direct::weight_gradient_of(problem);
  if (const auto* gradient = std::get_if<direct::WeightGradient>(&derived)) {
    if (auto refusal = amx::refuse(gradient->c)) return *refusal;
    if (gradient->c.taps() != 1) return Refusal{"only windows of single pixels"};
  }
  return derived;
}
bool can_compute(const Problem& problem) {
  return of_weights(problem.op)
             ? std::holds_alternative<direct::WeightGradient>(weight_gradient_of(problem))
             : std::holds_alternative<direct::Pass>(pass_of(problem));
}

Offer make(const Problem& problem) {
  if (of_weights(problem.op)) {
    const auto derived = weight_gradient_of(problem);
    if (const auto* refusal = std::get_if<Refusal>(&derived)) return *refusal;
    return make_weights_kernel(std::get<direct::WeightGradient>(derived), problem.threads);
  }
  auto derived = pass_of(problem);
  if (const auto* refusal = std::get_if<Refusal>(&derived)) return *refusal;
  return make_product_kernel(std::get<direct::Pass>(std::move(derived)), problem.threads);
}

/// Whether there are so many products for each number that is read or written, and each weight,
/// that splitting these is worth it.
bool has_many_products(const Problem& problem) {
  const bool gradient = of_weights(problem.op);
  const Type &x = problem.in[0], &w = gradient ? problem.out[0] : problem.in[1],
             &y = gradient ? problem.in[1] : problem.out[0];
  const double products = problem.op.flops(problem.in, problem.out) / 2;
  return products >= 0.4e9 && products >= 250 * static_cast<double>(x.numel() + y.numel()) &&
         (gradient || products >= 512 * static_cast<double>(w.numel()));
}

/// In multiples of other kernels' times, measured with two threads: where there are many products
/// for each value 0.55 to 0.75, and where there are 50, 1.0. But what runs on a core's other
/// hyperthread makes tiles three times as slow, and other kernels only 1.1 to 1.4 times. Then large
/// products of matrices take 0.8 to 1.1 times as long as others, and convolutions 1.0 to 1.4 times:
/// they are left to others unless they are measured to be faster (--tune).
double price(const Problem& problem) {
  constexpr double faster = 0.5, slower = 2;
  const bool matrices = problem.op.as<Linear>() != nullptr || problem.op.as<MatMul>() != nullptr;
  const bool chosen = matrices && can_compute(problem) && has_many_products(problem);
  return (chosen ? faster : slower) * nominal_seconds(problem);
}

}  // namespace

bool available() {
  static const bool tiles = has_tiles() && is_granted();
  return tiles && simd::has_avx512();
}

}  // namespace amx

void add_amx_rules(const RuleSink& add) {
  add(typeid(Conv), {"amx", amx::make, amx::price});
  add(typeid(ConvBackwardData), {"amx", amx::make, amx::price});
  add(typeid(ConvBackwardWeights), {"amx", amx::make, amx::price});
  add(typeid(Linear), {"amx", amx::make, amx::price});
  add(typeid(MatMul), {"amx", amx::make, amx::price});
}

}  // namespace fovea
