// Winograd's F(4x4, 3x3) for a convolution and for its gradient with respect to the data, which is
// the convolution of dy with the flipped and transposed weights.
//
// Up to some size, U stays in the L2 cache's reach: it is packed before the run, and each thread
// takes one block of tiles after another, whose V and M fit into its L2. Beyond it, many tiles
// share what is read of U: V of a large block of tiles is shared by all threads, each of which
// takes groups of 64 output channels. Unless the weights are fixed, and not too many, it transforms
// those of a group itself: U of all is four times as large as the weights. Each output is a sum
// over the channels in order: results do not depend on the number of threads.
#include <hwy/cache_control.h>

#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/epilogue.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops/conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_convolution.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd-inl.h"

#ifndef FOVEA_KERNELS_SIMD_WINOGRAD_CONVOLUTION
#define FOVEA_KERNELS_SIMD_WINOGRAD_CONVOLUTION
namespace fovea::simd::winograd {
namespace {

/// A convolution in Winograd's terms.
struct Convolution {
  Patches x;
  Image y;
  Weights weights;

  int64_t groups() const { return (y.channels + group - 1) / group; }
  /// The output channels of a group.
  Range channels(int64_t g) const { return {g * group, std::min((g + 1) * group, y.channels)}; }
};

/// What becomes of the outputs. `bias` has a float for each channel; y, and the residual that is
/// added, have the same elements.
struct Epilogue {
  const float* bias = nullptr;
  const std::byte* residual = nullptr;
  std::byte* y = nullptr;
  bool relu = false;
  bool stream = false;  ///< y goes around the caches
};

}  // namespace
}  // namespace fovea::simd::winograd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

void transform_inputs(const Patches& x, const std::byte* data, Range tiles, Range channels,
                      const Matrices& v) {
  with_element(x.image.dtype, [&]<class T>(T) {
    transform_patches<InputTransform>(x, as<T>(data), tiles, channels, v);
  });
}

/// One weight of each of `count` output channels, `step` elements apart; 0 in other lanes.
template <class T>
HWY_INLINE V load_weights(const T* w, int64_t step, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    if (count == lanes) {
      const hn::RebindToSigned<F32> d;
      const auto index = hn::Mul(hn::Iota(d, 0), hn::Set(d, static_cast<int32_t>(step)));
      return hn::GatherIndex(F32(), w, index);
    }
  }
  HWY_ALIGN float values[lanes] = {};
  for (int64_t o = 0; o < count; ++o) values[o] = static_cast<float>(w[o * step]);
  return hn::Load(F32(), values);
}

/// U of one group: one row per input channel. Columns beyond the last output channel are 0.
void transform_weights(const Convolution& c, const std::byte* data, int64_t g, const Matrices& u) {
  const Weights& w = c.weights;
  const Range outputs = c.channels(g);
  with_element(w.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < w.in; ++i) {
      for (int64_t o = outputs.begin; o < outputs.end; o += lanes) {
        const T* first = as<T>(data) + o * w.out_step + i * w.in_step;
        float* row = u.data + i * u.row + (o - outputs.begin);
        const int64_t count = std::min<int64_t>(lanes, outputs.end - o);
        transform<WeightTransform>(
            [&](int y, int x) FOVEA_INLINE {
              const int tap = 3 * y + x;
              return load_weights(first + (w.flip ? 8 - tap : tap), w.out_step, count);
            },
            [&](int y, int x, V value)
                FOVEA_INLINE { hn::Store(value, F32(), row + (y * 6 + x) * u.matrix); });
      }
    }
  });
}

