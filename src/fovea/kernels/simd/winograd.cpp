#include "fovea/kernels/simd/winograd.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>

#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/rules.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/winograd.h"
#include "fovea/ops/conv.h"

namespace fovea::simd {
namespace {

using namespace winograd;

/// One of the three passes: its geometry, the shape of its weights, its images.
struct Pass {
  const ConvGeometry* geometry;
  Shape weight;
  Type x, y;  ///< what the convolution takes and gives, or their gradients
};

Pass pass_of(const Problem& problem) {
  if (const auto* op = problem.op.as<Conv>())
    return {&op->geometry, problem.in[1].shape, problem.in[0], problem.out[0]};
  if (const auto* op = problem.op.as<ConvBackwardData>())
    return {&op->geometry, problem.in[0].shape, problem.out[0], problem.in[1]};
  const auto& op = problem.op.get<ConvBackwardWeights>();
  return {&op.geometry, op.weight, problem.in[0], problem.in[1]};
}

/// Why the kernels cannot compute a problem, or empty.
std::string refuse(const Pass& pass) {
  const std::vector<int64_t> ones(pass.geometry->stride.size(), 1);
  if (pass.weight.rank() != 4 || pass.weight[2] != 3 || pass.weight[3] != 3 ||
      pass.geometry->stride != ones || pass.geometry->dilation != ones ||
      pass.geometry->groups != 1)
    return "only 3x3 kernels, stride 1, no dilation, no groups";
  if (!is_simd_float(pass.x.dtype)) return simd_floats();
  if (pass.x.layout == Layout::plain || pass.y.layout == Layout::plain)
    return "only channels-last and blocked16";
  if (pass.x.numel() == 0 || pass.y.numel() == 0) return "nothing to compute for empty values";
  return {};
}

/// The time of F(4x4, 3x3) over that of a direct convolution, from what both take per pair of an
/// input and an output channel, in multiply-adds (the vector's width does not matter):
/// - direct: 9 per output position, at 80 % of the CPU's peak (in bf16, where it has that);
/// - products: 36 per tile, at 80 % as well. A tile counts as 16 positions even where it exceeds
///   the plane, and the products are in rows of 6 tiles;
/// - transforms: per tile about 700 for a channel of the input and 500 for one of the output, most
///   of it memory, by vectors of 16. Each serves all channels of the other side, except that the
///   gradient of the weights transforms again for each block of 64;
/// - weights: about 1000 for each pair, in each run, however few tiles there are; half of that to
///   read what is packed once.
///
/// The constants are fitted to measurements: 64 channels at 32x32, 3 to 64 channels there, 512 at
/// 4x4.
double relative_time(const Pass& pass, bool weight_gradient) {
  const Tiles tiles{Image(pass.y)};
  const double in = static_cast<double>(pass.weight[1]), out = static_cast<double>(pass.weight[0]);
  const double pairs = in * out, count = static_cast<double>(tiles.count);
  const double positions = static_cast<double>(pass.y.numel()) / out;
  const double repeats_in = weight_gradient ? std::ceil(out / 64) : 1;
  const double repeats_out = weight_gradient ? std::ceil(in / 64) : 1;
  const double speedup = pass.x.dtype == DType::bf16 ? bf16_speedup() : 1;
  const auto vectors = [](double channels) { return 16 * std::ceil(channels / 16); };
  const double direct = 9 * positions * pairs / 0.8 / speedup;
  const double ours = 36 * std::ceil(count / 6) * 6 * pairs / 0.8 +
                      count * (700 * vectors(in) * repeats_in + 500 * vectors(out) * repeats_out) +
                      (weights_fixed && pairs <= 1 << 16 ? 500 : 1000) * pairs;
  return ours / direct;
}

std::atomic<Winograd> choice{Winograd::where_faster};

}  // namespace

double winograd::price(const Problem& problem) {
  if (fovea::winograd() == Winograd::always) return 0;
  const Pass pass = pass_of(problem);
  if (!refuse(pass).empty()) return nominal_seconds(problem);
  const bool weights = problem.op.as<ConvBackwardWeights>() != nullptr;
  return relative_time(pass, weights) * direct_share * nominal_seconds(problem);
}

Offer make_winograd(const Problem& problem) {
  if (fovea::winograd() == Winograd::never)
    return Refusal{"switched off (--no-winograd, set_winograd)"};
  const Pass pass = pass_of(problem);
  if (std::string why = refuse(pass); !why.empty()) return Refusal{why};
  const bool weights = problem.op.as<ConvBackwardWeights>() != nullptr;
  if (fovea::winograd() == Winograd::where_faster) {
    if (const double times = relative_time(pass, weights); times >= 1) {
      return Refusal{fmt::format("would take {:.2g} times as long as a direct convolution", times)};
    }
  }
  return weights ? winograd::make_weight_gradient(problem) : winograd::make_convolution(problem);
}

}  // namespace fovea::simd

namespace fovea {

void set_winograd(Winograd choice) { simd::choice = choice; }
Winograd winograd() { return simd::choice; }

}  // namespace fovea
