// Ops that only move elements: changes of layout, permutation, reversal, concatenation, slicing and
// rolling along an axis; any dtype, any layouts. Exact. If the innermost axis is contiguous on both
// sides entire runs are copied, else tiles are transposed, elements of 4 bytes in registers.
#include <cstring>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/transpose.h"
#include "fovea/kernels/simd/walk.h"
#include "fovea/ops/flip.h"
#include "fovea/ops/roll.h"
#include "fovea/ops/shape_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/moves.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT
using F32x4 = hn::FixedTag<float, 4>;

/// out[j][i] = in[i][j] for 4 x 4 floats, rows `in_stride` and `out_stride` apart.
HWY_INLINE void transpose4x4(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  const F32x4 d;
  const auto a = hn::LoadU(d, in), b = hn::LoadU(d, in + in_stride),
             c = hn::LoadU(d, in + 2 * in_stride), e = hn::LoadU(d, in + 3 * in_stride);
  const auto ac0 = hn::InterleaveLower(d, a, c), be0 = hn::InterleaveLower(d, b, e);
  const auto ac1 = hn::InterleaveUpper(d, a, c), be1 = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac0, be0), d, out);
  hn::StoreU(hn::InterleaveUpper(d, ac0, be0), d, out + out_stride);
  hn::StoreU(hn::InterleaveLower(d, ac1, be1), d, out + 2 * out_stride);
  hn::StoreU(hn::InterleaveUpper(d, ac1, be1), d, out + 3 * out_stride);
}

