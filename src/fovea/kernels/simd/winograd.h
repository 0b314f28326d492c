#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fovea/kernels/kernel.h"

/// Winograd's F(4x4, 3x3) (Lavin & Gray 2015), shared by the files winograd*: a 3x3 convolution of
/// stride 1 computes tiles of 4x4 outputs from patches of 6x6 inputs, with 36 products per channel
/// instead of 144. Patches and weights are transformed (V, U), multiplied as 36 matrices (M = V U),
/// and M is transformed into outputs. The gradient of the weights multiplies V with the transformed
/// tiles of dy instead.
///
/// The points of the transforms are 0, +-5/8, +-3/2 and infinity: with them the error is less than
/// half of that with the usual 0, +-1, +-2.
namespace fovea::simd::winograd {

inline constexpr int64_t tile = 4, matrices = 36;
/// Output channels that are multiplied together; all U, M have rows of that many.
inline constexpr int64_t group = 64;
/// A pad between the 36 matrices, in floats: without it all would start in the same cache sets.
inline constexpr int64_t pad = 16;

inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// Where a channels-last or blocked16 value N, C, H, W has its elements: those of 16 channels are
/// adjacent in both layouts.
struct Image {
  Image() = default;
  explicit Image(const Type& type)
      : dtype(type.dtype),
        images(type.dim(0)),
        channels(type.dim(1)),
        height(type.dim(2)),
        width(type.dim(3)) {
    const bool blocked = type.layout == Layout::blocked16;
    column = blocked ? 16 : channels;
    row = column * width;
    block = blocked ? row * height : 16;
    image = channels * height * width;
  }
  /// The offset of a channel (a multiple of a vector's lanes) at a position.
  int64_t offset(int64_t n, int64_t channel, int64_t y, int64_t x) const {
    return n * image + channel / 16 * block + channel % 16 + y * row + x * column;
  }

  DType dtype = DType::f32;
  int64_t images = 0, channels = 0, height = 0, width = 0;
  int64_t image = 0, block = 0, row = 0, column = 0;  ///< steps, in elements
};

/// The 4x4 tiles that cover the planes of a batch, numbered row by row, image after image.
struct Tiles {
  Tiles() = default;
  explicit Tiles(const Image& y)
      : rows((y.height + tile - 1) / tile),
        columns((y.width + tile - 1) / tile),
        count(y.images * rows * columns) {}

  int64_t rows = 0, columns = 0, count = 0;
};

/// One tile: its image and its first position.
class TileCursor {
 public:
  TileCursor(const Tiles& tiles, int64_t index)
      : image(index / (tiles.rows * tiles.columns)),
        y(index / tiles.columns % tiles.rows * tile),
        x(index % tiles.columns * tile),
        height_(tiles.rows * tile),
        width_(tiles.columns * tile) {}
  void next() {
    if ((x += tile) < width_) return;
    x = 0;
    if ((y += tile) < height_) return;
    y = 0;
    ++image;
  }

  int64_t image, y, x;

 private:
  int64_t height_, width_;
};

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

/// 36 matrices; the next row of one is `row` floats on, the next matrix `matrix` floats.
struct Matrices {
  float* data;
  int64_t matrix, row;
};

/// The values whose patches are transformed: those that belong to tile (y, x) begin at
/// (y - top, x - left), and are 0 outside the plane.
struct Patches {
  Image image;
  Tiles tiles;
  int64_t top = 0, left = 0;
};

/// The weights of a convolution, plain: element (output, input channel, tap) is at output *
/// out_step + input * in_step + tap, the taps in reverse order when `flip`.
struct Weights {
  DType dtype = DType::f32;
  int64_t out = 0, in = 0, out_step = 0, in_step = 0;
  bool flip = false;
};

/// The kernels of a problem that they can compute: see winograd.cpp.
/// What a rule says of them; where they are slower than a direct convolution, they are refused.
double price(const Problem& problem);
std::unique_ptr<Kernel> make_convolution(const Problem& problem);
std::unique_ptr<Kernel> make_weight_gradient(const Problem& problem);

}  // namespace fovea::simd::winograd