/// Outputs of one group from M, whose rows are the tiles.
template <class T>
HWY_INLINE void store_outputs(const Convolution& c, const Epilogue& e, int64_t g, Range tiles,
                              const Matrices& m) {
  const Image& image = c.y;
  const Range channels = c.channels(g);
  for_each_vector(channels.begin, channels.end, [&](int64_t k, auto at) FOVEA_INLINE {
    const V bias = e.bias != nullptr ? at.load(e.bias + k) : all(0);
    const float* row = m.data + (k - channels.begin);
    TileCursor cursor(c.x.tiles, tiles.begin);
    for (int64_t t = tiles.begin; t < tiles.end; ++t, cursor.next(), row += m.row) {
      const int64_t offset = image.offset(cursor.image, k, cursor.y, cursor.x);
      T* y = as<T>(e.y) + offset;
      const auto load = [&](int i, int j)
                            FOVEA_INLINE { return hn::Load(F32(), row + (i * 6 + j) * m.matrix); };
      const auto store = [&](int i, int j, V value) FOVEA_INLINE {
        const int64_t to = i * image.row + j * image.column;
        V result = hn::Add(value, bias);
        if (e.residual != nullptr)
          result = hn::Add(result, at.load(as<T>(e.residual) + offset + to));
        if (e.relu) result = relu(result);
        if constexpr (std::is_same_v<T, float> && std::is_same_v<decltype(at), Whole>) {
          if (e.stream) return hn::Stream(result, F32(), y + to);
        }
        at.store(result, y + to);
      };
      const int64_t rows = image.height - cursor.y, columns = image.width - cursor.x;
      if (rows >= tile && columns >= tile) {
        transform<OutputTransform>(load, store);
      } else {
        HWY_ALIGN float values[tile * tile * lanes];  // loops instead of a copy of the code
        transform<OutputTransform>(load, [&](int i, int j, V value) FOVEA_INLINE {
          hn::Store(value, F32(), values + (i * tile + j) * lanes);
        });
        for (int i = 0; i < std::min<int64_t>(rows, tile); ++i) {
          for (int j = 0; j < std::min<int64_t>(columns, tile); ++j)
            store(i, j, hn::Load(F32(), values + (i * tile + j) * lanes));
        }
      }
    }
  });
}

/// The outputs of one group for some tiles. The first row of V is the first tile's.
void compute_group(const Convolution& c, const Epilogue& e, int64_t g, Range tiles,
                   const Matrices& v, const Matrices& u, const Matrices& m) {
  const int64_t columns = round_up(c.channels(g).size(), lanes);
  for (int64_t i = 0; i < matrices; ++i) {
    multiply({v.data + i * v.matrix, v.row, 1}, u.data + i * u.matrix, u.row, tiles.size(), columns,
             c.weights.in, m.data + i * m.matrix, m.row, false);
  }
  with_element(c.y.dtype, [&]<class T>(T) { store_outputs<T>(c, e, g, tiles, m); });
  if (e.stream) hwy::FlushStream();
}

