// The gradient of a convolution's weights, and products of matrices that sum over the rows of both:
// dw[o, c, tap] is the sum over positions of dy[o] times the x[c] that the tap reads for it. In
// floats; x and dy may be bf16 or f16. Of groups of few channels some are computed together, with
// the sums between them, which are not used.
//
// dw is cut into blocks that stay in a thread's L2 while it visits the positions, some at a time:
// 16 channels of x and of dy at these positions are rows of 64 bytes, in their own memory where
// channels are in blocks of 16, else in copies. These cost a hundredth of the products of many
// channels, but a half of those of few; so a few adjacent channels stay where they are, too.
// Registers hold the sums of a few output channels by up to three vectors of input channels. Of
// fewer than 16 input channels, a copy is the row as it is, with its padding: all that a row of
// taps reads for a position is adjacent there, as if these were channels.
//
// Where there are few blocks the positions are divided, too, and the parts added in order. They
// depend on the problem alone unless there are more than eight threads: so do the results. Error
// bound: as many eps as there are positions, of the products' absolute values.
#include <algorithm>
#include <span>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/simd/direct.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/direct_weights.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DIRECT_WEIGHTS
#define FOVEA_KERNELS_SIMD_DIRECT_WEIGHTS
namespace fovea::simd::direct {
namespace {

/// Positions whose rows are visited together: those of three vectors and of some outputs are in L1,
/// also where rows are far apart and share the sets of the cache.
constexpr int64_t together = 128, together_apart = 32;
/// Floats from one block of 16 channels to the next in a copy: not all start in the same sets.
constexpr int64_t copied_block = (together + 1) * block;

/// Consecutive positions of dy, within one row: rows of 16 floats of x and of dy.
struct Segment {
  const float *x, *dy;
  int64_t length;
  int64_t x_step = block, dy_step = block;  ///< from position to position
};

/// x or dy: the value at (row, column) of dy is the one at (row * stride + first) in memory, along
/// both axes, or 0 outside of `size`.
struct Source {
  Place place;
  int64_t size[2] = {1, 1}, stride[2] = {1, 1}, first[2] = {0, 0};
  bool copied = true;
};

/// Of what segments refer to: from one block of channels to the next.
struct Steps {
  int64_t x_block, dy_block;
};

/// Lines of the positions after these, for 16 channels: where in memory, in bytes. They are fetched
/// into the L2 cache one by one between products; many at once would have to wait for each other.
struct Stream {
  const std::byte* first;
  const int64_t* offsets;  ///< of as many positions as are visited meanwhile
};
using Streams = std::span<const Stream>;

/// The part of the streams that the index-th of `count` fetches.
Streams share_of(Streams streams, int64_t index, int64_t count) {
  const int64_t n = std::ssize(streams), begin = n * index / count;
  return streams.subspan(begin, n * (index + 1) / count - begin);
}

/// Input by output channels of dw, multiples of 16 except at the end.
struct Block {
  Range outputs, inputs;
};

int64_t round_up(int64_t n) { return (n + block - 1) / block * block; }

/// Calls f(image, row, columns) for the rows of a range of positions.
template <class F>
void for_each_row(const Convolution& c, Range positions, const F& f) {
  for (int64_t p = positions.begin; p < positions.end;) {
    const int64_t row = p / c.columns, column = p % c.columns;
    const int64_t end = std::min(c.columns, column + positions.end - p);
    f(row / c.rows, row % c.rows, Range{column, end});
    p += end - column;
  }
}

}  // namespace
}  // namespace fovea::simd::direct
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::direct {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Output channels whose sums are in registers together: by three vectors, 24 or 12 of them.
constexpr int64_t outputs = HWY_TARGET <= HWY_AVX3 ? 8 : 4;

/// sums (rows of `row` floats) = or += the products at all positions; `offsets`: from a segment's x
/// to the vectors.
template <int vectors, bool fetches>
HWY_NOINLINE void add_products(std::span<const Segment> segments, const int64_t (&offsets)[3],
                               int64_t dy_offset, Streams streams, float* sums, int64_t row,
                               bool add) {
  V sum[outputs][vectors];
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o) {
#pragma GCC unroll 3
    for (int j = 0; j < vectors; ++j)
      sum[o][j] = add ? hn::Load(F32(), sums + o * row + j * lanes) : all(0);
  }
  int64_t visited = 0;
  for (const Segment& segment : segments) {
    const float* dy = segment.dy + dy_offset;
    const float* x[vectors];
#pragma GCC unroll 3
    for (int j = 0; j < vectors; ++j) x[j] = segment.x + offsets[j];
    const int64_t x_step = segment.x_step, dy_step = segment.dy_step;
    for (int64_t n = 0, k = 0, i = 0; n < segment.length; ++n, k += x_step, i += dy_step) {
      V right[vectors];
#pragma GCC unroll 3
      for (int j = 0; j < vectors; ++j) right[j] = hn::LoadU(F32(), x[j] + k);
      if constexpr (fetches) {
        for (const Stream& s : streams) __builtin_prefetch(s.first + s.offsets[visited + n], 0, 2);
      }
#pragma GCC unroll 8
      for (int o = 0; o < outputs; ++o) {
        const V left = all(dy[i + o]);
#pragma GCC unroll 3
        for (int j = 0; j < vectors; ++j) sum[o][j] = hn::MulAdd(left, right[j], sum[o][j]);
      }
    }
    visited += segment.length;
  }
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o) {
#pragma GCC unroll 3
    for (int j = 0; j < vectors; ++j) hn::Store(sum[o][j], F32(), sums + o * row + j * lanes);
  }
}

