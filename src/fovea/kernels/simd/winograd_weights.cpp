// Winograd's F(4x4, 3x3) for the gradient of a convolution's weights: dU, the sum over tiles of the
// products of x's transformed patches (V) and dy's transformed tiles (Z), transformed back to 3x3.
//
// dU is cut into blocks that stay in a thread's L2 while it visits the tiles. V and Z of a few
// tiles are computed again for each block: that costs a sixth of the products, and no memory.
// Where there are few blocks the tiles are divided, too, and the parts added in order. They depend
// on the problem alone unless there are more than eight threads: so do the results.
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

/// du = or += the products of some tiles; v and z are scratch memory.
void add_tiles(const Patches& x, const Patches& dy, const std::byte* x_data,
               const std::byte* dy_data, const Block& block, Range tiles, const Matrices& v,
               const Matrices& z, const Matrices& du, bool add) {
  with_element(x.image.dtype, [&]<class T>(T) {
    transform_patches<InputTransform>(x, as<T>(x_data), tiles, block.inputs, v);
    transform_patches<GradientTransform>(dy, as<T>(dy_data), tiles, block.outputs, z);
  });
  const int64_t columns = round_up(block.inputs.size(), lanes);
  for (int64_t i = 0; i < matrices; ++i) {
    multiply({z.data + i * z.matrix, 1, z.row}, v.data + i * v.matrix, v.row, block.outputs.size(),
             columns, tiles.size(), du.data + i * du.matrix, du.row, add);
  }
}

/// Row `o` of dw from the sum of `parts` blocks dU, `step` floats apart.
void finish_row(const Matrices& du, int64_t parts, int64_t step, int64_t o, int64_t channels,
                float* dw) {
  HWY_ALIGN float taps[9][lanes];
  for (int64_t c = 0; c < channels; c += lanes) {
    const float* first = du.data + o * du.row + c;
    transform<WeightGradientTransform>(
        [&](int i, int j) FOVEA_INLINE {
          const float* from = first + (i * 6 + j) * du.matrix;
          V sum = hn::Load(F32(), from);
          for (int64_t p = 1; p < parts; ++p) sum = hn::Add(sum, hn::Load(F32(), from + p * step));
          return sum;
        },
        [&](int i, int j, V v) FOVEA_INLINE { hn::Store(v, F32(), taps[3 * i + j]); });
    const int64_t count = std::min(lanes, channels - c);
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t tap = 0; tap < 9; ++tap) dw[(c + k) * 9 + tap] = taps[tap][k];
    }
  }
}

