#include "fovea/kernels/simd/winograd.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>

#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/rules.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/tuning.h"
#include "fovea/kernels/winograd.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm_conv.h"

namespace fovea::simd {
namespace {

using namespace winograd;

/// One of the three passes: its geometry, the shape of its weights, its images.
struct Pass {
  const ConvGeometry* geometry;
  Shape weight;
  Type x, y;  ///< what the convolution takes and gives, or their gradients
  bool of_weights = false;
};

Pass pass_of(const Problem& problem) {
  const auto forward = [&](const auto& op) -> Pass {
    return {&op.geometry, problem.in[1].shape, problem.in[0], problem.out[0]};
  };
  const auto of_weights = [&](const auto& op) -> Pass {
    return {&op.geometry, op.weight, problem.in[0], problem.in[1], true};
  };
  if (const auto* op = problem.op.as<Conv>()) return forward(*op);
  if (const auto* op = problem.op.as<NormConv>()) return forward(*op);
  if (const auto* op = problem.op.as<ConvBackwardData>())
    return {&op->geometry, problem.in[0].shape, problem.out[0], problem.in[1]};
  if (const auto* op = problem.op.as<NormConvBackwardWeights>()) return of_weights(*op);
  return of_weights(problem.op.get<ConvBackwardWeights>());
}

/// The activation of a norm before the convolution; none without a norm.
std::optional<NormEpilogue> norm_of(const Op& op) {
  if (const auto* conv = op.as<NormConv>(); conv != nullptr && conv->normalises)
    return conv->norm().epilogue;
  if (const auto* conv = op.as<NormConvBackwardWeights>()) return conv->norm().epilogue;
  return std::nullopt;
}

/// Why the kernels cannot compute a problem, or empty.
std::string refuse(const Problem& problem, const Pass& pass) {
  const ConvGeometry& g = *pass.geometry;
  const std::vector<int64_t> ones(g.stride.size(), 1);
  if (form_of(g, pass.weight).axes == 0 || g.dilation != ones || g.groups != 1)
    return "only kernels of 3, 3x3, n x 3, n x 3x3, or 5 instead of 3, stride 1, or 2 for 3x3, no "
           "dilation, no groups";
  if (!is_simd_float(pass.x.dtype)) return simd_floats();
  if (pass.x.layout == Layout::plain || pass.y.layout == Layout::plain)
    return "only channels-last and blocked16";
  if (pass.x.numel() == 0 || pass.y.numel() == 0) return "nothing to compute for empty values";
  if (const auto norm = norm_of(problem.op)) {
    if (!can_normalise(patches_of(g, pass.weight, pass.x, pass.y)))
      return "norms only before kernels of 3x3 or 5x5, stride 1, in f32 or bf16";
    if (const auto unknown = unless_known(*norm)) return unknown->why;
  }
  return {};
}

enum class Way {
  outputs,  ///< a convolution or its gradient with respect to the data
  blocks,   ///< the gradient of the weights, block by block
  matrices  ///< the same, matrix by matrix
};

/// What a way takes, in multiply-adds (the vector's width does not matter). Fitted to measurements
/// of 3 to 512 channels on planes of 3x3 to 128x128.
struct Cost {
  double share;        ///< of the CPU's peak that the products reach
  double input;        ///< to transform a channel of a tile of x, most of it memory
  double output;       ///< the same for y or dy
  double weight;       ///< for each weight, however few tiles there are
  double sums = 0;     ///< for each weight when its sums are read and written
  bool again = false;  ///< each block of channels is transformed for each of the other side
};

Cost cost_of(Way way, Stride stride) {
  switch (way) {
    case Way::outputs:
      return {.share = 0.8, .input = 700, .output = 500, .weight = 1000};
    case Way::blocks:  // sums are short
      return {.share = stride == Stride::one ? 0.65 : 0.6,
              .input = 700,
              .output = 500,
              .weight = 1000,
              .again = true};
    case Way::matrices:  // what is transformed goes through the L3 cache
      break;
  }
  return {.share = 0.8, .input = 1400, .output = 1400, .weight = 1000, .sums = 300};
}

/// The time of Winograd's algorithm over that of a direct convolution, which takes, for 3x3, 9
/// multiply-adds per pair of an input and an output channel and output position at 80 % of the
/// CPU's peak (in bf16, where it has that), with a stride of 2 at 75 %. A tile of 4x4 takes 36, or
/// 81, in rows of 6 tiles.
///
/// With one axis, all of it is a sixth or, of the direct one, a third. Over a depth, products and
/// weights are there for each tap, of which those in the padding cost nothing. Kernels of 5x5 have
/// tiles of 2x2, and direct ones take 25 multiply-adds.
double relative_time(const Pass& pass, Way way) {
  const Patches x = patches_of(*pass.geometry, pass.weight, pass.x, pass.y);
  const Patches dy = tiles_of(x, pass.y);
  const Image& y = dy.image;
  const double in = static_cast<double>(pass.weight[1]), out = static_cast<double>(pass.weight[0]);
  const double pairs = in * out, count = static_cast<double>(x.tiles.count);
  double slices = 0;  // pairs of one of x and one of y
  for (int64_t z = 0; z < y.depth; ++z)
    slices += static_cast<double>(std::max<int64_t>(0, x.taps_of(z).size()));
  const double positions = static_cast<double>(y.images * y.height * y.width);
  double speedup = 1;
  if (pass.x.dtype == DType::bf16)
    speedup = pass.of_weights
                  ? bf16_speedup_of_weights(x.form.taps() * x.taps, y.depth * y.height * y.width)
                  : bf16_speedup();
  const double direct_share_of_peak = x.form.stride == Stride::one ? 0.8 : 0.75;
  const double direct = static_cast<double>(x.form.taps()) * positions * slices * pairs /
                        direct_share_of_peak / speedup;

  const Cost cost = cost_of(way, x.form.stride);
  const double in_rows = std::ceil(count / 6) * 6 / count;
  const double of_tiles = static_cast<double>(
      y.images * (x.form.axes == 2 ? x.form.products_of_axis(x.tiles.rows) : 1) *
      x.form.products_of_axis(x.tiles.columns));
  const double products = of_tiles * in_rows * slices * pairs / cost.share;
  const Sides block = gradient_block(x);
  const auto transforms = [&](double of_channel, const Image& image, double others, int64_t most) {
    const double times = cost.again ? std::ceil(others / static_cast<double>(most)) : 1;
    return of_channel * static_cast<double>(round_up(image.channels, 16) * image.depth) * times;
  };
  const double transformed = count * (transforms(cost.input, x.image, out, block.out) +
                                      transforms(cost.output, y, in, block.in));
  const double blocks = std::ceil(count / static_cast<double>(tiles_of_matrices(x, dy)));
  // Packed once, and only read: half as much, as measured with AVX-512; with AVX2, on a CPU whose
  // memory is slower, it was as much.
  const bool kept = weights_fixed && has_avx512() && pairs <= 1 << 16;
  const double longer = std::pow(static_cast<double>(x.form.kernel) / 3, x.form.axes);
  // Sums of all weights that do not fit the L3 cache are written to memory and read again.
  const bool in_memory =
      way == Way::matrices && 4 * static_cast<double>(x.form.matrices() * x.taps) * pairs > 16e6;
  const double of_weight = (kept ? 0.5 : 1) * (in_memory ? 2 : 1) * cost.weight * longer;
  const double weights = (of_weight + cost.sums * blocks) * pairs * static_cast<double>(x.taps);
  const auto of_36 = [](int64_t n) { return static_cast<double>(n) / 36; };
  // Without AVX-512 oneDNN's gradients of weights take as much for each weight.
  const double direct_weights =
      way == Way::outputs || has_avx512()
          ? 0
          : cost.weight * static_cast<double>(x.form.taps() * x.taps) / 9 * pairs;
  return (products + of_36(x.form.products()) * transformed + of_36(x.form.matrices()) * weights) /
         (direct + direct_weights);
}

double price_of(const Problem& problem, const Pass& pass, Way way) {
  if (fovea::winograd() == Winograd::always) return 0;
  if (!refuse(problem, pass).empty()) return nominal_seconds(problem);
  return relative_time(pass, way) * direct_share * nominal_seconds(problem);
}

Offer offer_way(const Problem& problem, const Pass& pass, Way way,
                std::unique_ptr<Kernel> (*make)(const Problem&)) {
  if (fovea::winograd() == Winograd::never)
    return Refusal{"switched off (--no-winograd, set_winograd)"};
  if (std::string why = refuse(problem, pass); !why.empty()) return Refusal{why};
  if (fovea::winograd() == Winograd::where_faster && tuning() == nullptr) {  // else it is measured
    if (const double times = relative_time(pass, way); times >= 1) {
      return Refusal{fmt::format("would take {:.2g} times as long as a direct convolution", times)};
    }
  }
  return make(problem);
}

bool is_weight_gradient(const Problem& problem) {
  return problem.op.as<ConvBackwardWeights>() != nullptr ||
         problem.op.as<NormConvBackwardWeights>() != nullptr;
}

std::atomic<Winograd> choice{Winograd::where_faster};

}  // namespace

Form winograd::form_of(const ConvGeometry& g, const Shape& weight) {
  const int rank = weight.rank();
  const int64_t kernel = rank < 3 ? 0 : weight[rank - 1];
  if (kernel != 3 && kernel != 5) return {0};
  const int axes = rank >= 4 && weight[rank - 2] == kernel ? 2 : 1;
  if (rank - 2 - axes > 1) return {0};
  std::vector<int64_t> ones(g.stride.size(), 1), twos = ones;
  std::fill(twos.end() - axes, twos.end(), 2);
  if (g.stride == ones) return {axes, Stride::one, kernel};
  return axes == 2 && kernel == 3 && g.stride == twos ? Form{axes, Stride::two} : Form{0};
}

winograd::Places::Places(const Tiles& tiles, Range range)
    : places_(static_cast<size_t>(range.size())) {
  const Split &rows = tiles.rows, &columns = tiles.columns;
  const auto for_each = [&](const auto& f) {
    for (int64_t i = range.begin; i < range.end; ++i) {
      const int64_t row = i / columns.count % rows.count, column = i % columns.count;
      const bool all_rows = row < rows.full;
      const int kind = column < columns.full ? (all_rows ? 1 : 0) : (all_rows ? 2 : 3);
      f(i / columns.count / rows.count, row, column, kind);
    }
  };
  for_each([&](int64_t, int64_t, int64_t, int kind) { ++ends_[kind + 1]; });
  for (int kind = 0; kind < 4; ++kind) ends_[kind + 1] += ends_[kind];
  int64_t next[4] = {ends_[0], ends_[1], ends_[2], ends_[3]};
  for_each([&](int64_t image, int64_t row, int64_t column, int kind) {
    const int64_t y = rows.begin(row), x = columns.begin(column);
    places_[static_cast<size_t>(next[kind]++)] = {
        image, y, x, std::min(rows.begin(row + 1), rows.size) - y,
        std::min(columns.begin(column + 1), columns.size) - x};
  });
}

namespace {

/// What is added before the first position of an axis, the last one being 0; 0 if there is none.
int64_t padding_of(const ConvGeometry& g, int64_t axis) {
  const int64_t index = std::ssize(g.padding_begin) - 1 - axis;
  return index < 0 ? 0 : g.padding_begin[static_cast<size_t>(index)];
}

int64_t depth_taps(const Form& form, const Shape& weight) {
  return weight.rank() - 2 > form.axes ? weight[2] : 1;
}

}  // namespace

Patches winograd::patches_of(const ConvGeometry& g, const Shape& weight, const Type& x,
                             const Type& y) {
  Patches p;
  p.form = form_of(g, weight);
  p.image = Image(x, p.form);
  p.step = p.form.stride == Stride::two ? 2 : 1;
  p.left = padding_of(g, 0);
  p.top = p.form.axes == 2 ? padding_of(g, 1) : 0;
  p.front = padding_of(g, p.form.axes);
  p.taps = depth_taps(p.form, weight);
  const Image outputs(y, p.form);
  p.tiles = Tiles(outputs.images, outputs.height, outputs.width, p.form.side());
  return p;
}

Patches winograd::tiles_of(const Patches& x, const Type& dy) {
  Patches p;
  p.form = x.form;
  p.image = Image(dy, x.form);
  p.tiles = x.tiles;
  return p;
}

WeightGradient winograd::weight_gradient_of(const Problem& problem) {
  const Pass pass = pass_of(problem);
  const Patches x = patches_of(*pass.geometry, pass.weight, pass.x, pass.y);
  return {x, tiles_of(x, pass.y), problem.out.size() > 1};
}

// With a stride of 1, dx is the convolution of dy with the weights' taps in reverse order, and what
// is left of 2, or 4 if there are 5 taps, as its padding.
//
// With a stride of 2, positions of a tile are pairs of dx: the first one is what a middle tap read,
// so that it is at an odd distance from the padding's beginning. Pair i, at 2 i - shift of dx,
// reads dy from (2 i - shift + padding - 1) / 2 on.
std::pair<winograd::Patches, winograd::Planes> winograd::of_data_gradient(const ConvGeometry& g,
                                                                          const Shape& weight,
                                                                          const Type& dy,
                                                                          const Type& dx) {
  Patches p;
  p.form = form_of(g, weight);
  p.image = Image(dy, p.form);
  p.taps = depth_taps(p.form, weight);
  p.front = p.taps - 1 - padding_of(g, p.form.axes);
  Planes to{.image = Image(dx, p.form)};
  const int64_t left = padding_of(g, 0), top = padding_of(g, 1);
  int64_t height = to.image.height, width = to.image.width;
  if (p.form.stride == Stride::one) {
    p.left = p.form.kernel - 1 - left;
    p.top = p.form.axes == 2 ? p.form.kernel - 1 - top : 0;
  } else {
    p.form.stride = Stride::half;
    to.step = 2;
    to.left = (left + 1) % 2;
    to.top = (top + 1) % 2;
    p.left = (to.left - left + 1) / 2;
    p.top = (to.top - top + 1) / 2;
    width = (width + to.left + 1) / 2;
    height = (height + to.top + 1) / 2;
  }
  p.tiles = Tiles(to.image.images, height, width, p.form.side());
  return {p, to};
}

double winograd::price(const Problem& problem) {
  return price_of(problem, pass_of(problem),
                  is_weight_gradient(problem) ? Way::blocks : Way::outputs);
}
double winograd::price_by_matrices(const Problem& problem) {
  return price_of(problem, pass_of(problem), Way::matrices);
}

std::vector<Layouts> winograd::layouts(const Problem& problem) {
  const bool is_fixed = weights_fixed && problem.op.as<Conv>() != nullptr;
  if (!is_fixed || problem.in[0].layout != Layout::plain) return {};
  const auto of = [](const Type& type) {
    const Layout layout = preferred_layout(type);
    return layout == Layout::plain ? Layout::channels_last : layout;
  };
  Layouts wanted = conv_layouts(problem, of(problem.in[0]), of(problem.out[0]));
  const Problem there = in_layouts(problem, wanted);
  if (std::holds_alternative<Refusal>(make_winograd(there))) return {};
  return {std::move(wanted)};
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