/// The sums of all outputs by `vectors` vectors of inputs from `first` on.
template <int vectors>
void add_vectors(std::span<const Segment> segments, const Steps& steps, const Block& b,
                 int64_t first, Streams streams, float* sums, bool add) {
  const int64_t row = round_up(b.inputs.size());
  int64_t offsets[3] = {};
  for (int j = 0; j < vectors; ++j) {
    const int64_t c = first + j * lanes;
    offsets[j] = c / block * steps.x_block + c % block;
  }
  const int64_t calls = (b.outputs.size() + outputs - 1) / outputs;
  for (int64_t call = 0; call < calls; ++call) {
    const int64_t o = call * outputs, dy_offset = o / block * steps.dy_block + o % block;
    float* own = sums + o * row + first;
    const Streams part = share_of(streams, call, calls);
    if (part.empty()) {
      add_products<vectors, false>(segments, offsets, dy_offset, part, own, row, add);
    } else {
      add_products<vectors, true>(segments, offsets, dy_offset, part, own, row, add);
    }
  }
}

/// One tap's sums, a row for each output: three vectors at a time, but four as two and two.
void add_tap(std::span<const Segment> segments, const Steps& steps, const Block& b, Streams streams,
             float* sums, bool add) {
  const int64_t vectors = (b.inputs.size() + lanes - 1) / lanes;
  const int64_t calls = (vectors + 2) / 3;
  for (int64_t call = 0, v = 0; call < calls; ++call) {
    const int64_t rest = vectors - v, count = rest == 4 ? 2 : std::min<int64_t>(rest, 3);
    const Streams part = share_of(streams, call, calls);
    if (count == 3) add_vectors<3>(segments, steps, b, v * lanes, part, sums, add);
    if (count == 2) add_vectors<2>(segments, steps, b, v * lanes, part, sums, add);
    if (count == 1) add_vectors<1>(segments, steps, b, v * lanes, part, sums, add);
    v += count;
  }
}

/// sums = or += what each output channel's dy adds up to.
void add_channels(std::span<const Segment> segments, int64_t dy_block, int64_t channels,
                  float* sums, bool add) {
  for (int64_t c = 0; c < channels; c += lanes) {
    V sum = add ? hn::Load(F32(), sums + c) : all(0);
    for (const Segment& segment : segments) {
      const float* dy = segment.dy + c / block * dy_block + c % block;
      for (int64_t n = 0; n < segment.length; ++n)
        sum = hn::Add(sum, hn::LoadU(F32(), dy + n * segment.dy_step));
    }
    hn::Store(sum, F32(), sums + c);
  }
}