/// out[j][i] = in[i][j] for rows x columns floats, by 16 x 16.
/// The side with the larger row stride is accessed by full cache
/// lines, four at a time: its lines may all map to one cache set.
void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride, int64_t rows,
               int64_t columns) {
  const int64_t rows4 = rows / 4 * 4, columns4 = columns / 4 * 4;
  const auto block = [&](int64_t i, int64_t j) FOVEA_INLINE {
    transpose4x4(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
  };
  for (int64_t i0 = 0; i0 < rows4; i0 += 16) {
    for (int64_t j0 = 0; j0 < columns4; j0 += 16) {
      const int64_t i1 = std::min(i0 + 16, rows4), j1 = std::min(j0 + 16, columns4);
      if (in_stride > out_stride) {
        for (int64_t i = i0; i < i1; i += 4) {
          for (int64_t j = j0; j < j1; j += 4) block(i, j);
        }
      } else {
        for (int64_t j = j0; j < j1; j += 4) {
          for (int64_t i = i0; i < i1; i += 4) block(i, j);
        }
      }
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < rows4 ? columns4 : 0; j < columns; ++j)
      out[j * out_stride + i] = in[i * in_stride + j];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(transpose);

}  // namespace

void transpose(const float* in, int64_t in_step, float* out, int64_t out_step, int64_t rows,
               int64_t columns) {
  HWY_DYNAMIC_DISPATCH(transpose)(in, in_step, out, out_step, rows, columns);
}

namespace {

/// Elements of one value to copy to another: the axes to walk (step 0 is the source's, 1 the
/// target's), and the offset of the first in each.
struct Block {
  Axes<2> axes;
  int64_t from = 0, to = 0;
};
using Tile = Axis<2>;

/// Copies all steps along `a` and `b`.
template <class T>
void copy_tile(const T* from, T* to, const Tile& a, const Tile& b) {
  if constexpr (sizeof(T) == 4) {
    if (a.step[0] == 1 && b.step[1] == 1) {
      simd::transpose(reinterpret_cast<const float*>(from), b.step[0], reinterpret_cast<float*>(to),
                      a.step[1], b.size, a.size);
      return;
    }
  }
  const bool b_inside = b.size <= a.size;
  const Tile &outer = b_inside ? a : b, &inner = b_inside ? b : a;
  for (int64_t i = 0; i < outer.size; ++i) {
    const T* x = from + i * outer.step[0];
    T* y = to + i * outer.step[1];
    for (int64_t j = 0; j < inner.size; ++j) y[j * inner.step[1]] = x[j * inner.step[0]];
  }
}

/// Copies by tiles of two axes: the target's innermost, and the one along which the source is
/// contiguous.
template <class T>
void copy_by_tiles(Axes<2> axes, const T* from, T* to) {
  Tile b = axes.back(), a;
  axes.pop_back();
  const auto nearest = std::min_element(
      axes.begin(), axes.end(), [](const Tile& p, const Tile& q) { return p.step[0] < q.step[0]; });
  if (nearest != axes.end()) {
    a = *nearest;
    axes.erase(nearest);
  }
  // A cache line on the side with the larger stride, a page's worth on the other.
  const bool narrow_b = b.step[0] > a.step[1];
  const int64_t a_tile = narrow_b ? 512 : 16, b_tile = narrow_b ? 16 : 512;
  const int64_t a_tiles = (a.size + a_tile - 1) / a_tile, b_tiles = (b.size + b_tile - 1) / b_tile;
  const std::span<const Tile> outer(axes);
  const int64_t grain =
      elementwise_grain / (std::min(a.size, a_tile) * std::min(b.size, b_tile)) + 1;
  parallel_for(steps_of(outer) * a_tiles * b_tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t a0 = i / b_tiles % a_tiles * a_tile, b0 = i % b_tiles * b_tile;
      const int64_t step = i / b_tiles / a_tiles;
      for_each_run(outer, step, step + 1, [&](const Offsets<2>& at, int64_t) {
        copy_tile(from + at[0] + a0 * a.step[0] + b0 * b.step[0],
                  to + at[1] + a0 * a.step[1] + b0 * b.step[1],
                  Tile{std::min(a_tile, a.size - a0), a.step},
                  Tile{std::min(b_tile, b.size - b0), b.step});
      });
    }
  });
}

/// Copies runs of the innermost axis, which is contiguous on both sides.
template <class T>
void copy_by_runs(Axes<2> axes, const T* from, T* to) {
  const int64_t run = axes.back().size;
  axes.pop_back();
  const std::span<const Axis<2>> outer(axes);
  const Offsets<2> step = axes.empty() ? Offsets<2>{} : axes.back().step;
  const auto copy = [&](int64_t x, int64_t y, int64_t count) {
    std::memcpy(to + y, from + x, static_cast<size_t>(count) * sizeof(T));
  };
  if (run >= elementwise_grain) {  // threads share a run
    parallel_for(steps_of(outer) * run, elementwise_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) {
        const int64_t inside = i % run, count = std::min(run - inside, end - i);
        for_each_run(outer, i / run, i / run + 1, [&](const Offsets<2>& at, int64_t) {
          copy(at[0] + inside, at[1] + inside, count);
        });
        i += count;
      }
    });
    return;
  }
  parallel_for(steps_of(outer), elementwise_grain / run + 1, [&](int64_t begin, int64_t end) {
    for_each_run(outer, begin, end, [&](const Offsets<2>& at, int64_t rows) {
      for (int64_t i = 0; i < rows; ++i) copy(at[0] + i * step[0], at[1] + i * step[1], run);
    });
  });
}

template <class T>
void copy_block(const Block& block, const std::byte* from, std::byte* to) {
  const T* x = reinterpret_cast<const T*>(from) + block.from;
  T* y = reinterpret_cast<T*>(to) + block.to;
  const Axis<2>& inner = block.axes.back();
  if (inner.size == 0) return;
  const bool side_by_side = inner.size == 1 || inner.step == Offsets<2>{1, 1};
  side_by_side ? copy_by_runs(block.axes, x, y) : copy_by_tiles(block.axes, x, y);
}

