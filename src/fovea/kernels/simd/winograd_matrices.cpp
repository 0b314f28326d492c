// Winograd's F(4x4, 3x3) and F(2x2, 5x5) for the gradient of a convolution's weights, where both
// sides have many channels: V and Z of many tiles are computed once, into memory that all threads
// share, the L3 cache. Then each thread takes one of the 36 matrices after another, whose V, Z and
// dU fit into its L2. Each element of dU is a sum over the tiles in order: results do not depend on
// the number of threads.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops/conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_matrices.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

/// Some rows of a matrix of dU = or += the sum over `steps` rows of Z and V of their products.
void add_products(const float* z, int64_t z_row, const float* v, int64_t v_row, int64_t steps,
                  Sides sides, float* du, int64_t du_row, bool add) {
  multiply({z, 1, z_row}, v, v_row, sides.out, round_up(sides.in, lanes), steps, du, du_row, add);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {

constexpr int64_t piece_tiles = 32;  // that are transformed together

HWY_EXPORT(add_products);

/// V or Z of a block of tiles: for each product and each `group` channels, one row per tile, slice
/// after slice.
struct Transformed {
  Transformed(const Patches& p, int64_t block)
      : products(p.form.products()),
        channels(p.image.channels),
        depth(p.image.depth),
        row(std::min(group, round_up(channels, 16))),
        parts((channels + group - 1) / group),
        part(block * depth * row + pad) {}

  int64_t floats() const { return products * parts * part; }
  Range channels_of(int64_t p) const { return {p * group, std::min(channels, (p + 1) * group)}; }
  /// Where all products of a part begin.
  Matrices at(float* data, int64_t p, int64_t index) const {
    return {data + p * part + index * row, parts * part, row};
  }

  int64_t products, channels, depth, row, parts, part;
};

class MatricesKernel final : public Kernel {
 public:
  MatricesKernel(const Op& op, const Patches& x, const Patches& dy, bool bias)
      : op_(op),
        x_(x),
        dy_(dy),
        bias_(bias),
        block_(tiles_of_matrices(x, dy)),
        v_(x, block_),
        z_(dy, block_),
        matrices_(x.form.matrices()),
        du_row_(v_.parts * v_.row),
        du_matrix_(z_.channels * du_row_ + pad) {}

  std::string detail() const override { return "matrix by matrix"; }
  size_t scratch_bytes() const override {
    const int64_t du = x_.taps * matrices_ * du_matrix_;
    const int64_t sums = bias_ ? (pieces_of(block_) * z_.depth + 1) * z_.channels : 0;
    return static_cast<size_t>(4 * (v_.floats() + z_.floats() + du) + 8 * sums);
  }

  void run(const Args& args) const override {
    auto* v = reinterpret_cast<float*>(args.scratch);
    float* z = v + v_.floats();
    float* du = z + z_.floats();
    auto* sums = reinterpret_cast<double*>(du + x_.taps * matrices_ * du_matrix_);
    if (bias_) std::fill_n(sums, z_.channels, 0.0);
    for (int64_t begin = 0; begin < x_.tiles.count; begin += block_) {
      const Places places(x_.tiles, {begin, std::min(x_.tiles.count, begin + block_)});
      transform(args, places, v, z, bias_ ? sums + z_.channels : nullptr);
      add_block(places, v, z, du, begin > 0);
      const int64_t parts = bias_ ? pieces_of(places.size()) * z_.depth : 0;
      for (int64_t i = 0; i < parts * z_.channels; ++i)
        sums[i % z_.channels] += sums[z_.channels + i];
    }
    finish(args, du, sums);
  }

 private:
  static int64_t pieces_of(int64_t tiles) { return (tiles + piece_tiles - 1) / piece_tiles; }

  /// V and Z of a block of tiles, and the sums of dy in each piece and channel.
  void transform(const Args& args, const Places& places, float* v, float* z, double* sums) const {
    const InputNorm norm = input_norm(op_, args);
    const int64_t of_slice = pieces_of(places.size());
    const int64_t of_x = of_slice * v_.depth * v_.parts, of_dy = of_slice * z_.depth * z_.parts;
    parallel_chunks(of_x + of_dy, [&](int64_t i, int) {
      const bool is_x = i < of_x;
      const Transformed& to = is_x ? v_ : z_;
      const int64_t index = (is_x ? i : i - of_x) / to.parts,
                    part = (is_x ? i : i - of_x) % to.parts;
      const int64_t first = index % of_slice * piece_tiles, slice = index / of_slice;
      const Piece piece{slice, places.some(first, std::min(places.size(), first + piece_tiles))};
      const Range channels = to.channels_of(part);
      const Matrices matrices = to.at(is_x ? v : z, part, slice * places.size() + first);
      if (is_x) {
        transform_inputs(x_, args.in[0], norm, piece, channels, matrices);
        return;
      }
      transform_gradients(dy_, args.in[1], piece, channels, matrices);
      if (sums == nullptr) return;
      double* sum = sums + index * z_.channels + channels.begin;
      std::fill_n(sum, channels.size(), 0.0);
      add_bias(dy_, args.in[1], piece, channels, sum);
    });
  }

  /// dU = or += the products of V and Z of a block of tiles.
  void add_block(const Places& places, float* v, float* z, float* du, bool add) const {
    parallel_chunks(matrices_ * x_.taps * z_.parts, [&](int64_t i, int) {
      const int64_t part = i % z_.parts, tap = i / z_.parts % x_.taps;
      // Those of middle taps take longest: they come first.
      const int64_t m = matrices_ - 1 - i / z_.parts / x_.taps;
      const int64_t shift = tap - x_.front, count = places.size();
      const Range outputs = z_.channels_of(part);
      float* to = du + (tap * matrices_ + m) * du_matrix_ + outputs.begin * du_row_;
      const Range slices{std::max<int64_t>(0, -shift),
                         std::min(z_.depth, v_.depth - shift)};  // of dy
      bool sums = add;                                           // are there already
      for (int64_t product = 0; product < v_.products; ++product) {
        const Range rows = places.of_product(x_.form, product);
        if (x_.form.matrix_of(product) != m || slices.size() <= 0 || rows.size() == 0) continue;
        const int64_t runs = rows.size() == count ? 1 : slices.size();  // of adjacent rows
        for (int64_t run = 0; run < runs; ++run) {
          const int64_t first = (slices.begin + run) * count + rows.begin;
          const Matrices left = z_.at(z, part, first);
          for (int64_t j = 0; j < v_.parts; ++j) {
            const Matrices right = v_.at(v, j, first + shift * count);
            HWY_DYNAMIC_DISPATCH(add_products)
            (left.data + product * left.matrix, left.row, right.data + product * right.matrix,
             right.row, rows.size() * slices.size() / runs,
             {v_.channels_of(j).size(), outputs.size()}, to + j * group, du_row_, sums);
          }
          sums = true;
        }
      }
      if (!sums) std::fill_n(to, outputs.size() * du_row_, 0.f);
    });
  }

  void finish(const Args& args, float* du, const double* sums) const {
    constexpr int64_t rows = 4;
    const int64_t taps = x_.form.taps(), all = x_.taps * taps;
    parallel_for(z_.channels, rows, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        for (int64_t tap = 0; tap < x_.taps; ++tap) {
          const Matrices row{du + tap * matrices_ * du_matrix_ + o * du_row_, du_matrix_, du_row_};
          finish_row(x_.form, row, 1, 0, v_.channels,
                     args.output<float>(0) + o * v_.channels * all + tap * taps, all);
        }
        if (bias_) args.output<float>(1)[o] = static_cast<float>(sums[o]);
      }
    });
  }

  Op op_;
  Patches x_, dy_;
  bool bias_;
  int64_t block_;  ///< tiles
  Transformed v_, z_;
  int64_t matrices_, du_row_, du_matrix_;
};

}  // namespace

int64_t tiles_of_matrices(const Patches& x, const Patches& dy) {
  constexpr int64_t shared_bytes = int64_t{16} << 20;  // of V and Z
  const int64_t values = x.image.channels * x.image.depth + dy.image.channels * dy.image.depth;
  const int64_t most = shared_bytes / (4 * x.form.products() * values);
  return equal_pieces(x.tiles.count, std::max(piece_tiles, most), 1);
}

std::unique_ptr<Kernel> make_weight_gradient_by_matrices(const Problem& problem) {
  const auto [x, dy, bias] = weight_gradient_of(problem);
  return std::make_unique<MatricesKernel>(problem.op, x, dy, bias);
}

}  // namespace fovea::simd::winograd
#endif
