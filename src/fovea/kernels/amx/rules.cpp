// Which problems tiles compute, and their price.
#include "fovea/kernels/rules.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "fovea/kernels/amx/product.h"
#include "fovea/kernels/amx/tiles.h"
#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/fixed_weights.h"
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

/// The weights, or the matrix that stands for them.
const Shape& weights_of(const Problem& problem) {
  if (problem.op.as<MatMul>() != nullptr)
    return (of_weights(problem.op) ? problem.out[0] : problem.in[1]).shape;
  return problem.op.as<Linear>() != nullptr ? problem.in[1].shape : weight_shape(problem);
}

/// Whether windows are what tiles are good at: single pixels, patches, and gradients of strided
/// convolutions with many channels. Others are Winograd's. Where weights are fixed, others compute
/// single pixels as fast, since they need not pack the weights, either.
bool fits_windows(const Problem& problem) {
  if (problem.op.as<Linear>() != nullptr || problem.op.as<MatMul>() != nullptr) return true;
  const ConvGeometry& g = conv_pass(problem.op).geometry;
  const Shape& weight = weights_of(problem);
  if (direct::cuts_patches(g, weight)) return true;
  const bool strided = std::ranges::all_of(g.stride, [](int64_t stride) { return stride > 1; });
  const bool pixels = weight.slice(2).numel() == 1;
  return !weights_fixed && (pixels || (problem.op.as<ConvBackwardData>() != nullptr && strided &&
                                       std::min(weight[0], weight[1]) >= 256));
}

/// Whether numbers take part in so many products that splitting them is worth it: those of x and y,
/// or of the matrices that stand for them, and the weights.
bool has_many_products(const Problem& problem) {
  const bool data = problem.op.as<ConvBackwardData>() != nullptr, gradient = of_weights(problem.op);
  const Type &first = problem.in[data ? 1 : 0], &second = gradient ? problem.in[1] : problem.out[0];
  const double products = problem.op.flops(problem.in, problem.out) / 2;
  const double of_each = products / static_cast<double>(first.numel() + second.numel()),
               of_each_weight = products / static_cast<double>(weights_of(problem).numel());
  return products >= (weights_fixed ? 0.75e9 : 0.4e9) && of_each >= (weights_fixed ? 150 : 75) &&
         (gradient || of_each_weight >= 512);
}

bool is_faster(const Problem& problem) {
  return can_compute(problem) && fits_windows(problem) && has_many_products(problem);
}

/// In multiples of other kernels' times, measured with two threads: 0.55 to 0.75 where there are
/// many products for each value, and 1.0 where there are 50. Work on a core's other hyperthread
/// makes tiles two to four times as slow, and other kernels only a third slower.
double price(const Problem& problem) {
  constexpr double faster = 0.5, slower = 1.2;
  return (is_faster(problem) ? faster : slower) * nominal_seconds(problem);
}

/// Those in which it is faster than others, if there are any.
std::vector<Layouts> layouts(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  Layouts preferred = conv_layouts(problem, preferred_layout(image_type(problem, pass.x)),
                                   preferred_layout(image_type(problem, pass.y)));
  if (!is_faster(in_layouts(problem, preferred))) return {};
  return {std::move(preferred)};
}

}  // namespace

bool available() {
  static const bool tiles = has_tiles() && is_granted();
  return tiles && simd::has_avx512();
}

}  // namespace amx

void add_amx_rules(const RuleSink& add) {
  add(typeid(Conv), {"amx", amx::make, amx::price, amx::layouts});
  add(typeid(ConvBackwardData), {"amx", amx::make, amx::price, amx::layouts});
  add(typeid(ConvBackwardWeights), {"amx", amx::make, amx::price, amx::layouts});
  add(typeid(Linear), {"amx", amx::make, amx::price});
  add(typeid(MatMul), {"amx", amx::make, amx::price});
}

}  // namespace fovea