/// Whether a vector is an entire cache line, so that it can be written around the caches.
bool fills_lines() { return lanes * sizeof(float) == 64; }

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {

HWY_EXPORT(transform_inputs);
HWY_EXPORT(transform_weights);
HWY_EXPORT(compute_group);
HWY_EXPORT(fills_lines);

constexpr int64_t megabyte = int64_t{1} << 20;
/// U of fixed weights that is worth its memory.
constexpr int64_t largest_packed = 16 * megabyte;

/// n cut into equal pieces of at most `maximum`, in multiples of the 6 rows of the product.
int64_t equal_pieces(int64_t n, int64_t maximum) {
  const int64_t pieces = (n + maximum - 1) / maximum;
  return round_up((n + pieces - 1) / pieces, 6);
}

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& c, Problem problem, int weight_input)
      : c_(c), weight_input_(weight_input), team_(problem.threads) {
    if (const auto* op = problem.op.as<Conv>()) {
      op_ = *op;
      first_ = residual_then_relu(op_.epilogue);
    }
    const int64_t in = c.x.image.channels, count = c.x.tiles.count;
    row_ = round_up(in, 16);
    u_matrix_ = in * group + pad;
    const int64_t u_bytes = c.groups() * matrices * u_matrix_ * 4;
    shared_ = u_bytes > 3 * megabyte;
    packed_ = !shared_ || (weights_fixed && u_bytes <= largest_packed);
    const int64_t tile_bytes = matrices * 4 * row_;  // of V
    block_ = shared_ ? equal_pieces(count, std::max<int64_t>(6, 10 * megabyte / tile_bytes)) : 0;
    const int64_t maximum =
        shared_
            ? 96
            : std::clamp<int64_t>(3 * megabyte / 4 / (tile_bytes + matrices * 4 * group), 12, 96);
    together_ = equal_pieces(shared_ ? block_ : (count + team_ - 1) / team_, maximum);
    const int64_t v_tiles = shared_ ? block_ : together_;
    v_matrix_ = v_tiles * row_ + pad;
    m_matrix_ = together_ * group + pad;
    own_u_ = packed_ ? 0 : u_matrix_;
  }

  std::string detail() const override { return shared_ ? "groups of channels" : "blocks of tiles"; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(matrices * 4 * (shared_floats() + team_ * own_floats()));
  }
  std::vector<int> packed_inputs() const override {
    return packed_ ? std::vector<int>{weight_input_} : std::vector<int>{};
  }
  size_t packed_bytes() const override {
    return !packed_ ? 0 : static_cast<size_t>(c_.groups() * matrices * u_matrix_ * 4);
  }
  std::string packed_form() const override {
    return "winograd " + std::to_string(c_.groups()) + " " + std::to_string(u_matrix_) +
           (weight_input_ == 1 ? "" : " of the gradient");
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    if (!packed_) return;
    parallel_chunks(c_.groups(), [&](int64_t g, int) {
      HWY_DYNAMIC_DISPATCH(transform_weights)
      (c_, in[static_cast<size_t>(weight_input_)], g, packed_group(packed, g));
    });
  }

  void run(const Args& args) const override {
    const std::byte* x = args.in[weight_input_ == 0 ? 1 : 0];
    const Epilogue e = epilogue(args);
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const std::byte* w = packed_ ? args.packed : args.in[static_cast<size_t>(weight_input_)];
    shared_ ? run_groups(x, w, e, scratch) : run_blocks(x, w, e, scratch);
  }

 private:
  int64_t shared_floats() const { return shared_ ? v_matrix_ : 0; }  ///< of one matrix
  int64_t own_floats() const { return m_matrix_ + (shared_ ? own_u_ : v_matrix_); }

  Matrices packed_group(const std::byte* packed, int64_t g) const {
    auto* floats = reinterpret_cast<float*>(const_cast<std::byte*>(packed));
    return {floats + g * matrices * u_matrix_, u_matrix_, group};
  }

  Epilogue epilogue(const Args& args) const {
    Epilogue e{.y = args.out[0], .relu = first_.relu};
    if (op_.bias) e.bias = args.input<float>(2);
    if (first_.residual) e.residual = args.in[args.in.size() - op_.epilogue.residuals()];
    const int64_t bytes = c_.y.images * c_.y.image * 4;
    e.stream = c_.y.dtype == DType::f32 && bytes > 4 * megabyte && c_.y.channels % 16 == 0 &&
               reinterpret_cast<uintptr_t>(e.y) % 64 == 0 && HWY_DYNAMIC_DISPATCH(fills_lines)();
    return e;
  }

  void run_blocks(const std::byte* x, const std::byte* packed, const Epilogue& e,
                  float* scratch) const {
    const int64_t count = c_.x.tiles.count;
    parallel_chunks((count + together_ - 1) / together_, [&](int64_t i, int slot) {
      float* own = scratch + slot * matrices * own_floats();
      const Matrices v{own, v_matrix_, row_}, m{own + matrices * v_matrix_, m_matrix_, group};
      const Range tiles{i * together_, std::min(count, (i + 1) * together_)};
      HWY_DYNAMIC_DISPATCH(transform_inputs)(c_.x, x, tiles, {0, c_.x.image.channels}, v);
      for (int64_t g = 0; g < c_.groups(); ++g)
        HWY_DYNAMIC_DISPATCH(compute_group)(c_, e, g, tiles, v, packed_group(packed, g), m);
    });
  }

  void run_groups(const std::byte* x, const std::byte* w, const Epilogue& e, float* scratch) const {
    for (int64_t begin = 0; begin < c_.x.tiles.count; begin += block_)
      run_groups(x, w, e, scratch, {begin, std::min(c_.x.tiles.count, begin + block_)});
  }
  void run_groups(const std::byte* x, const std::byte* w, const Epilogue& e, float* scratch,
                  Range block) const {
    const int64_t pieces = (block.size() + together_ - 1) / together_;
    const auto piece = [&](int64_t i) -> Range {
      const int64_t first = block.begin + i * together_;
      return {first, std::min(block.end, first + together_)};
    };
    const auto rows = [&](Range tiles) -> Matrices {  // of V
      return {scratch + (tiles.begin - block.begin) * row_, v_matrix_, row_};
    };
    const int64_t parts = (c_.x.image.channels + group - 1) / group;
    parallel_chunks(pieces * parts, [&](int64_t i, int) {
      const Range tiles = piece(i / parts);
      const Range channels{i % parts * group, (i % parts + 1) * group};
      Matrices v = rows(tiles);
      v.data += channels.begin;
      HWY_DYNAMIC_DISPATCH(transform_inputs)(c_.x, x, tiles, channels, v);
    });
    // Several chunks for each thread, which keeps U until it takes one of another group.
    constexpr int64_t chunks_per_thread = 8;
    const int64_t wanted = team_ == 1 ? 1 : chunks_per_thread * team_;
    const int64_t shares = std::min(pieces, (wanted + c_.groups() - 1) / c_.groups());
    std::vector<int64_t> transformed(static_cast<size_t>(team_), -1);  // the group of each slot's U
    parallel_chunks(c_.groups() * shares, [&](int64_t i, int slot) {
      const int64_t g = i / shares, share = i % shares;
      float* own = scratch + matrices * (v_matrix_ + slot * own_floats());
      const Matrices u = packed_ ? packed_group(w, g) : Matrices{own, u_matrix_, group};
      const Matrices m{own + matrices * own_u_, m_matrix_, group};
      int64_t& current = transformed[static_cast<size_t>(slot)];
      if (!packed_ && current != g) HWY_DYNAMIC_DISPATCH(transform_weights)(c_, w, g, u);
      current = g;
      for (int64_t p = pieces * share / shares; p < pieces * (share + 1) / shares; ++p)
        HWY_DYNAMIC_DISPATCH(compute_group)(c_, e, g, piece(p), rows(piece(p)), u, m);
    });
  }

  Convolution c_;
  Conv op_;  ///< for the gradient: one without epilogue
  ResidualThenRelu first_;
  int weight_input_;
  int64_t team_;
  bool shared_;       ///< V, by all threads
  bool packed_;       ///< U, before the run
  int64_t block_;     ///< tiles that share V
  int64_t together_;  ///< tiles that share M
  int64_t row_, u_matrix_, v_matrix_, m_matrix_;
  int64_t own_u_;  ///< as u_matrix_, of a thread's own
};

}  // namespace