void copy_block(size_t element, const Block& block, const std::byte* from, std::byte* to) {
  switch (element) {
    case 1:
      return copy_block<uint8_t>(block, from, to);
    case 2:
      return copy_block<uint16_t>(block, from, to);
    case 4:
      return copy_block<uint32_t>(block, from, to);
    default:
      return copy_block<uint64_t>(block, from, to);
  }
}

/// A kernel that copies one block from its input to its output.
Offer offer_copy(const Problem& problem, Block block) {
  return offer([element = size_of(problem.in[0].dtype), block](const Args& args) {
    copy_block(element, block, args.in[0], args.out[0]);
  });
}

/// The elements of `part` and those [begin, begin + size of part) of `full` along `axis`; the part
/// is the target, or (`into_full`) the source. Several blocks if blocked channels do not start at a
/// block.
std::vector<Block> blocks_of(const Type& full, const Type& part, int axis, int64_t begin,
                             bool into_full) {
  const int split = blocked_axis({&full, &part});
  std::vector<int64_t> sizes = memory_sizes(part.shape, split);
  const std::vector<int64_t> in_full = memory_steps(full, split),
                             in_part = memory_steps(part, split);
  const auto make = [&](int64_t at_whole, int64_t at_part) {
    Block block{{}, into_full ? at_part : at_whole, into_full ? at_whole : at_part};
    for (size_t i = 0; i < sizes.size(); ++i) {
      block.axes.push_back({sizes[i], into_full ? Offsets<2>{in_part[i], in_full[i]}
                                                : Offsets<2>{in_full[i], in_part[i]}});
    }
    block.axes = joined(std::move(block.axes), 1);
    return block;
  };
  const auto place = [](const std::vector<int64_t>& steps, int64_t channel) {
    return channel / 16 * steps[1] + channel % 16 * steps[2];
  };
  if (split < 0 || axis != split) {
    const auto a = static_cast<size_t>(split >= 0 && axis > split ? axis + 1 : axis);
    return {make(begin * in_full[a], 0)};
  }
  if (begin % 16 == 0 && part.dim(1) % 16 == 0) return {make(place(in_full, begin), 0)};
  std::vector<Block> channels;
  sizes[1] = sizes[2] = 1;
  for (int64_t c = 0; c < part.dim(1); ++c)
    channels.push_back(make(place(in_full, begin + c), place(in_part, c)));
  return channels;
}

}  // namespace

Offer make_reorder(const Problem& problem) {
  const Type &x = problem.in[0], &y = problem.out[0];
  const int split = blocked_axis({&x, &y});
  const auto sizes = memory_sizes(x.shape, split), from = memory_steps(x, split),
             to = memory_steps(y, split);
  Block block;
  for (size_t i = 0; i < sizes.size(); ++i) block.axes.push_back({sizes[i], {from[i], to[i]}});
  block.axes = joined(std::move(block.axes), 1);
  return offer_copy(problem, block);
}

Offer make_permute(const Problem& problem) {
  const Type &x = problem.in[0], &y = problem.out[0];
  const auto blocked = [](const Type& type) { return type.layout == Layout::blocked16; };
  /// Along an axis: from one block of 16 to the next, and from one element to the next.
  const auto steps = [&](const Type& type, int axis) {
    const auto all = memory_steps(type, blocked(type) ? 1 : -1);
    if (blocked(type) && axis == 1) return std::pair(all[1], all[2]);
    const int64_t step = all[static_cast<size_t>(blocked(type) && axis > 1 ? axis + 1 : axis)];
    return std::pair(16 * step, step);
  };
  const std::vector<int>& axes = problem.op.get<Permute>().axes;
  Block block;
  for (int i = 0; i < y.rank(); ++i) {
    const int source = axes[static_cast<size_t>(i)];
    const auto from = steps(x, source), to = steps(y, i);
    const bool split = (blocked(x) && source == 1) || (blocked(y) && i == 1);
    if (split) block.axes.push_back({y.dim(i) / 16, {from.first, to.first}});
    block.axes.push_back({split ? 16 : y.dim(i), {from.second, to.second}});
  }
  block.axes = joined(std::move(block.axes), 1);
  return offer_copy(problem, block);
}

