#pragma once

#include <cstddef>
#include <cstdint>

/// Products of f32 matrices by the tiles of AMX, which multiply bf16 and add up in f32. Each number
/// is the sum of three of 8 significant bits, a = a0 + a1 + a2, which is exact; of their nine
/// products the six largest are computed,
///     a b = a0 b0 + a0 b1 + a1 b0 + a0 b2 + a1 b1 + a2 b0 + r,  |r| <= 2^-23 |a b|,
/// so that sums are as accurate as those of f32 products, of 24 bits each, while tiles multiply 16
/// times as fast (Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence
/// datatype for higher-precision computations", 2019). Numbers that are not finite, or
/// above 3.39e38, give sums that are not finite. Parts, and products of parts, below 1.2e-38 count
/// as 0, so that numbers below 2e-31, and products below 6e-31, have fewer than 24 bits: sums of
/// 256 products are as accurate as others down to 1e-30, and at 5e-34 to 3 digits.
namespace fovea::amx {

/// Whether this process may use tiles, and the kernels that need them are not ruled out.
bool available();

/// The rows, and the columns, of a tile of sums; the products that are added to each at a time.
inline constexpr int64_t tile = 16, depth = 32;
/// Rows or columns that are multiplied together, those of two tiles.
inline constexpr int64_t panel = 2 * tile;
/// Of a panel's numbers for `depth` products: three parts of two tiles.
inline constexpr int64_t tile_bytes = 1024, part_bytes = 2 * tile_bytes,
                         step_bytes = 3 * part_bytes;

/// Where 16 lines of 16 adjacent floats are: at line[i] + offset; zeros if line[i] is null.
struct Lines {
  const float* const* line;
  int64_t offset;
  /// Lines that are fetched meanwhile, at the same offset; none where they are null.
  const float* const* next = nullptr;
};

/// Lines that are not there.
inline constexpr const float* null_lines[tile] = {};

/// Splits the numbers of one tile, 16 rows (or columns) of a matrix by 32 products, and writes its
/// three parts, each part_bytes after the one before. Product i is next to product i + 16.
/// `first` has products 0 to 15, `second` the others; with lines that are rows of a left matrix,
/// or, if `transposed`, columns of a right one.
void split_rows(const Lines& first, const Lines& second, bool transposed, std::byte* to);
/// The same where each line is one product of 16 adjacent columns of a right matrix, or, if
/// `transposed`, rows of a left one. Adds the lines up in `totals`, 16 floats, unless it is null.
void split_products(const Lines& first, const Lines& second, bool transposed, float* totals,
                    std::byte* to);

/// Four tiles of sums, [2][2]: at[2 i + j], whose rows are `row` floats apart; null: not there.
struct Sums {
  float* at[4];
  int64_t row;
};

/// What is fetched into the L2 cache meanwhile: so many bytes with each step.
struct Ahead {
  const std::byte* at = nullptr;
  int64_t bytes = 0;
};

/// Fetches sums that are added to soon.
void fetch(const Sums& sums);

/// to = from + the products of two panels; `from` may be `to`.
void multiply(const std::byte* left, const std::byte* right, int64_t steps, const Sums& from,
              const Sums& to, Ahead ahead = {});

/// While it lives, this thread may call `multiply`.
class TileScope {
 public:
  TileScope();
  ~TileScope();
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

}  // namespace fovea::amx
