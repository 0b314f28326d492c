// Winograd's F(4x4, 3x3) and F(2x2, 5x5) for the gradient of a convolution's weights: dU, the sum
// over tiles of the products of x's transformed patches (V) and dy's transformed tiles (Z),
// transformed back to taps.
//
// dU is cut into blocks, of all taps of the depth, that stay in a thread's L2 while it visits the
// tiles. V and Z of a few tiles are computed again for each block: that costs a sixth of the
// products, and no memory. V of a slice is kept for the slices of dy that are multiplied by it.
// Where there are few blocks the tiles and the slices are divided, too, and the parts added in
// order. They depend on the problem alone unless there are more than eight threads: so do the
// results.
#include "fovea/core/parallel.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops/conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_weights.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd-inl.h"

#ifndef FOVEA_KERNELS_SIMD_WINOGRAD_WEIGHTS
#define FOVEA_KERNELS_SIMD_WINOGRAD_WEIGHTS
namespace fovea::simd::winograd {
namespace {

/// A block of dU: `inputs` by `outputs` channels, one row per output channel.
struct Block {
  Range outputs, inputs;
};

}  // namespace
}  // namespace fovea::simd::winograd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

/// du = or += the products of some tiles of dy and of those of x that each tap reads; z is scratch
/// memory.
void add_tiles(const Patches& x, const Patches& dy, const std::byte* data, const Block& block,
               int64_t slice, const Places& places, const Slices& v, const Matrices& z,
               const Matrices& du, bool add) {
  transform_gradients(dy, data, {slice, places.all()}, block.outputs, z);
  const int64_t columns = round_up(block.inputs.size(), lanes), matrices = x.form.matrices();
  const Range taps = x.taps_of(slice);
  for (int64_t tap = taps.begin; tap < taps.end; ++tap) {
    const Matrices from = v.at(slice + tap - x.front);
    std::array<bool, 36> sums;  // that are there already
    sums.fill(add);
    for (int64_t i = 0; i < x.form.products(); ++i) {
      const Range rows = places.of_product(x.form, i);
      const int64_t m = x.form.matrix_of(i);
      bool& there = sums[static_cast<size_t>(m)];
      multiply({z.data + i * z.matrix + rows.begin * z.row, 1, z.row},
               from.data + i * from.matrix + rows.begin * from.row, from.row, block.outputs.size(),
               columns, rows.size(), du.data + (tap * matrices + m) * du.matrix, du.row, there);
      there = true;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {

Sides gradient_block(const Patches& x) {
  if (x.form.axes == 1) return x.taps == 1 ? Sides{128, 128} : Sides{64, 128};
  return x.taps == 1 ? Sides{64, 64} : Sides{32, 64};
}

namespace {

HWY_EXPORT(add_tiles);

class WeightGradientKernel final : public Kernel {
 public:
  WeightGradientKernel(const Op& op, const Patches& x, const Patches& dy, bool bias, int team)
      : op_(op),
        x_(x),
        dy_(dy),
        bias_(bias),
        team_(team),
        matrices_(x.form.matrices()),
        products_(x.form.products()),
        together_(x.form.stride == Stride::one ? 32 : 14),
        kept_(std::min(x.taps, x.image.depth)),
        widest_(gradient_block(x)) {
    in_blocks_ = (x.image.channels + widest_.in - 1) / widest_.in;
    out_blocks_ = (dy.image.channels + widest_.out - 1) / widest_.out;
    row_ = std::min(widest_.in, round_up(x.image.channels, 16));
    z_row_ = std::min(widest_.out, round_up(dy.image.channels, 16));
    du_matrix_ = z_row_ * row_ + pad;
    v_matrix_ = kept_ * together_ * row_ + pad;
    z_matrix_ = together_ * z_row_ + pad;
    const int64_t wanted = deterministic() ? 16 : std::max(16, 2 * team);
    const int64_t most = (wanted + blocks() - 1) / blocks(), depth = dy.image.depth;
    // Of fewer tiles, parts pay only where blocks alone leave threads without work.
    const int64_t count = x.tiles.count,
                  useful = std::max(count * depth / 192,
                                    std::min<int64_t>(4 / blocks(), count * depth / 48));
    tile_parts_ = std::clamp<int64_t>(std::min(useful, count / together_), 1, most);
    slice_parts_ = std::clamp<int64_t>(std::min(useful, most) / tile_parts_, 1, depth);
  }

  std::string detail() const override {
    return parts() == 1 ? "blocks of channels" : "blocks of channels and tiles";
  }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(4 * (items() * item_floats() + team_ * own_floats()));
  }

  void run(const Args& args) const override {
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    parallel_chunks(blocks() * parts(), [&](int64_t i, int slot) {
      const int64_t kept = parts() == 1 ? slot : i;
      const Matrices du{scratch + kept * item_floats(), du_matrix_, row_};
      add_part(args, i / parts(), i % parts(), du, own_memory(scratch, slot));
      if (parts() == 1) finish(args, i, du, {0, block(i).outputs.size()});
    });
    if (parts() == 1) return;
    constexpr int64_t rows = 8;
    const int64_t bands = (z_row_ + rows - 1) / rows;
    parallel_chunks(blocks() * bands, [&](int64_t i, int) {
      const int64_t b = i / bands, first = i % bands * rows;
      const Matrices du{scratch + b * parts() * item_floats(), du_matrix_, row_};
      finish(args, b, du, {first, std::min(first + rows, block(b).outputs.size())});
    });
  }

 private:
  int64_t blocks() const { return in_blocks_ * out_blocks_; }
  int64_t parts() const { return tile_parts_ * slice_parts_; }
  /// dU is kept for each part, or by each thread if a block has only one.
  int64_t items() const { return parts() == 1 ? team_ : blocks() * parts(); }
  int64_t du_floats() const { return x_.taps * matrices_ * du_matrix_; }
  int64_t item_floats() const { return du_floats() + 2 * widest_.out; }  // and doubles for the bias
  int64_t own_floats() const { return products_ * (v_matrix_ + z_matrix_); }
  float* own_memory(float* scratch, int64_t slot) const {
    return scratch + items() * item_floats() + slot * own_floats();
  }
  double* bias_sums(const Matrices& du) const {
    return reinterpret_cast<double*>(du.data + du_floats());
  }

  /// Blocks of the same output channels are adjacent.
  Block block(int64_t i) const {
    const int64_t o = i / in_blocks_ * widest_.out, c = i % in_blocks_ * widest_.in;
    return {{o, std::min(o + widest_.out, dy_.image.channels)},
            {c, std::min(c + widest_.in, x_.image.channels)}};
  }

  void add_part(const Args& args, int64_t b, int64_t part, const Matrices& du, float* own) const {
    const Slices v{{own, v_matrix_, row_}, together_ * row_, kept_};
    const Matrices z{own + products_ * v_matrix_, z_matrix_, z_row_};
    const InputNorm norm = input_norm(op_, args);
    const int64_t count = x_.tiles.count, depth = dy_.image.depth;
    const int64_t i = part % tile_parts_, j = part / tile_parts_;
    const Range all{count * i / tile_parts_, count * (i + 1) / tile_parts_};
    const Range slices{depth * j / slice_parts_, depth * (j + 1) / slice_parts_};
    const bool sum_bias = bias_ && block(b).inputs.begin == 0;
    if (sum_bias) std::fill_n(bias_sums(du), widest_.out, 0.0);
    // Some taps may read nothing of a first slice, or of all.
    const bool zeros = x_.taps > 1 || x_.front != 0 || depth > x_.image.depth;
    if (zeros) std::fill_n(du.data, du_floats(), 0.f);
    const int64_t step = equal_pieces(all.size(), together_, 1);
    for (int64_t t = all.begin; t < all.end; t += step) {
      const Places places(x_.tiles, {t, std::min(all.end, t + step)});
      int64_t next = std::max<int64_t>(0, slices.begin - x_.front);  // of x
      for (int64_t slice = slices.begin; slice < slices.end; ++slice) {
        for (; next < x_.end_of(slice); ++next) {
          transform_inputs(x_, args.in[0], norm, {next, places.all()}, block(b).inputs, v.at(next));
        }
        const bool add = zeros || t > all.begin || slice > slices.begin;
        HWY_DYNAMIC_DISPATCH(add_tiles)
        (x_, dy_, args.in[1], block(b), slice, places, v, z, du, add);
        if (sum_bias) {
          add_bias(dy_, args.in[1], {slice, places.all()}, block(b).outputs, bias_sums(du));
        }
      }
    }
  }

  /// Writes some rows of a block of dw, and of the bias's gradient.
  void finish(const Args& args, int64_t b, const Matrices& du, Range rows) const {
    const Block at = block(b);
    const int64_t taps = x_.form.taps(), all = x_.taps * taps;
    for (int64_t o = rows.begin; o < rows.end; ++o) {
      const int64_t to = (at.outputs.begin + o) * x_.image.channels + at.inputs.begin;
      for (int64_t tap = 0; tap < x_.taps; ++tap) {
        const Matrices row{du.data + tap * matrices_ * du.matrix + o * du.row, du.matrix, du.row};
        finish_row(x_.form, row, parts(), item_floats(), at.inputs.size(),
                   args.output<float>(0) + to * all + tap * taps, all);
      }
      if (!bias_ || at.inputs.begin != 0) continue;
      double sum = 0;
      for (int64_t p = 0; p < parts(); ++p)
        sum += bias_sums({du.data + p * item_floats(), du.matrix, du.row})[o];
      args.output<float>(1)[at.outputs.begin + o] = static_cast<float>(sum);
    }
  }

  Op op_;
  Patches x_, dy_;
  bool bias_;
  int64_t team_, matrices_, products_;
  int64_t together_;  ///< the most tiles of a slice whose V and Z are in L2 with a block of dU
  int64_t kept_;      ///< slices of V
  Sides widest_;      ///< of a block
  int64_t in_blocks_, out_blocks_, tile_parts_ = 1, slice_parts_ = 1;
  int64_t row_, z_row_, du_matrix_, v_matrix_, z_matrix_;
};

}  // namespace

std::unique_ptr<Kernel> make_weight_gradient(const Problem& problem) {
  const auto [x, dy, bias] = weight_gradient_of(problem);
  return std::make_unique<WeightGradientKernel>(problem.op, x, dy, bias, problem.threads);
}

}  // namespace fovea::simd::winograd
#endif