Offer make_flip(const Problem& problem) {
  const Type &x = problem.in[0], &y = problem.out[0];
  const auto from = memory_steps(x, -1), to = memory_steps(y, -1);
  Block block;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto a = static_cast<size_t>(axis);
    block.axes.push_back({x.dim(axis), {from[a], to[a]}});
  }
  for (const int axis : problem.op.get<Flip>().axes) {  // from the last element backwards
    Axis<2>& reversed = block.axes[static_cast<size_t>(axis)];
    block.from += (reversed.size - 1) * reversed.step[0];
    reversed.step[0] = -reversed.step[0];
  }
  block.axes = joined(std::move(block.axes), 1);
  return offer_copy(problem, block);
}

Offer make_reshape(const Problem& problem) {
  return offer_copy(problem, {joined(Axes<2>{{problem.in[0].numel(), {1, 1}}}, 1)});
}

Offer make_concat(const Problem& problem) {
  const int axis = problem.op.get<Concat>().axis;
  std::vector<std::vector<Block>> parts;
  int64_t begin = 0;
  for (const Type& type : problem.in) {
    parts.push_back(blocks_of(problem.out[0], type, axis, begin, true));
    begin += type.dim(axis);
  }
  return offer([parts, element = size_of(problem.out[0].dtype)](const Args& args) {
    for (size_t i = 0; i < parts.size(); ++i) {
      for (const Block& block : parts[i]) copy_block(element, block, args.in[i], args.out[0]);
    }
  });
}

Offer make_roll(const Problem& problem) {
  const Roll& op = problem.op.get<Roll>();
  const Type& x = problem.in[0];
  const std::vector<int64_t> steps = memory_steps(x, -1);
  const int64_t size = x.dim(op.axis), first = op.offset(size);
  const auto block = [&](int64_t from, int64_t to, int64_t count) {
    const int64_t step = steps[static_cast<size_t>(op.axis)];
    Block moved{{}, from * step, to * step};
    for (int i = 0; i < x.rank(); ++i) {
      const int64_t along = steps[static_cast<size_t>(i)];
      moved.axes.push_back({i == op.axis ? count : x.dim(i), {along, along}});
    }
    moved.axes = joined(std::move(moved.axes), 1);
    return moved;
  };
  return offer([element = size_of(x.dtype), last = block(size - first, 0, first),
                others = block(0, first, size - first)](const Args& args) {
    copy_block(element, last, args.in[0], args.out[0]);
    copy_block(element, others, args.in[0], args.out[0]);
  });
}

Offer make_slice(const Problem& problem) {
  const Slice& op = problem.op.get<Slice>();
  const auto blocks = blocks_of(problem.in[0], problem.out[0], op.axis, op.begin, false);
  return offer([blocks, element = size_of(problem.out[0].dtype)](const Args& args) {
    for (const Block& block : blocks) copy_block(element, block, args.in[0], args.out[0]);
  });
}

Offer make_slice_backward(const Problem& problem) {
  const SliceBackward& op = problem.op.get<SliceBackward>();
  const auto blocks = blocks_of(problem.out[0], problem.in[0], op.axis, op.begin, true);
  const size_t element = size_of(problem.out[0].dtype);
  return offer([blocks, element, bytes = problem.out[0].bytes()](const Args& args) {
    parallel_for(static_cast<int64_t>(bytes), 4 * elementwise_grain,
                 [&](int64_t begin, int64_t end) {
                   std::memset(args.out[0] + begin, 0, static_cast<size_t>(end - begin));
                 });
    for (const Block& block : blocks) copy_block(element, block, args.in[0], args.out[0]);
  });
}

}  // namespace fovea::simd
#endif
