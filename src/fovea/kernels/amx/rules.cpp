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

bool available() {
  static const bool tiles = has_tiles() && is_granted();
  return tiles && simd::has_avx512();
}

std::optional<Refusal> refuse(const Problem& problem) {
  if (!available()) return Refusal{"needs AMX"};
  if (problem.in[0].dtype != DType::f32) return Refusal{"only f32"};
  return std::nullopt;
}

Offer make_product(const Problem& problem) {
  if (auto refusal = refuse(problem)) return *refusal;
  auto derived = direct::pass_of(problem);
  if (const auto* refusal = std::get_if<Refusal>(&derived)) return *refusal;
  auto& pass = std::get<direct::Pass>(derived);
  for (const direct::Convolution& c : pass.parts) {
    if (auto refusal = amx::refuse(c)) return *refusal;
  }
  return make_product_kernel(std::move(pass), problem.threads);
}

Offer make_weights(const Problem& problem) {
  if (auto refusal = refuse(problem)) return *refusal;
  const auto derived = direct::weight_gradient_of(problem);
  if (const auto* refusal = std::get_if<Refusal>(&derived)) return *refusal;
  const auto& gradient = std::get<direct::WeightGradient>(derived);
  if (auto refusal = amx::refuse(gradient.c)) return *refusal;
  if (gradient.c.taps() != 1) return Refusal{"only windows of single pixels"};
  return make_weights_kernel(gradient, problem.threads);
}

Offer make_matmul(const Problem& problem) {
  return problem.op.get<MatMul>().transpose_a ? make_weights(problem) : make_product(problem);
}

/// Whether the result is the gradient of weights.
bool of_weights(const Op& op) {
  const auto* product = op.as<MatMul>();
  return op.as<ConvBackwardWeights>() != nullptr || (product != nullptr && product->transpose_a);
}

/// Products for each value of x and y, or of the matrices that stand for them.
double products_for_each(const Problem& problem) {
  const bool data = problem.op.as<ConvBackwardData>() != nullptr;
  const Type &first = problem.in[data ? 1 : 0],
             &second = of_weights(problem.op) ? problem.in[1] : problem.out[0];
  return problem.op.flops(problem.in, problem.out) / 2 /
         static_cast<double>(first.numel() + second.numel());
}

/// The weights, or the matrix that stands for them.
const Shape& weights_of(const Problem& problem) {
  if (problem.op.as<MatMul>() != nullptr)
    return (of_weights(problem.op) ? problem.out[0] : problem.in[1]).shape;
  return problem.op.as<Linear>() != nullptr ? problem.in[1].shape : weight_shape(problem);
}

/// Whether windows are what tiles are good at: single pixels, patches, and where the gradient of
/// strides has many channels. Others are Winograd's.
bool fits_windows(const Problem& problem) {
  const Shape& weight = weights_of(problem);
  if (weight[0] % tile != 0 || weight[1] % tile != 0) return false;
  if (problem.op.as<Linear>() != nullptr || problem.op.as<MatMul>() != nullptr)
    return weight.rank() == 2;
  const ConvGeometry& g = conv_pass(problem.op).geometry;
  if (g.groups != 1) return false;
  if (direct::cuts_patches(g, weight)) return true;
  const bool strided = std::ranges::all_of(g.stride, [](int64_t stride) { return stride > 1; });
  const bool pixels = weight.slice(2).numel() == 1;
  return !weights_fixed && (pixels || (problem.op.as<ConvBackwardData>() != nullptr && strided &&
                                       std::min(weight[0], weight[1]) >= 256));
}

/// How often each weight is multiplied.
double products_for_each_weight(const Problem& problem) {
  return problem.op.flops(problem.in, problem.out) / 2 /
         static_cast<double>(weights_of(problem).numel());
}

/// Whether numbers take part in so many products that splitting them is worth it.
bool has_many_products(const Problem& problem) {
  return problem.op.flops(problem.in, problem.out) >= (weights_fixed ? 1.5e9 : 0.8e9) &&
         products_for_each(problem) >= (weights_fixed ? 150 : 75) &&
         (of_weights(problem.op) || products_for_each_weight(problem) >= 512);
}

/// In multiples of other kernels' times, measured with two threads: 0.6 to 0.75 where there are
/// many products for each value, and 1.0 where there are 50. Where weights are fixed, those others
/// need not pack them either, and 1x1 convolutions are as fast as here. What uses the other half of
/// a core makes tiles two to four times as slow, and others a third.
double price(const Problem& problem) {
  const bool empty =
      problem.in[0].numel() == 0 || problem.in[1].numel() == 0 || problem.out[0].numel() == 0;
  const bool faster = available() && !empty && fits_windows(problem) && has_many_products(problem);
  return (faster ? 0.5 : 1.2) * nominal_seconds(problem);
}

std::vector<Layouts> layouts(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  return {conv_layouts(problem, preferred_layout(image_type(problem, pass.x)),
                       preferred_layout(image_type(problem, pass.y)))};
}

}  // namespace
}  // namespace amx

void add_amx_rules(const RuleSink& add) {
  add(typeid(Conv), {"amx", amx::make_product, amx::price, amx::layouts});
  add(typeid(ConvBackwardData), {"amx", amx::make_product, amx::price, amx::layouts});
  add(typeid(ConvBackwardWeights), {"amx", amx::make_weights, amx::price, amx::layouts});
  add(typeid(Linear), {"amx", amx::make_product, amx::price});
  add(typeid(MatMul), {"amx", amx::make_matmul, amx::price});
}

}  // namespace fovea
