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
  if (form_of(pass.weight).axes == 0 || pass.geometry->stride != ones ||
      pass.geometry->dilation != ones || pass.geometry->groups != 1)
    return "only kernels of 3, 3x3, n x 3 or n x 3x3, stride 1, no dilation, no groups";
  if (!is_simd_float(pass.x.dtype)) return simd_floats();
  if (pass.x.layout == Layout::plain || pass.y.layout == Layout::plain)
    return "only channels-last and blocked16";
  if (pass.x.numel() == 0 || pass.y.numel() == 0) return "nothing to compute for empty values";
  return {};
}

enum class Way {
  outputs,  ///< a convolution or its gradient with respect to the data
  blocks,   ///< the gradient of the weights, block by block
  matrices  ///< the same, matrix by matrix
};

/// The time of F(4x4, 3x3) over that of a direct convolution, from what both take per pair of an
/// input and an output channel, in multiply-adds (the vector's width does not matter):
/// - direct: 9 per output position, at 80 % of the CPU's peak (in bf16, where it has that);
/// - products: 36 per tile, at 80 % as well, for the gradient in blocks at 65 %, since its sums are
///   short. A tile counts as 16 positions even where it exceeds the plane, and the products are in
///   rows of 6 tiles;
/// - transforms: per tile about 700 for a channel of the input and 500 for one of the output, most
///   of it memory, by vectors of 16. Each serves all channels of the other side, except that the
///   gradient in blocks transforms again for each of them. Matrix by matrix they go through the L3
///   cache: 1400;
/// - weights: about 1000 for each pair, in each run, however few tiles there are; half of that to
///   read what is packed once. Matrix by matrix, 300 for each time that sums are read and written.
///
/// With one axis, all of it is a sixth or, of the direct one, a third. Over a depth, products and
/// weights are there for each tap, of which those in the padding cost nothing.
///
/// The constants are fitted to measurements: 64 channels at 32x32, 3 to 64 channels there, 512 at
/// 4x4; for the gradient, 24 to 512 channels at 3x3 to 128x128.
double relative_time(const Pass& pass, Way way) {
  const Patches x = patches_of(*pass.geometry, pass.weight, pass.x, pass.y);
  const double in = static_cast<double>(pass.weight[1]), out = static_cast<double>(pass.weight[0]);
  const Image y(pass.y, x.form);
  double slices = 0;  // pairs of one of x and one of y
  for (int64_t z = 0; z < y.depth; ++z)
    slices += static_cast<double>(std::max<int64_t>(0, x.taps_of(z).size()));
  const double pairs = in * out, count = static_cast<double>(x.tiles.count);
  const double positions = static_cast<double>(y.images * y.height * y.width);
  const Sides block = gradient_block(x);
  const double repeats_in =
      way == Way::blocks ? std::ceil(out / static_cast<double>(block.out)) : 1;
  const double repeats_out = way == Way::blocks ? std::ceil(in / static_cast<double>(block.in)) : 1;
  const double speedup = pass.x.dtype == DType::bf16 ? bf16_speedup() : 1;
  const auto vectors = [](double channels) { return 16 * std::ceil(channels / 16); };
  const auto depth = [](const Image& image) { return static_cast<double>(image.depth); };
  const Patches dy{.form = x.form, .image = y, .tiles = x.tiles};
  const bool matrices = way == Way::matrices;
  const auto together = static_cast<double>(tiles_of_matrices(x, dy));
  const double passes = matrices ? std::ceil(count / together) : 0;
  const double direct =
      static_cast<double>(x.form.taps()) * positions * slices * pairs / 0.8 / speedup;
  const double ours =
      36 * std::ceil(count / 6) * 6 * slices * pairs / (way == Way::blocks ? 0.65 : 0.8) +
      count * ((matrices ? 1400 : 700) * vectors(in) * repeats_in * depth(x.image) +
               (matrices ? 1400 : 500) * vectors(out) * repeats_out * depth(y)) +
      ((weights_fixed && pairs <= 1 << 16 ? 500 : 1000) + 300 * passes) * pairs *
          static_cast<double>(x.taps);
  return ours * static_cast<double>(x.form.matrices()) / 36 / direct;
}

double price_of(const Problem& problem, const Pass& pass, Way way) {
  if (fovea::winograd() == Winograd::always) return 0;
  if (!refuse(pass).empty()) return nominal_seconds(problem);
  return relative_time(pass, way) * direct_share * nominal_seconds(problem);
}

Offer offer_way(const Problem& problem, const Pass& pass, Way way,
                std::unique_ptr<Kernel> (*make)(const Problem&)) {
  if (fovea::winograd() == Winograd::never)
    return Refusal{"switched off (--no-winograd, set_winograd)"};
  if (std::string why = refuse(pass); !why.empty()) return Refusal{why};
  if (fovea::winograd() == Winograd::where_faster) {
    if (const double times = relative_time(pass, way); times >= 1) {
      return Refusal{fmt::format("would take {:.2g} times as long as a direct convolution", times)};
    }
  }
  return make(problem);
}

bool is_weight_gradient(const Problem& problem) {
  return problem.op.as<ConvBackwardWeights>() != nullptr;
}

std::atomic<Winograd> choice{Winograd::where_faster};

}  // namespace

Form winograd::form_of(const Shape& weight) {
  const int rank = weight.rank();
  if (rank < 3 || weight[rank - 1] != 3) return {0};
  const int axes = rank >= 4 && weight[rank - 2] == 3 ? 2 : 1;
  return {rank - 2 - axes <= 1 ? axes : 0};
}

Patches winograd::patches_of(const ConvGeometry& g, const Shape& weight, const Type& x,
                             const Type& y) {
  const Form form = form_of(weight);
  Patches p{.form = form, .image = Image(x, form), .tiles = Tiles(Image(y, form), form)};
  const auto axes = std::ssize(g.padding_begin);
  const auto padding = [&](int64_t axis) {
    return axis < 0 ? 0 : g.padding_begin[static_cast<size_t>(axis)];
  };
  p.left = padding(axes - 1);
  if (form.axes == 2) p.top = padding(axes - 2);
  p.front = padding(axes - form.axes - 1);
  if (axes > form.axes) p.taps = weight[2];
  return p;
}

double winograd::price(const Problem& problem) {
  return price_of(problem, pass_of(problem),
                  is_weight_gradient(problem) ? Way::blocks : Way::outputs);
}
double winograd::price_by_matrices(const Problem& problem) {
  return price_of(problem, pass_of(problem), Way::matrices);
}

Offer make_winograd(const Problem& problem) {
  if (is_weight_gradient(problem))
    return offer_way(problem, pass_of(problem), Way::blocks, winograd::make_weight_gradient);
  return offer_way(problem, pass_of(problem), Way::outputs, winograd::make_convolution);
}
Offer make_winograd_by_matrices(const Problem& problem) {
  return offer_way(problem, pass_of(problem), Way::matrices,
                   winograd::make_weight_gradient_by_matrices);
}

}  // namespace fovea::simd

namespace fovea {

void set_winograd(Winograd choice) { simd::choice = choice; }
Winograd winograd() { return simd::choice; }

}  // namespace fovea
