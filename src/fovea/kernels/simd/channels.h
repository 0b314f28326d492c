#pragma once

#include <algorithm>
#include <cstdint>

#include "fovea/core/parallel.h"
#include "fovea/graph/type.h"

namespace fovea::simd {

/// A channelwise value of any layout, in memory order: [images][blocks][plane][width], with `width`
/// adjacent channels (blocks * width = C) and `plane` consecutive positions.
///
/// Sums over positions use fixed chunks: each block's positions, image after image, are cut into
/// `chunks` pieces of `chunk` positions that depend only on the shape. Within a chunk floats are
/// added as vectors; chunks are added in double, in order. So results do not depend on the number
/// of threads.
struct Channels {
  int64_t images = 0, blocks = 0, plane = 0, width = 1;
  int64_t chunk = 1;

  int64_t positions() const { return images * plane; }
  int64_t chunks() const { return (positions() + chunk - 1) / chunk; }
  int64_t channels() const { return blocks * width; }
  /// Positions in chunk `i`.
  int64_t size_of(int64_t i) const { return std::min(chunk, positions() - i * chunk); }
  /// The number of chunks that is worth a thread.
  int64_t grain() const { return 16384 / std::max<int64_t>(1, chunk * width); }
  int64_t block_elements() const { return positions() * width; }
};

inline Channels channels(int64_t images, int64_t blocks, int64_t plane, int64_t width) {
  if (plane == 1) {  // all layouts are the same: N rows of C channels
    plane = images, width *= blocks, images = blocks = 1;
  } else if (blocks == 1) {
    plane *= images, images = 1;
  }
  // 1024 floats of one channel; 256 rows of channels, fewer if those would not fit in cache.
  const int64_t chunk =
      width == 1 ? 1024 : std::clamp<int64_t>(65536 / std::max<int64_t>(1, width), 16, 256);
  return {images, blocks, plane, width, chunk};
}

/// For a value N, C or N, C, spatial.
inline Channels channels_of(const Type& type) {
  const int64_t n = type.dim(0), c = type.dim(1), plane = type.shape.slice(2).numel();
  switch (type.layout) {
    case Layout::plain:
      return channels(n, c, plane, 1);
    case Layout::channels_last:
      return channels(n, 1, plane, c);
    case Layout::blocked16:
      return channels(n, c / 16, plane, 16);
  }
  return {};
}

/// Square windows that tile the images of a value of adjacent channels.
struct Tiles {
  int64_t side = 0;
  int64_t rows = 0, columns = 0;  ///< of tiles, in an image
  int64_t all_rows = 0;           ///< of all images
  int64_t chunk_rows = 1;         ///< in a chunk of positions

  bool exist() const { return side > 0; }
};

/// The tiles of an N, C, H, W value, whose chunks become entire rows of them: of one image, or
/// several images.
inline Tiles cut_into_tiles(const Type& type, int64_t side, Channels& c) {
  if (side == 0) return {};
  const int64_t positions = std::clamp<int64_t>(65536 / c.width, 64, 512);
  Tiles t{.side = side, .rows = type.dim(2) / side, .columns = type.dim(3) / side};
  t.all_rows = type.dim(0) * t.rows;
  const int64_t row = side * type.dim(3), image = t.rows * row;
  if (image <= positions) {
    t.chunk_rows = positions / image * t.rows;
  } else {
    t.chunk_rows = std::max<int64_t>(1, positions / row);
    while (t.rows % t.chunk_rows != 0) --t.chunk_rows;
  }
  c.chunk = t.chunk_rows * row;
  return t;
}

/// The positions of one chunk, as contiguous runs in memory.
class Runs {
 public:
  Runs(const Channels& c, int64_t block, int64_t chunk)
      : c_(c), block_(block), at_(chunk * c.chunk), end_(at_ + c.size_of(chunk)) {}

  /// The next run: the offset of its first element and its number of positions; false at the end.
  bool next(int64_t& first, int64_t& count) {
    if (at_ >= end_) return false;
    const int64_t image = at_ / c_.plane, inside = at_ % c_.plane;
    count = std::min(c_.plane - inside, end_ - at_);
    first = ((image * c_.blocks + block_) * c_.plane + inside) * c_.width;
    at_ += count;
    return true;
  }

 private:
  const Channels& c_;
  int64_t block_, at_, end_;
};

/// The sum over a channel's chunks, in order; chunk i's sums of all channels are at i * channels().
inline double join_sums(const Channels& c, const float* sums, int64_t channel) {
  double total = 0;
  for (int64_t i = 0; i < c.chunks(); ++i)
    total += static_cast<double>(sums[i * c.channels() + channel]);
  return total;
}

/// Calls body(block, chunk) for all of them, in parallel, in memory order.
template <class Body>
void for_each_chunk(const Channels& c, const Body& body) {
  parallel_for(c.blocks * c.chunks(), c.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i % c.blocks, i / c.blocks);
  });
}

/// Calls first(block, chunk) for each chunk of a block, then middle(block), then second(block,
/// chunk) for each, so that the second pass finds the data in the threads' L2 caches, of which it
/// takes a half: each thread takes entire blocks if they are small, else all share as many as fit,
/// at least one. `element_bytes` is what the two passes touch per element of a block.
template <class First, class Middle, class Second>
void two_passes(const Channels& c, int64_t element_bytes, const First& first, const Middle& middle,
                const Second& second) {
  constexpr int64_t l2_bytes = int64_t{1} << 20;
  const int64_t bytes = element_bytes * c.block_elements(), chunks = c.chunks();
  if (bytes <= l2_bytes && (c.blocks >= 2 * threads() || c.blocks * bytes <= (1 << 16))) {
    const int64_t grain = (1 << 16) / std::max<int64_t>(1, bytes);
    parallel_for(c.blocks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        for (int64_t i = 0; i < chunks; ++i) first(block, i);
        middle(block);
        for (int64_t i = chunks; i-- > 0;) second(block, i);
      }
    });
    return;
  }
  const int64_t together =
      std::clamp<int64_t>(threads() * l2_bytes / std::max<int64_t>(1, bytes), 1, c.blocks);
  for (int64_t from = 0; from < c.blocks; from += together) {
    const int64_t blocks = std::min(together, c.blocks - from);
    parallel_for(blocks * chunks, c.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) first(from + i % blocks, i / blocks);
    });
    for (int64_t block = from; block < from + blocks; ++block) middle(block);
    parallel_for(blocks * chunks, c.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t i = end; i-- > begin;) second(from + i % blocks, i / blocks);
    });
  }
}

}  // namespace fovea::simd
