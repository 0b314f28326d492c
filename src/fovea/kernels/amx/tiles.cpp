#include "fovea/kernels/amx/tiles.h"

#include <immintrin.h>

/// Marks functions that are only called where tiles are available.
#define FOVEA_TILES __attribute__((target("avx512f,avx512bw,amx-tile,amx-bf16")))

namespace fovea::amx {
namespace {

/// A line of 16 floats, their bits, or pairs of bf16. GCC 12 warns about intrinsics for them.
using Floats = float __attribute__((vector_size(64)));
using Words = uint32_t __attribute__((vector_size(64)));
using AnyFloats = float __attribute__((vector_size(64), aligned(4), may_alias));
using StoredWords = uint32_t __attribute__((vector_size(64), may_alias));

/// Two numbers each of 16 lines, in three parts.
struct Parts {
  Words line[3][tile];
};

/// Bits of f32 that bf16 has.
constexpr uint32_t high_half = 0xffff0000u;

FOVEA_TILES inline Words bits(Floats x) { return reinterpret_cast<Words>(x); }

/// The nearest bf16, as f32; ties away from 0. NaN may become a 0, and then the last part is NaN.
FOVEA_TILES inline Floats nearest(Floats x) {
  return reinterpret_cast<Floats>((bits(x) + 0x8000u) & high_half);
}

/// Pairs of bf16: the high halves of a's elements below those of b's.
FOVEA_TILES inline Words pairs(Floats a, Floats b) { return bits(a) >> 16 | (bits(b) & high_half); }

FOVEA_TILES inline Floats load(const Lines& lines, int64_t i) {
  const float* line = lines.line[i];
  if (lines.next != nullptr && lines.next[i] != nullptr)
    __builtin_prefetch(lines.next[i] + lines.offset);
  return line == nullptr ? Floats{} : *reinterpret_cast<const AnyFloats*>(line + lines.offset);
}

FOVEA_TILES inline void split(Floats a, Floats b, int64_t i, Parts& parts) {
  const Floats a0 = nearest(a), b0 = nearest(b);
  const Floats a12 = a - a0, b12 = b - b0;
  const Floats a1 = nearest(a12), b1 = nearest(b12);
  parts.line[0][i] = pairs(a0, b0);
  parts.line[1][i] = pairs(a1, b1);
  parts.line[2][i] = pairs(a12 - a1, b12 - b1);
}

/// Within each four elements: the low or the high half of a's, interleaved with that of b's.
template <int first, int second>
FOVEA_TILES inline Words merge(Words a, Words b) {
  constexpr int i = first, j = second;
  return __builtin_shufflevector(a, b, i, 16 + i, j, 16 + j, 4 + i, 20 + i, 4 + j, 20 + j, 8 + i,
                                 24 + i, 8 + j, 24 + j, 12 + i, 28 + i, 12 + j, 28 + j);
}
template <int half>
FOVEA_TILES inline Words merge_pairs(Words a, Words b) {
  constexpr int i = 2 * half, j = i + 1;
  return __builtin_shufflevector(a, b, i, j, 16 + i, 16 + j, 4 + i, 4 + j, 20 + i, 20 + j, 8 + i,
                                 8 + j, 24 + i, 24 + j, 12 + i, 12 + j, 28 + i, 28 + j);
}
/// Every second four elements of a, then of b.
template <int first>
FOVEA_TILES inline Words merge_fours(Words a, Words b) {
  constexpr int i = 4 * first, j = i + 8;
  return __builtin_shufflevector(a, b, i, i + 1, i + 2, i + 3, j, j + 1, j + 2, j + 3, 16 + i,
                                 17 + i, 18 + i, 19 + i, 16 + j, 17 + j, 18 + j, 19 + j);
}

/// Exchanges rows and columns of 16 x 16 pairs: first within blocks of 4 x 4, then the blocks.
FOVEA_TILES inline void transpose(const Words* in, Words* out) {
  Words a[tile], b[tile];
#pragma GCC unroll 8
  for (int i = 0; i < tile; i += 2) {
    a[i] = merge<0, 1>(in[i], in[i + 1]);
    a[i + 1] = merge<2, 3>(in[i], in[i + 1]);
  }
  // b[4 r + c] has elements c, c + 4, c + 8 and c + 12 of rows 4 r to 4 r + 3.
#pragma GCC unroll 4
  for (int i = 0; i < tile; i += 4) {
    b[i] = merge_pairs<0>(a[i], a[i + 2]);
    b[i + 1] = merge_pairs<1>(a[i], a[i + 2]);
    b[i + 2] = merge_pairs<0>(a[i + 1], a[i + 3]);
    b[i + 3] = merge_pairs<1>(a[i + 1], a[i + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const Words upper[] = {merge_fours<0>(b[c], b[4 + c]), merge_fours<1>(b[c], b[4 + c])};
    const Words lower[] = {merge_fours<0>(b[8 + c], b[12 + c]),
                           merge_fours<1>(b[8 + c], b[12 + c])};
    out[c] = merge_fours<0>(upper[0], lower[0]);
    out[c + 4] = merge_fours<0>(upper[1], lower[1]);
    out[c + 8] = merge_fours<1>(upper[0], lower[0]);
    out[c + 12] = merge_fours<1>(upper[1], lower[1]);
  }
}

FOVEA_TILES void store(const Parts& parts, bool transposed, std::byte* to) {
  for (int part = 0; part < 3; ++part, to += part_bytes) {
    Words lines[tile];
    if (transposed) transpose(parts.line[part], lines);
    const Words* from = transposed ? lines : parts.line[part];
    for (int64_t i = 0; i < tile; ++i) *reinterpret_cast<StoredWords*>(to + i * 64) = from[i];
  }
}

/// The operand of LDTILECFG: eight tiles of 16 rows of 64 bytes.
struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_of_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Static: the compiler believes that only its first bytes are read.
FOVEA_TILES void configure() {
  static constexpr Configuration configuration;
  _tile_loadconfig(&configuration);
}
FOVEA_TILES void release() { _tile_release(); }

/// The compiler does not know what memory tiles read and write: it moves no access across this.
inline void order_memory() { asm volatile("" ::: "memory"); }

// Tiles 0 to 3 are sums; 4 and 5 a part of the left panel, 6 and 7 one of the right one.
#define FOVEA_LEFT(part)                                                                \
  do {                                                                                  \
    _tile_loadd(4, left + (part)*part_bytes, 64);                                       \
    if constexpr (rows == 2) _tile_loadd(5, left + (part)*part_bytes + tile_bytes, 64); \
  } while (false)
#define FOVEA_RIGHT(part)                                                                   \
  do {                                                                                      \
    _tile_loadd(6, right + (part)*part_bytes, 64);                                          \
    if constexpr (columns == 2) _tile_loadd(7, right + (part)*part_bytes + tile_bytes, 64); \
  } while (false)
#define FOVEA_PRODUCTS                                                \
  do {                                                                \
    _tile_dpbf16ps(0, 4, 6);                                          \
    if constexpr (columns == 2) _tile_dpbf16ps(1, 4, 7);              \
    if constexpr (rows == 2) _tile_dpbf16ps(2, 5, 6);                 \
    if constexpr (rows == 2 && columns == 2) _tile_dpbf16ps(3, 5, 7); \
  } while (false)
#define FOVEA_LOAD(i)                       \
  do {                                      \
    if (from.at[i] != nullptr)              \
      _tile_loadd(i, from.at[i], from_row); \
    else                                    \
      _tile_zero(i);                        \
  } while (false)
#define FOVEA_STORE(i)                                          \
  do {                                                          \
    if (to.at[i] != nullptr) _tile_stored(i, to.at[i], to_row); \
  } while (false)

/// Of panels of one or two tiles. Consecutive groups of products share one of their two operands,
/// so that only the other is loaded.
template <int rows, int columns>
FOVEA_TILES void multiply_panels(const std::byte* left, const std::byte* right, int64_t steps,
                                 const Sums& from, const Sums& to, Ahead ahead) {
  const int64_t from_row = from.row * 4, to_row = to.row * 4;
  FOVEA_LOAD(0);
  FOVEA_LOAD(1);
  FOVEA_LOAD(2);
  FOVEA_LOAD(3);
  for (; steps > 0; --steps, left += step_bytes, right += step_bytes) {
    for (int64_t i = 0; i < ahead.bytes; i += 64) __builtin_prefetch(ahead.at + i, 0, 2);
    ahead.at += ahead.bytes;
    FOVEA_RIGHT(0);
    FOVEA_LEFT(2);
    FOVEA_PRODUCTS;
    FOVEA_LEFT(1);
    FOVEA_PRODUCTS;
    FOVEA_RIGHT(1);
    FOVEA_PRODUCTS;
    FOVEA_LEFT(0);
    FOVEA_PRODUCTS;
    FOVEA_RIGHT(2);
    FOVEA_PRODUCTS;
    FOVEA_RIGHT(0);
    FOVEA_PRODUCTS;
  }
  FOVEA_STORE(0);
  FOVEA_STORE(1);
  FOVEA_STORE(2);
  FOVEA_STORE(3);
}

#undef FOVEA_LEFT
#undef FOVEA_RIGHT
#undef FOVEA_PRODUCTS
#undef FOVEA_LOAD
#undef FOVEA_STORE

}  // namespace

FOVEA_TILES void split_rows(const Lines& first, const Lines& second, bool transposed,
                            std::byte* to) {
  Parts parts;
  for (int64_t i = 0; i < tile; ++i) split(load(first, i), load(second, i), i, parts);
  store(parts, transposed, to);
}

FOVEA_TILES void split_products(const Lines& first, const Lines& second, bool transposed,
                                float* totals, std::byte* to) {
  Parts parts;
  Floats sum = {};
  for (int64_t i = 0; i < tile; ++i) {
    const Floats a = load(first, i), b = load(second, i);
    sum += a + b;
    split(a, b, i, parts);
  }
  if (totals != nullptr) *reinterpret_cast<AnyFloats*>(totals) += sum;
  store(parts, transposed, to);
}

void multiply(const std::byte* left, const std::byte* right, int64_t steps, const Sums& from,
              const Sums& to, Ahead ahead) {
  order_memory();
  const bool lower = to.at[2] != nullptr, second = to.at[1] != nullptr;
  const auto with = lower && second ? multiply_panels<2, 2>
                    : lower         ? multiply_panels<2, 1>
                    : second        ? multiply_panels<1, 2>
                                    : multiply_panels<1, 1>;
  with(left, right, steps, from, to, ahead);
  order_memory();
}

void fetch(const Sums& sums) {
  for (const float* at : sums.at) {
    for (int64_t i = 0; at != nullptr && i < tile; ++i) __builtin_prefetch(at + i * sums.row, 1);
  }
}

TileScope::TileScope() { configure(); }
TileScope::~TileScope() { release(); }

}  // namespace fovea::amx

#undef FOVEA_TILES