/// Copies channels at these positions: block after block, 0 beyond the last channel.
void copy_positions(const Convolution& c, const Source& s, const std::byte* bytes, Range positions,
                    Range channels, float* to) {
  with_element(c.dtype, [&]<class T>(T) {
    for_each_row(c, positions, [&](int64_t image, int64_t row, Range columns) {
      const int64_t y = row * s.stride[0] + s.first[0],
                    x = columns.begin * s.stride[1] + s.first[1];
      const T* from = as<T>(bytes) + image * s.place.image + y * s.place.row + x * s.place.column;
      const int64_t step = s.stride[1] * s.place.column, count = columns.size();
      int64_t begin = count, end = count;  // of the positions inside
      if (y >= 0 && y < s.size[0]) {
        const auto first_from = [&](int64_t column) {  // the first position there or after it
          return std::clamp<int64_t>((column - x + s.stride[1] - 1) / s.stride[1], 0, count);
        };
        begin = x >= 0 ? 0 : first_from(0);
        end = x < s.size[1] ? std::max(begin, first_from(s.size[1])) : begin;
      }
      // A few positions at a time: memory is read along their rows of channels.
      constexpr int64_t few = 8;
      for (int64_t p = 0; p < count; p += few, to += few * block) {
        const auto inside = [&](int64_t i) { return std::clamp<int64_t>(i - p, 0, few); };
        const int64_t last = std::min(few, count - p), from_zero = inside(begin);
        const int64_t to_zero = std::max(from_zero, std::min(inside(end), last));
        for (int64_t v = channels.begin; v < channels.begin + round_up(channels.size());
             v += lanes) {
          const T* source = from + p * step + v / block * s.place.block + v % block;
          const int64_t own = v - channels.begin;
          float* rows = to + own / block * copied_block + own % block;
          const auto copy = [&](auto access) FOVEA_INLINE {
            for (int64_t i = 0; i < std::min(from_zero, last); ++i)
              hn::Store(all(0), F32(), rows + i * block);
            for (int64_t i = from_zero; i < to_zero; ++i)
              hn::Store(access.load(source + i * step), F32(), rows + i * block);
            for (int64_t i = to_zero; i < last; ++i) hn::Store(all(0), F32(), rows + i * block);
          };
          const int64_t rest = std::clamp<int64_t>(channels.end - v, 0, lanes);
          rest == lanes ? copy(Whole{}) : copy(Part{static_cast<size_t>(rest)});
        }
      }
      to -= (count + few - 1) / few * few * block;
      to += columns.size() * block;
    });
  });
}

