// Winograd's F(4x4, 3x3) and F(2x2, 5x5) for a convolution and for its gradient with respect to the
// data, which is the convolution of dy with the flipped and transposed weights.
//
// Up to some size, U stays in the L2 cache's reach: it is packed before the run, and each thread
// takes one block of tiles after another, whose V and M fit into its L2. Beyond it, V, U and M of a
// large block of tiles are shared by all threads, in the L3 cache or in memory; each thread takes
// one product after another, whose three matrices fit into its L2, so that they are read and
// written once. Unless the weights are fixed, and not too many, U is made in each run: it is four
// times as large as the weights of 3x3. Each output is a sum over the channels in order: results do
// not depend on the number of threads.
#include "fovea/kernels/simd/winograd_convolution.h"

#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/epilogue.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_convolution.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

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

/// Weights are fetched this many input channels ahead: in a convolution, those of 16 outputs lie in
/// 16 different cache lines.
constexpr int64_t fetched_inputs = 4;

/// U of one group: one row per tap of the depth and input channel. Columns beyond the last output
/// channel are 0.
template <class F, int axes, class T>
HWY_INLINE void transform_taps(const Convolution& c, const T* data, int64_t g, const Matrices& u) {
  const Weights& w = c.weights;
  const Range outputs = c.channels(g);
  constexpr int64_t taps = axes == 2 ? F::from * F::from : F::from;
  for (int64_t r = 0; r < c.x.taps * w.in; ++r) {
    const int64_t depth = r / w.in, i = r % w.in;
    for (int64_t o = outputs.begin; o < outputs.end; o += lanes) {
      const T* first = data + o * w.out_step + i * w.in_step;
      float* row = u.data + r * u.row + (o - outputs.begin);
      const int64_t count = std::min<int64_t>(lanes, outputs.end - o);
      for (int64_t k = 0; k < count; ++k)
        __builtin_prefetch(first + fetched_inputs * w.in_step + k * w.out_step);
      const auto load = [&](int y, int x) FOVEA_INLINE {
        const int64_t tap = depth * taps + F::from * y + x;
        return load_weights(first + (w.flip ? c.x.taps * taps - 1 - tap : tap), w.out_step, count);
      };
      if constexpr (is_shared<F, T>) {
        HWY_ALIGN float values[taps * lanes];
        for (int tap = 0; tap < taps; ++tap)
          hn::Store(load(tap / F::from, tap % F::from), F32(), values + tap * lanes);
        transform_floats<F, axes>(values, lanes, row, u.matrix);
      } else {
        transform<F, axes>(load, [&](int y, int x, V value) FOVEA_INLINE {
          hn::Store(value, F32(), row + (y * 6 + x) * u.matrix);
        });
      }
    }
  }
}
void transform_weights(const Convolution& c, const std::byte* data, int64_t g, const Matrices& u) {
  with_element(c.weights.dtype, [&]<class T>(T) {
    with_any_form(c.x.form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
      transform_taps<typename S::Weight, axes>(c, as<T>(data), g, u);
    });
  });
}