std::unique_ptr<Kernel> make_convolution(const Problem& problem) {
  const auto* forward = problem.op.as<Conv>();
  const int weight = forward != nullptr ? 1 : 0;
  const ConvGeometry& g =
      forward != nullptr ? forward->geometry : problem.op.get<ConvBackwardData>().geometry;
  const Type& w = problem.in[static_cast<size_t>(weight)];
  const int64_t out = w.dim(0), in = w.dim(1);
  Convolution c;
  c.y = Image(problem.out[0]);
  c.x.image = Image(problem.in[static_cast<size_t>(1 - weight)]);
  c.x.tiles = Tiles(c.y);
  c.x.top = g.padding_begin[0], c.x.left = g.padding_begin[1];
  c.weights = {w.dtype, out, in, 9 * in, 9, false};
  if (forward == nullptr) {
    c.x.top = 2 - c.x.top, c.x.left = 2 - c.x.left;
    c.weights = {w.dtype, in, out, 9, 9 * in, true};
  }
  std::unique_ptr<Kernel> kernel = std::make_unique<ConvolutionKernel>(c, problem, weight);
  if (forward == nullptr) return kernel;
  return with_epilogue(std::move(kernel), problem, residual_then_relu(forward->epilogue).taken);
}

}  // namespace fovea::simd::winograd
#endif