/// Copies what a row of taps reads of row y of x for some columns of dy, all channels of a position
/// next to each other, and zeros for the last vector. Returns where the copy ends.
float* copy_row(const Convolution& c, const std::byte* bytes, int64_t image, int64_t y,
                Range columns, float* to) {
  const int64_t first = columns.begin * c.stride[1] - c.padding[1];
  const int64_t count = (columns.size() - 1) * c.stride[1] + c.kernel[1];
  float* end = to + count * c.in + block;
  std::fill(to, end, 0.f);
  if (y < 0 || y >= c.height) return end;
  with_element(c.dtype, [&]<class T>(T) {
    for (int64_t channel = 0; channel < c.in; ++channel) {
      const T* from = as<T>(bytes) + image * c.x.image + y * c.x.row + channel * c.x.channel;
      for (int64_t i = std::max<int64_t>(0, -first); i < std::min(count, c.width - first); ++i)
        to[i * c.in + channel] = static_cast<float>(from[(first + i) * c.x.column]);
    }
  });
  return end;
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::direct {
namespace {

HWY_EXPORT(add_tap);
HWY_EXPORT(add_channels);
HWY_EXPORT(copy_positions);
HWY_EXPORT(copy_row);

class WeightGradientKernel final : public Kernel {
 public:
  WeightGradientKernel(const Convolution& c, int threads, size_t x, size_t dy, bool bias)
      : c_(c),
        inputs_{x, dy},
        threads_(threads),
        joined_(joins_taps(c) ? c.kernel[1] : 1),
        united_(groups_together(c, block, block)),
        in_(united_ * joined_ * c.group_in()),
        out_(united_ * c.group_out()),
        taps_(c.taps() / joined_),
        bias_(bias) {
    const bool pixels = c.taps() == 1 && c.width == c.columns && c.height == c.rows &&
                        c.padding[0] == 0 && c.padding[1] == 0;
    const int64_t lanes = registers().lanes;
    const bool apart = pixels && c.groups == 1 && std::min(c.in, c.out) <= 32 &&
                       c.in % lanes == 0 && c.out % lanes == 0;
    const auto in_place = [&](const Place& p) {
      return c.dtype == DType::f32 &&
             (p.layout == Layout::blocked16 || (apart && p.layout == Layout::channels_last));
    };
    x_ = {.place = c.x,
          .size = {c.height, c.width},
          .stride = {c.stride[0], c.stride[1]},
          .copied = !(pixels && in_place(c.x))};
    dy_ = {.place = c.y, .size = {c.rows, c.columns}, .copied = !in_place(c.y)};
    const auto far = [](const Source& s) { return !s.copied && s.place.column > block; };
    together_ = far(x_) || far(dy_) ? together_apart : together;
    piece_ = {{0, piece_of(out_, taps_ == 1 ? 256 : 128)},
              {0, piece_of(in_, taps_ == 1 ? 256 : 64)}};
    in_blocks_ = (in_ + piece_.inputs.end - 1) / piece_.inputs.end;
    out_blocks_ = (out_ + piece_.outputs.end - 1) / piece_.outputs.end;
    positions_ = c.images * c.rows * c.columns;
    const int64_t wanted = deterministic() ? 16 : std::max(16, 2 * threads);
    parts_ =
        std::clamp<int64_t>(positions_ / (4 * together), 1, (wanted + blocks() - 1) / blocks());
    products_ = taps_ * piece_.outputs.end * piece_.inputs.end;
    sums_ = products_ + (bias ? piece_.outputs.end : 0);
    x_floats_ = x_.copied ? piece_.inputs.end / block * copied_block : 0;
    if (joined_ > 1) {
      const int64_t rows = std::min(together, (together + c.columns - 2) / c.columns + 1);
      x_floats_ = round_up((together * c.stride[1] + rows * c.kernel[1]) * c.in + rows * block);
    }
    dy_floats_ = dy_.copied ? piece_.outputs.end / block * copied_block : 0;
  }

  std::string detail() const override {
    return parts_ == 1 ? "blocks of channels" : "blocks of channels and positions";
  }
  size_t scratch_bytes() const override {
    const int64_t kept = parts_ == 1 ? threads_ : blocks() * parts_;
    return static_cast<size_t>(checked_product(
        checked_product(kept, sums_) + threads_ * (x_floats_ + dy_floats_), sizeof(float)));
  }

  void run(const Args& args) const override {
    auto* copies = reinterpret_cast<float*>(args.scratch);
    float* sums = copies + threads_ * (x_floats_ + dy_floats_);
    parallel_chunks(blocks() * parts_, [&](int64_t i, int slot) {
      float* own = sums + (parts_ == 1 ? slot : i) * sums_;
      const int64_t b = i / parts_, part = i % parts_;
      add_positions(args, block_at(b),
                    {positions_ * part / parts_, positions_ * (part + 1) / parts_},
                    copies + slot * (x_floats_ + dy_floats_), own);
      if (parts_ == 1) finish(args, block_at(b), {0, block_at(b).outputs.size()}, own);
    });
    if (parts_ == 1) return;
    constexpr int64_t rows = 8;
    const int64_t bands = (piece_.outputs.end + rows - 1) / rows;
    parallel_chunks(blocks() * bands, [&](int64_t i, int) {
      const Block b = block_at(i / bands);
      const int64_t first = i % bands * rows;
      finish(args, b, {first, std::min(first + rows, b.outputs.size())},
             sums + i / bands * parts_ * sums_);
    });
  }

 private:
  /// n in equal pieces of at most `maximum`.
  static int64_t piece_of(int64_t n, int64_t maximum) {
    const int64_t pieces = (n + maximum - 1) / maximum;
    return round_up((n + pieces - 1) / pieces);
  }
  int64_t blocks() const {
    return in_blocks_ * out_blocks_ * ((c_.groups + united_ - 1) / united_);
  }
  Block block_at(int64_t i) const {
    const auto cut = [](int64_t index, int64_t piece, int64_t unit, int64_t size, int64_t end) {
      const int64_t first = unit * size, begin = first + index * piece;
      return Range{begin, std::min({begin + piece, first + size, end})};
    };
    const int64_t unit = i / (in_blocks_ * out_blocks_), o = i / in_blocks_ % out_blocks_;
    return {cut(o, piece_.outputs.end, unit, out_, c_.out),
            cut(i % in_blocks_, piece_.inputs.end, unit, in_, joined_ * c_.in)};
  }

  /// Where channels of a blocked f32 value begin, for the position that is first in a row.
  static const float* place(const Source& s, const std::byte* data, int64_t channel, int64_t image,
                            int64_t row, int64_t column) {
    return reinterpret_cast<const float*>(data) + image * s.place.image +
           channel / block * s.place.block + row * s.place.row + column * s.place.column;
  }

  /// sums = the products at some positions: by tap and output, a row of inputs.
  void add_positions(const Args& args, const Block& b, Range positions, float* copies,
                     float* sums) const {
    const std::byte *x = args.in[inputs_[0]], *dy = args.in[inputs_[1]];
    float *x_copy = copies, *dy_copy = copies + x_floats_;
    const int64_t x_step = x_.copied ? block : c_.x.column,
                  dy_step = dy_.copied ? block : c_.y.column;
    Steps steps{c_.x.block, c_.y.block};
    if (x_.copied) steps.x_block = joined_ > 1 ? block : copied_block;
    if (dy_.copied) steps.dy_block = copied_block;
    const int64_t tap_floats = round_up(b.outputs.size()) * round_up(b.inputs.size());
    std::vector<Segment> segments;
    std::vector<Stream> streams;
    int64_t x_offsets[together], dy_offsets[together];
    if (joined_ == 1) add_streams(x_, x, b.inputs, x_offsets, streams);
    add_streams(dy_, dy, b.outputs, dy_offsets, streams);
    for (int64_t p = positions.begin; p < positions.end; p += together_) {
      const Range some{p, std::min(positions.end, p + together_)};
      if (dy_.copied) HWY_DYNAMIC_DISPATCH(copy_positions)(c_, dy_, dy, some, b.outputs, dy_copy);
      segments.clear();
      int64_t done = 0;
      for_each_row(c_, some, [&](int64_t image, int64_t row, Range columns) {
        const auto at = [&](const Source& s, const std::byte* data, const float* copy,
                            int64_t channel) {
          return s.copied ? copy + done * block
                          : place(s, data, channel, image, row, columns.begin);
        };
        segments.push_back({at(x_, x, x_copy, b.inputs.begin),
                            at(dy_, dy, dy_copy, b.outputs.begin), columns.size(), x_step,
                            dy_step});
        done += columns.size();
      });
      if (x_.copied && dy_.copied && joined_ == 1) segments = {{x_copy, dy_copy, some.size()}};
      const Range after{some.end, std::min(positions.end, some.end + together_)};
      locate(x_, after, x_offsets);
      locate(dy_, after, dy_offsets);
      const bool add = p > positions.begin;
      if (of_bias(b)) {
        HWY_DYNAMIC_DISPATCH(add_channels)
        (segments, steps.dy_block, b.outputs.size(), sums + products_, add);
      }
      for (int64_t tap = 0; tap < taps_; ++tap) {
        if (joined_ > 1) {
          copy_rows(tap, x, some, b.inputs.begin, x_copy, segments);
        } else if (x_.copied) {
          copy_x(tap, x, some, b.inputs, x_copy);
        }
        HWY_DYNAMIC_DISPATCH(add_tap)
        (segments, steps, b, after.size() > 0 ? share_of(streams, tap, taps_) : Streams(),
         sums + tap * tap_floats, add);
      }
    }
  }

  /// The streams of these channels.
  void add_streams(const Source& s, const std::byte* data, Range channels, const int64_t* offsets,
                   std::vector<Stream>& streams) const {
    for (int64_t v = channels.begin; v < channels.end; v += block) {
      const int64_t first = v / block * s.place.block + v % block * s.place.channel;
      streams.push_back({data + first * static_cast<int64_t>(size_of(c_.dtype)), offsets});
    }
  }

  /// Where in memory positions are, in bytes from the first one of the first image. Of fewer
  /// positions than are visited at a time the last one is repeated.
  void locate(const Source& s, Range positions, int64_t* offsets) const {
    const auto bytes = static_cast<int64_t>(size_of(c_.dtype));
    const int64_t step = s.stride[1] * s.place.column * bytes;
    const int64_t inside = (s.size[1] - 1) / s.stride[1];
    int64_t* to = offsets;
    for_each_row(c_, positions, [&](int64_t image, int64_t row, Range columns) {
      const int64_t y = std::min(row * s.stride[0], s.size[0] - 1);
      const int64_t first = (image * s.place.image + y * s.place.row) * bytes;
      for (int64_t column = columns.begin; column < columns.end; ++column)
        *to++ = first + std::min(column, inside) * step;
    });
    if (to > offsets) std::fill(to, offsets + together, to[-1]);
  }

  void copy_x(int64_t tap, const std::byte* x, Range positions, Range channels, float* to) const {
    Source s = x_;
    const int64_t at[2] = {tap / c_.kernel[1], tap % c_.kernel[1]};
    for (const int axis : {0, 1}) s.first[axis] = at[axis] * c_.dilation[axis] - c_.padding[axis];
    HWY_DYNAMIC_DISPATCH(copy_positions)(c_, s, x, positions, channels, to);
  }

  /// Copies what a row of taps reads, and has the segments read that, from channel `first` on.
  void copy_rows(int64_t tap, const std::byte* x, Range positions, int64_t first, float* to,
                 std::vector<Segment>& segments) const {
    auto segment = segments.begin();
    for_each_row(c_, positions, [&](int64_t image, int64_t row, Range columns) {
      segment->x = to + first;
      segment->x_step = c_.stride[1] * c_.in;
      ++segment;
      const int64_t y = row * c_.stride[0] + tap * c_.dilation[0] - c_.padding[0];
      to = HWY_DYNAMIC_DISPATCH(copy_row)(c_, x, image, y, columns, to);
    });
  }

  /// Whether sums of dy belong to this block: the first of its outputs.
  bool of_bias(const Block& b) const { return bias_ && b.inputs.begin % in_ == 0; }

  /// Writes some outputs' rows of a block of dw, the sums of all parts.
  void finish(const Args& args, const Block& b, Range rows, float* sums) const {
    const int64_t row = round_up(b.inputs.size()), tap_floats = round_up(b.outputs.size()) * row;
    const int64_t taps = c_.taps(), channels = c_.group_in();
    for (int64_t o = rows.begin; o < rows.end; ++o) {
      float* dw = args.output<float>(0) + (b.outputs.begin + o) * channels * taps;
      for (int64_t tap = 0; tap < taps_; ++tap) {
        float* total = sums + tap * tap_floats + o * row;
        for (int64_t part = 1; part < parts_; ++part) {
          const float* next = total + part * sums_;
          for (int64_t i = 0; i < b.inputs.size(); ++i) total[i] += next[i];
        }
        if (joined_ == 1) {
          const int64_t first = (b.outputs.begin + o) / c_.group_out() * channels;
          const Range own{std::max(first, b.inputs.begin),
                          std::min(first + channels, b.inputs.end)};
          for (int64_t i = own.begin; i < own.end; ++i)
            dw[(i - first) * taps + tap] = total[i - b.inputs.begin];
          continue;
        }
        int64_t channel = b.inputs.begin % channels, column = b.inputs.begin / channels;
        for (int64_t i = 0; i < b.inputs.size(); ++i) {
          dw[channel * taps + tap * joined_ + column] = total[i];
          if (++channel == channels) channel = 0, ++column;
        }
      }
      if (!of_bias(b)) continue;
      float& db = args.output<float>(1)[b.outputs.begin + o];
      db = 0;
      for (int64_t part = 0; part < parts_; ++part) db += sums[part * sums_ + products_ + o];
    }
  }

  Convolution c_;
  size_t inputs_[2];
  int64_t threads_;
  int64_t joined_;           ///< taps of a row that are like channels
  int64_t united_;           ///< groups that are computed together
  int64_t in_, out_, taps_;  ///< channels of these, and taps, then
  Source x_, dy_;
  Block piece_;
  int64_t in_blocks_, out_blocks_, positions_, together_ = together, parts_ = 1;
  int64_t products_, sums_, x_floats_, dy_floats_;
  bool bias_;
};

}  // namespace

bool joins_taps(const Convolution& c) {
  return c.groups == 1 && c.in < block && c.kernel[1] > 1 && c.dilation[1] == 1;
}

std::unique_ptr<Kernel> make_kernel(const WeightGradient& gradient, int threads) {
  const auto& [c, x, dy, bias] = gradient;
  return std::make_unique<WeightGradientKernel>(c, threads, x, dy, bias);
}

}  // namespace fovea::simd::direct
#endif