/// sums[o] += dy's values of some tiles, for some channels.
void add_bias(const Patches& dy, const std::byte* data, Range tiles, Range channels, double* sums) {
  const Image& image = dy.image;
  with_element(image.dtype, [&]<class T>(T) {
    for_each_vector(channels.begin, channels.end, [&](int64_t c, auto at) FOVEA_INLINE {
      V sum = all(0);
      TileCursor cursor(dy.tiles, tiles.begin);
      for (int64_t t = tiles.begin; t < tiles.end; ++t, cursor.next()) {
        const T* first = as<T>(data) + image.offset(cursor.image, c, cursor.y, cursor.x);
        const int64_t rows = std::min(tile, image.height - cursor.y);
        const int64_t columns = std::min(tile, image.width - cursor.x);
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t j = 0; j < columns; ++j)
            sum = hn::Add(sum, at.load(first + i * image.row + j * image.column));
        }
      }
      HWY_ALIGN float values[lanes];
      hn::Store(sum, F32(), values);
      const int64_t count = std::min(lanes, channels.end - c);
      for (int64_t k = 0; k < count; ++k)
        sums[c - channels.begin + k] += static_cast<double>(values[k]);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {

HWY_EXPORT(add_tiles);
HWY_EXPORT(finish_row);
HWY_EXPORT(add_bias);

/// Tiles whose V and Z are in L2 together with a block of dU, and input channels of such a block.
constexpr int64_t together = 32, widest = 64;

class WeightGradientKernel final : public Kernel {
 public:
  WeightGradientKernel(const Patches& x, const Patches& dy, bool bias, int team)
      : x_(x), dy_(dy), bias_(bias), team_(team) {
    in_blocks_ = (x.image.channels + widest - 1) / widest;
    out_blocks_ = (dy.image.channels + group - 1) / group;
    row_ = std::min(widest, round_up(x.image.channels, 16));
    du_matrix_ = group * row_ + pad;
    v_matrix_ = together * row_ + pad;
    z_matrix_ = together * group + pad;
    const int64_t wanted = deterministic() ? 16 : std::max(16, 2 * team);
    parts_ = std::clamp<int64_t>(x.tiles.count / 192, 1, (wanted + blocks() - 1) / blocks());
  }

  std::string detail() const override {
    return parts_ == 1 ? "blocks of channels" : "blocks of channels and tiles";
  }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(4 * (items() * item_floats() + team_ * own_floats()));
  }

  void run(const Args& args) const override {
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    parallel_chunks(blocks() * parts_, [&](int64_t i, int slot) {
      const int64_t kept = parts_ == 1 ? slot : i;
      const Matrices du{scratch + kept * item_floats(), du_matrix_, row_};
      add_part(args, i / parts_, i % parts_, du, own_memory(scratch, slot));
      if (parts_ == 1) finish(args, i, du, {0, block(i).outputs.size()});
    });
    if (parts_ == 1) return;
    constexpr int64_t rows = 8;
    parallel_chunks(blocks() * group / rows, [&](int64_t i, int) {
      const int64_t b = i * rows / group, first = i * rows % group;
      const Matrices du{scratch + b * parts_ * item_floats(), du_matrix_, row_};
      finish(args, b, du, {first, std::min(first + rows, block(b).outputs.size())});
    });
  }

 private:
  int64_t blocks() const { return in_blocks_ * out_blocks_; }
  /// dU is kept for each part, or by each thread if a block has only one.
  int64_t items() const { return parts_ == 1 ? team_ : blocks() * parts_; }
  int64_t item_floats() const { return matrices * du_matrix_ + bias_floats; }
  int64_t own_floats() const { return matrices * (v_matrix_ + z_matrix_); }
  float* own_memory(float* scratch, int64_t slot) const {
    return scratch + items() * item_floats() + slot * own_floats();
  }
  double* bias_sums(const Matrices& du) const {
    return reinterpret_cast<double*>(du.data + matrices * du_matrix_);
  }

  /// Blocks of the same output channels are adjacent.
  Block block(int64_t i) const {
    const int64_t o = i / in_blocks_ * group, c = i % in_blocks_ * widest;
    return {{o, std::min(o + group, dy_.image.channels)},
            {c, std::min(c + widest, x_.image.channels)}};
  }

  void add_part(const Args& args, int64_t b, int64_t part, const Matrices& du, float* own) const {
    const Matrices v{own, v_matrix_, row_}, z{own + matrices * v_matrix_, z_matrix_, group};
    const int64_t count = x_.tiles.count;
    const Range all{count * part / parts_, count * (part + 1) / parts_};
    const bool sum_bias = bias_ && block(b).inputs.begin == 0;
    if (sum_bias) std::fill_n(bias_sums(du), group, 0.0);
    for (int64_t t = all.begin; t < all.end; t += together) {
      const Range tiles{t, std::min(all.end, t + together)};
      HWY_DYNAMIC_DISPATCH(add_tiles)
      (x_, dy_, args.in[0], args.in[1], block(b), tiles, v, z, du, t > all.begin);
      if (sum_bias)
        HWY_DYNAMIC_DISPATCH(add_bias)(dy_, args.in[1], tiles, block(b).outputs, bias_sums(du));
    }
  }

  /// Writes some rows of a block of dw, and of the bias's gradient.
  void finish(const Args& args, int64_t b, const Matrices& du, Range rows) const {
    const Block at = block(b);
    for (int64_t o = rows.begin; o < rows.end; ++o) {
      const int64_t to = (at.outputs.begin + o) * x_.image.channels + at.inputs.begin;
      HWY_DYNAMIC_DISPATCH(finish_row)
      (du, parts_, item_floats(), o, at.inputs.size(), args.output<float>(0) + to * 9);
      if (!bias_ || at.inputs.begin != 0) continue;
      double sum = 0;
      for (int64_t p = 0; p < parts_; ++p)
        sum += bias_sums({du.data + p * item_floats(), du.matrix, du.row})[o];
      args.output<float>(1)[at.outputs.begin + o] = static_cast<float>(sum);
    }
  }

  static constexpr int64_t bias_floats = 2 * group;  // doubles

  Patches x_, dy_;
  bool bias_;
  int64_t team_;
  int64_t in_blocks_, out_blocks_, parts_ = 1;
  int64_t row_, du_matrix_, v_matrix_, z_matrix_;
};

}  // namespace

std::unique_ptr<Kernel> make_weight_gradient(const Problem& problem) {
  const auto& op = problem.op.get<ConvBackwardWeights>();
  const Image x(problem.in[0]), dy(problem.in[1]);
  const Tiles tiles(dy);
  return std::make_unique<WeightGradientKernel>(
      Patches{x, tiles, op.geometry.padding_begin[0], op.geometry.padding_begin[1]},
      Patches{dy, tiles, 0, 0}, op.bias, problem.threads);
}

}  // namespace fovea::simd::winograd
#endif