/// One of the products of a group of output channels for some tiles. The first row of V is the
/// first tile's.
void multiply_product(const Convolution& c, int64_t product, int64_t g, int64_t slice,
                      const Places& places, const Slices& v, const Matrices& u, const Matrices& m) {
  const int64_t columns = round_up(c.channels(g).size(), lanes);
  const Range taps = c.x.taps_of(slice), rows = places.of_product(c.x.form, product);
  const float* weights = u.data + c.x.form.matrix_of(product) * u.matrix;
  float* sums = m.data + product * m.matrix + rows.begin * m.row;
  if (taps.size() <= 0) std::fill_n(sums, rows.size() * m.row, 0.f);
  for (int64_t tap = taps.begin; tap < taps.end; ++tap) {
    const Matrices from = v.at(slice + tap - c.x.front);
    multiply({from.data + product * from.matrix + rows.begin * from.row, from.row, 1},
             weights + tap * c.weights.in * u.row, u.row, rows.size(), columns, c.weights.in, sums,
             m.row, tap > taps.begin);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {

HWY_EXPORT(transform_weights);
HWY_EXPORT(multiply_product);

constexpr int64_t megabyte = int64_t{1} << 20;
/// U of fixed weights that is worth its memory.
constexpr int64_t largest_packed = 16 * megabyte;

/// Rows of a product that are computed together.
constexpr int64_t product_rows = 6;

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& c, Problem problem, int weight_input)
      : c_(c),
        op_(problem.op),
        weight_input_(weight_input),
        team_(problem.threads),
        matrices_(c.x.form.matrices()),
        products_(c.x.form.products()) {
    if (const auto* op = problem.op.as<Conv>()) {
      bias_ = op->bias;
      residuals_ = op->epilogue.residuals();
      first_ = residual_then_relu(op->epilogue);
    } else if (const auto* norm_conv = problem.op.as<NormConv>()) {
      bias_ = norm_conv->bias;
      moments_ = norm_conv->moments;
    }
    const int64_t in = c.x.image.channels, count = c.x.tiles.count;
    row_ = round_up(in, 16);
    u_matrix_ = c.x.taps * in * group + pad;
    const int64_t u_bytes = c.groups() * matrices_ * u_matrix_ * 4;
    shared_ = u_bytes > 3 * megabyte;
    packed_ = !shared_ || (weights_fixed && u_bytes <= largest_packed);
    kept_ = shared_ ? c.x.image.depth : std::min(c.x.image.depth, c.x.taps);
    const int64_t tile_bytes = kept_ * products_ * 4 * row_;  // of V
    const auto pieces = [](int64_t n, int64_t maximum) {
      return equal_pieces(n, maximum, product_rows);
    };
    const int64_t sums_bytes = products_ * 4 * group;  // of M, and a group
    block_ = !shared_
                 ? 0
                 : pieces(count, std::max<int64_t>(
                                     12, 24 * megabyte / (tile_bytes + c.groups() * sums_bytes)));
    const int64_t maximum = shared_
                                ? 96
                                : std::clamp<int64_t>(3 * megabyte / 4 / (tile_bytes + sums_bytes),
                                                      12, c.x.form.stride == Stride::one ? 96 : 42);
    // Moments are sums over pieces, which then must not depend on the team.
    const int64_t shares = moments_ ? 8 : team_;
    together_ = pieces(shared_ ? block_ : (count + shares - 1) / shares, maximum);
    const int64_t chunks = (count + together_ - 1) / together_;
    bands_ = team_ == 1 ? 1 : std::clamp<int64_t>(2 * team_ / chunks, 1, c.y.image.depth);
    v_slice_ = (shared_ ? block_ : together_) * row_;
    v_matrix_ = kept_ * v_slice_ + pad;
    m_matrix_ = (shared_ ? c.groups() * block_ : together_) * group + pad;
  }

  std::string detail() const override { return shared_ ? "matrix by matrix" : "blocks of tiles"; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(4 * (moments_begin() + moments_floats()));
  }
  std::vector<int> packed_inputs() const override {
    return packed_ ? std::vector<int>{weight_input_} : std::vector<int>{};
  }
  size_t packed_bytes() const override { return packed_ ? static_cast<size_t>(u_floats() * 4) : 0; }
  std::string packed_form() const override {
    return "winograd " + std::to_string(c_.groups()) + " " + std::to_string(u_matrix_) +
           (c_.x.form.stride == Stride::one ? "" : " strided") +
           (weight_input_ == 1 ? "" : " of the gradient");
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    if (packed_) transform_weights(in[static_cast<size_t>(weight_input_)], packed);
  }

  bool in_place(size_t input, size_t) const override {  // of a residual
    return residuals_ > 0 && input >= 2u + bias_;
  }

  void run(const Args& args) const override {
    const std::byte* x = args.in[weight_input_ == 0 ? 1 : 0];
    const Epilogue e = epilogue(args);
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const std::byte* w = packed_ ? args.packed : args.in[static_cast<size_t>(weight_input_)];
    const InputNorm norm = input_norm(op_, args);
    shared_ ? run_matrices(x, norm, w, e, scratch) : run_blocks(x, norm, w, e, scratch);
    if (moments_) join_moments(args, scratch);
  }

 private:
  int64_t matrices_floats() const { return products_ * (v_matrix_ + m_matrix_); }  ///< V and M
  int64_t u_floats() const { return c_.groups() * matrices_ * u_matrix_; }

  /// Where the moments of pieces begin in the scratch memory, and their size.
  int64_t moments_begin() const {
    return shared_ ? matrices_floats() + (packed_ ? 0 : u_floats()) : team_ * matrices_floats();
  }
  int64_t piece_floats() const {  // of mean, squares and counts
    return 2 * round_up(c_.y.image.channels, 16) + round_up(c_.groups(), 16);
  }
  int64_t pieces() const {
    const auto of = [&](int64_t tiles) { return (tiles + together_ - 1) / together_; };
    const int64_t count = c_.x.tiles.count;
    if (!shared_) return of(count);
    return count / block_ * pieces_of_block() + of(count % block_);
  }
  int64_t pieces_of_block() const { return (block_ + together_ - 1) / together_; }
  int64_t moments_floats() const {
    return moments_ ? pieces() * c_.y.image.depth * piece_floats() : 0;
  }
  /// Those of a piece of a slice.
  Moments moments_of(float* scratch, int64_t piece, int64_t slice) const {
    if (!moments_) return {};
    float* mean = scratch + moments_begin() + (piece * c_.y.image.depth + slice) * piece_floats();
    const int64_t channels = round_up(c_.y.image.channels, 16);
    return {mean, mean + channels, mean + 2 * channels};
  }
  /// Mean and variance of each channel from those of all pieces, in order.
  void join_moments(const Args& args, float* scratch) const {
    const int64_t parts = pieces() * c_.y.image.depth;
    const auto for_each = [&](int64_t channel, const auto& f) {
      for (int64_t i = 0; i < parts; ++i) {
        const Moments part = moments_of(scratch, i / c_.y.image.depth, i % c_.y.image.depth);
        const double count = part.count[channel / group];
        f(count, static_cast<double>(part.mean[channel]),
          static_cast<double>(part.squares[channel]));
      }
    };
    parallel_for(c_.y.image.channels, 64, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        double total = 0, sum = 0, spread = 0;
        for_each(k, [&](double count, double mean, double) {
          total += count;
          sum += count * mean;
        });
        const double centre = sum / total;
        for_each(k, [&](double count, double mean, double squares) {
          spread += squares + count * (mean - centre) * (mean - centre);
        });
        args.output<float>(1)[k] = static_cast<float>(centre);
        args.output<float>(2)[k] = static_cast<float>(spread / total);
      }
    });
  }

  /// U of a group.
  Matrices u_of(const std::byte* u, int64_t g) const {
    auto* floats = reinterpret_cast<float*>(const_cast<std::byte*>(u));
    return {floats + g * matrices_ * u_matrix_, u_matrix_, group};
  }
  void transform_weights(const std::byte* w, std::byte* u) const {
    parallel_chunks(c_.groups(), [&](int64_t g, int) {
      HWY_DYNAMIC_DISPATCH(transform_weights)(c_, w, g, u_of(u, g));
    });
  }

  Epilogue epilogue(const Args& args) const {
    Epilogue e{.y = args.out[0], .relu = first_.relu};
    if (bias_) e.bias = args.input<float>(2);
    if (first_.residual) e.residual = args.in[args.in.size() - residuals_];
    const int64_t bytes = c_.y.image.images * c_.y.image.image * 4;
    e.stream = c_.y.image.dtype == DType::f32 && bytes > 4 * megabyte &&
               c_.y.image.channels % 16 == 0 && reinterpret_cast<uintptr_t>(e.y) % 64 == 0 &&
               has_avx512();
    return e;
  }

  void run_blocks(const std::byte* x, const InputNorm& norm, const std::byte* packed,
                  const Epilogue& e, float* scratch) const {
    const int64_t count = c_.x.tiles.count;
    parallel_chunks((count + together_ - 1) / together_ * bands_, [&](int64_t i, int slot) {
      float* memory = scratch + slot * matrices_floats();
      const Slices v{{memory, v_matrix_, row_}, v_slice_, kept_};
      const Matrices m{memory + products_ * v_matrix_, m_matrix_, group};
      const int64_t first = i / bands_ * together_, band = i % bands_;
      const Places places(c_.x.tiles, {first, std::min(count, first + together_)});
      const Range slices{c_.y.image.depth * band / bands_, c_.y.image.depth * (band + 1) / bands_};
      int64_t next = std::max<int64_t>(0, slices.begin - c_.x.front);  // of x
      for (int64_t slice = slices.begin; slice < slices.end; ++slice) {
        for (; next < c_.x.end_of(slice); ++next) {
          transform_inputs(c_.x, x, norm, {next, places.all()}, {0, c_.x.image.channels},
                           v.at(next));
        }
        Epilogue own = e;
        own.moments = moments_of(scratch, i / bands_, slice);
        for (int64_t g = 0; g < c_.groups(); ++g) {
          for (int64_t product = 0; product < products_; ++product) {
            HWY_DYNAMIC_DISPATCH(multiply_product)
            (c_, product, g, slice, places, v, u_of(packed, g), m);
          }
          finish_group(c_, own, g, {slice, places.all()}, m);
        }
      }
    });
  }

  void run_matrices(const std::byte* x, const InputNorm& norm, const std::byte* w,
                    const Epilogue& e, float* scratch) const {
    auto* own_u = reinterpret_cast<std::byte*>(scratch + matrices_floats());
    if (!packed_) transform_weights(w, own_u);
    for (int64_t begin = 0; begin < c_.x.tiles.count; begin += block_) {
      run_matrices(x, norm, packed_ ? w : own_u, e, scratch,
                   {begin, std::min(c_.x.tiles.count, begin + block_)});
    }
  }
  void run_matrices(const std::byte* x, const InputNorm& norm, const std::byte* u,
                    const Epilogue& e, float* scratch, Range block) const {
    std::vector<Places> pieces;
    for (int64_t first = block.begin; first < block.end; first += together_)
      pieces.emplace_back(c_.x.tiles, Range{first, std::min(block.end, first + together_)});
    const auto v_of = [&](int64_t piece, int64_t channel) -> Slices {
      return {{scratch + piece * together_ * row_ + channel, v_matrix_, row_}, v_slice_, kept_};
    };
    const auto m_of = [&](int64_t piece, int64_t g) -> Matrices {
      float* m = scratch + products_ * v_matrix_ + (g * block_ + piece * together_) * group;
      return {m, m_matrix_, group};
    };
    const int64_t count = std::ssize(pieces), groups = c_.groups();
    const int64_t parts = (c_.x.image.channels + group - 1) / group;
    parallel_chunks(count * c_.x.image.depth * parts, [&](int64_t i, int) {
      const int64_t slice = i / parts / count, piece = i / parts % count;
      const Range channels{i % parts * group, (i % parts + 1) * group};
      transform_inputs(c_.x, x, norm, {slice, pieces[static_cast<size_t>(piece)].all()}, channels,
                       v_of(piece, channels.begin).at(slice));
    });
    for (int64_t slice = 0; slice < c_.y.image.depth; ++slice) {
      parallel_chunks(count * products_, [&](int64_t i, int) {
        const int64_t piece = i % count, product = i / count;
        for (int64_t g = 0; g < groups; ++g) HWY_DYNAMIC_DISPATCH(multiply_product)
        (c_, product, g, slice, pieces[static_cast<size_t>(piece)], v_of(piece, 0), u_of(u, g),
         m_of(piece, g));
      });
      parallel_chunks(count * groups, [&](int64_t i, int) {
        const int64_t piece = i / groups, g = i % groups;
        Epilogue own = e;
        own.moments = moments_of(scratch, block.begin / block_ * pieces_of_block() + piece, slice);
        finish_group(c_, own, g, {slice, pieces[static_cast<size_t>(piece)].all()}, m_of(piece, g));
      });
    }
  }

  Convolution c_;
  Op op_;
  bool bias_ = false;
  size_t residuals_ = 0;
  bool moments_ = false;
  ResidualThenRelu first_;
  int weight_input_;
  int64_t team_, matrices_, products_;
  bool shared_;       ///< U, V and M, by all threads
  bool packed_;       ///< U, before the run
  int64_t block_;     ///< tiles whose V and M are in memory at a time, where they are shared
  int64_t together_;  ///< tiles that are transformed and multiplied together
  int64_t kept_;      ///< slices of V
  int64_t bands_;     ///< into which blocks that do not share V are cut along the depth
  int64_t row_, u_matrix_, v_slice_, v_matrix_, m_matrix_;
};

}  // namespace

std::unique_ptr<Kernel> make_convolution(const Problem& problem) {
  const auto* gradient = problem.op.as<ConvBackwardData>();
  const int weight = gradient != nullptr ? 0 : 1;
  const Type& w = problem.in[static_cast<size_t>(weight)];
  const int64_t out = w.dim(0), in = w.dim(1), taps = w.shape.slice(2).numel();
  Convolution c;
  if (gradient != nullptr) {
    std::tie(c.x, c.y) =
        of_data_gradient(gradient->geometry, w.shape, problem.in[1], problem.out[0]);
    c.weights = {w.dtype, in, out, taps, taps * in, true};
  } else {
    const auto* norm_conv = problem.op.as<NormConv>();
    const ConvGeometry& g =
        norm_conv != nullptr ? norm_conv->geometry : problem.op.get<Conv>().geometry;
    c.x = patches_of(g, w.shape, problem.in[0], problem.out[0]);
    c.y = {Image(problem.out[0], c.x.form)};
    c.weights = {w.dtype, out, in, taps * in, taps, false};
  }
  std::unique_ptr<Kernel> kernel = std::make_unique<ConvolutionKernel>(c, problem, weight);
  const auto* forward = problem.op.as<Conv>();
  if (forward == nullptr) return kernel;
  return with_epilogue(std::move(kernel), problem, residual_then_relu(forward->epilogue).taken);
}

}  // namespace fovea::simd::winograd
#endif
