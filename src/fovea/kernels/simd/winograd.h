#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"

/// Winograd's F(4x4, 3x3) (Lavin & Gray 2015), shared by the files winograd*: a 3x3 convolution of
/// stride 1 computes tiles of 4x4 outputs from patches of 6x6 inputs, with 36 products per channel
/// instead of 144. Patches and weights are transformed (V, U), multiplied as 36 matrices (M = V U),
/// and M is transformed into outputs. The gradient of the weights multiplies V with the transformed
/// tiles of dy instead. Where 4 does not divide a plane, some tiles have 3 rows or columns.
///
/// With a stride of 2, the outer taps of an axis read one half of the inputs, as F(4, 2) with 5
/// products, and the middle tap the other half, with 4: 81 products of a tile, not 144. Those of
/// the middle tap share a matrix of U, so that there are 36 of these again. The gradient with
/// respect to the data computes tiles of 8x8 from patches of 5x5.
///
/// Volumes are slices of planes: with a kernel of n x 3x3, each slice of the output is the sum of n
/// products, of V of as many slices of the input, which is computed once for all that read it.
/// Sequences are planes of one row, with tiles of 4 outputs from 6 inputs, F(4, 3): 6 products
/// instead of 12. A kernel of n x 3 takes the rows of an image as slices of those.
///
/// Kernels of 5x5 are F(2x2, 5x5): tiles of 2x2 outputs from patches of 6x6 inputs, which are
/// transformed as those of F(4x4, 3x3), with 36 products per channel instead of 100. All that is
/// said of 3 holds for 5, but for the stride of 2.
///
/// The points of the transforms are 0, +-5/8, +-3/2 and infinity: with them the error is less than
/// half of that with the usual 0, +-1, +-2. Those of F(4, 2) are +-3/8, +-3/2 and infinity, whose
/// error is about that of a direct convolution.
namespace fovea::simd::winograd {

inline constexpr int64_t tile = 4;
/// Output channels that are multiplied together; all U, M have rows of that many.
inline constexpr int64_t group = 64;
/// A pad between the matrices, in floats: without it all would start in the same cache sets.
inline constexpr int64_t pad = 16;

inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// Positions of the inputs from one output to the next.
enum class Stride {
  one,
  two,
  half  ///< of the gradient with respect to the data where the convolution's stride is two
};

/// How an axis is cut into tiles: first full ones, of `side` positions, then those of one fewer, of
/// which as many as can be. What belongs to a tile's last position alone, such as the products of
/// the point at infinity, is not computed for the others: two tiles of 4 cover 7 positions with 11
/// products on an axis, not 12, and four cover 14 with 22, not 24.
struct Split {
  Split() = default;
  Split(int64_t n, int64_t side)
      : size(n),
        count((n + side - 1) / side),
        full(std::max<int64_t>(0, n - (side - 1) * count)),
        side(side) {}

  int64_t begin(int64_t i) const { return (side - 1) * i + std::min(i, full); }

  int64_t size = 0, count = 0, full = 0, side = tile;
};

/// The spatial axes that are transformed, the last two or one, their stride and the length of their
/// kernel, 3 or 5, and what follows.
/// Products are the matrices of V, Z and M, numbered row by row where there are two axes.
struct Form {
  int axes = 2;
  Stride stride = Stride::one;
  int64_t kernel = 3;

  int64_t side() const { return kernel == 5 ? 2 : tile; }  ///< of a tile
  int64_t products_of_axis() const { return stride == Stride::one ? 6 : 9; }
  int64_t products() const { return of_axes(products_of_axis()); }
  int64_t products_of_axis(const Split& split) const {
    return stride == Stride::one ? 5 * split.count + split.full : 7 * split.count + 2 * split.full;
  }
  int64_t matrices() const { return of_axes(6); }   ///< of U
  int64_t taps() const { return of_axes(kernel); }  ///< of a slice

  /// The matrix of U in a product.
  int64_t matrix_of(int64_t product) const {
    const int64_t n = products_of_axis(), row = product / n, column = product % n;
    return std::min<int64_t>(row, 5) * 6 + std::min<int64_t>(column, 5);
  }
  /// Whether an axis needs a product for its tiles' last position alone.
  bool is_last(int64_t product_of_axis) const {
    return stride == Stride::one ? product_of_axis == 5
                                 : product_of_axis == 4 || product_of_axis == 8;
  }

 private:
  int64_t of_axes(int64_t n) const { return axes == 2 ? n * n : n; }
};

/// Where a channels-last or blocked16 value has its elements: those of 16 channels are adjacent in
/// both layouts. The axis before the transformed ones is `depth`.
struct Image {
  Image() = default;
  Image(const Type& type, Form form)
      : dtype(type.dtype), images(type.dim(0)), channels(type.dim(1)), width(type.dim(-1)) {
    if (form.axes == 2) height = type.dim(-2);
    for (int axis = 2; axis < type.rank() - form.axes; ++axis) depth *= type.dim(axis);
    const bool blocked = type.layout == Layout::blocked16;
    column = blocked ? 16 : channels;
    row = column * width;
    slice = row * height;
    block = blocked ? slice * depth : 16;
    image = channels * depth * height * width;
  }
  /// The offset of a channel (a multiple of a vector's lanes) at a position.
  int64_t offset(int64_t n, int64_t channel, int64_t z, int64_t y, int64_t x) const {
    return n * image + channel / 16 * block + channel % 16 + z * slice + y * row + x * column;
  }

  DType dtype = DType::f32;
  int64_t images = 0, channels = 0, depth = 1, height = 1, width = 0;
  int64_t image = 0, block = 0, slice = 0, row = 0, column = 0;  ///< steps, in elements
};

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

/// The tiles that cover the planes of a batch at one depth, numbered row by row, image after image.
struct Tiles {
  Tiles() = default;
  Tiles(int64_t images, int64_t height, int64_t width, int64_t side)
      : rows(height, side), columns(width, side), count(images * rows.count * columns.count) {}

  Split rows, columns;
  int64_t count = 0;
};

/// One tile: its image, its first position, and how many rows and columns are its own.
struct Place {
  int64_t image = 0, y = 0, x = 0, rows = 0, columns = 0;
};

/// Some tiles, in an order in which those that need a product are adjacent: those with all columns
/// but not all rows, the full ones, those with all rows but not all columns, the rest.
class Places {
 public:
  Places(const Tiles& tiles, Range range);

  int64_t size() const { return ends_[4]; }
  std::span<const Place> all() const { return places_; }
  std::span<const Place> some(int64_t begin, int64_t end) const {
    return all().subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }
  /// Those that need a product.
  Range of_product(Form form, int64_t product) const {
    const int64_t n = form.products_of_axis();
    const bool last_row = form.axes == 2 && form.is_last(product / n);
    const bool last_column = form.is_last(product % n);
    if (last_row) return {ends_[1], last_column ? ends_[2] : ends_[3]};
    return {0, last_column ? ends_[2] : size()};
  }

 private:
  std::vector<Place> places_;
  int64_t ends_[5] = {};
};

/// Some tiles at one depth.
struct Piece {
  int64_t slice = 0;
  std::span<const Place> tiles;
};

/// The matrices of U, or one for each product; the next row of one is `row` floats on, the next
/// matrix `matrix` floats.
struct Matrices {
  float* data;
  int64_t matrix, row;
};

/// Those of the same tiles at several depths, the last `kept` ones that were computed.
struct Slices {
  Matrices first;
  int64_t step, kept;

  Matrices at(int64_t slice) const {
    return {first.data + slice % kept * step, first.matrix, first.row};
  }
};

/// The planes of which each tile has a part: that of tile (y, x) begins at (step y - top,
/// step x - left).
struct Planes {
  Image image;
  int64_t step = 1, top = 0, left = 0;
};

/// The values whose patches are transformed; they are 0 outside the planes.
struct Patches : Planes {
  Form form;
  Tiles tiles;
  int64_t front = 0;
  int64_t taps = 1;  ///< of the kernel's depth: slice z of y reads the slices z + tap - front

  /// Those that read a slice of the image.
  Range taps_of(int64_t slice) const {
    return {std::max<int64_t>(0, front - slice), std::min(taps, image.depth + front - slice)};
  }
  /// Where the slices end that are read for this slice of y.
  int64_t end_of(int64_t slice) const { return std::min(image.depth, slice + taps - front); }
};

/// The weights of a convolution, plain: element (output, input channel, tap) is at output *
/// out_step + input * in_step + tap, the taps in reverse order when `flip`.
struct Weights {
  DType dtype = DType::f32;
  int64_t out = 0, in = 0, out_step = 0, in_step = 0;
  bool flip = false;
};

/// The form in which a convolution with weights of this shape, [O, C, spatial], can be computed: 2
/// axes for 3x3 and n x 3x3, of which these may have a stride of 2, 1 for 3 and n x 3; 0: none.
/// Likewise for 5 instead of 3, with a stride of 1.
Form form_of(const ConvGeometry& g, const Shape& weight);
/// n cut into equal pieces of at most `maximum`, in multiples of `multiple`.
inline int64_t equal_pieces(int64_t n, int64_t maximum, int64_t multiple) {
  const int64_t pieces = (n + maximum - 1) / maximum;
  return round_up((n + pieces - 1) / pieces, multiple);
}
/// Input and output channels.
struct Sides {
  int64_t in, out;
};
/// Those of a block of the gradient of U, all taps of the depth, which stays in the L2 cache.
Sides gradient_block(const Patches& x);
/// The tiles whose V and Z are in memory at a time where the gradient goes matrix by matrix.
int64_t tiles_of_matrices(const Patches& x, const Patches& dy);

/// The patches of x for tiles of y, and the tiles of dy.
Patches patches_of(const ConvGeometry& g, const Shape& weight, const Type& x, const Type& y);
Patches tiles_of(const Patches& x, const Type& dy);
/// Of a problem of the gradient of the weights, and whether it has that of a bias.
struct WeightGradient {
  Patches x, dy;
  bool bias;
};
WeightGradient weight_gradient_of(const Problem& problem);
/// For the gradient with respect to the data: the patches of dy, and where dx has its tiles.
std::pair<Patches, Planes> of_data_gradient(const ConvGeometry& g, const Shape& weight,
                                            const Type& dy, const Type& dx);

/// What becomes of values of x before they are transformed, where they are what a batch norm gives:
/// activation((x - mean) * scale + beta), with one of each per channel. Without a mean, nothing.
struct InputNorm {
  const float *mean = nullptr, *scale = nullptr, *beta = nullptr;
  NormEpilogue epilogue = {};
};
/// Whether the transforms can apply it to such values.
bool can_normalise(const Patches& x);
/// The norm of a problem's op on one run's inputs: that of NormConv and NormConvBackwardWeights.
InputNorm input_norm(const Op& op, const Args& args);

/// V: the transformed patches of some tiles of one slice, for some channels; one row per tile, one
/// column per channel from range.begin on. Lanes beyond the image's channels are 0.
void transform_inputs(const Patches& x, const std::byte* data, const InputNorm& norm,
                      const Piece& piece, Range channels, const Matrices& v);
/// Z: likewise, the transformed tiles of dy.
void transform_gradients(const Patches& dy, const std::byte* data, const Piece& piece,
                         Range channels, const Matrices& z);
/// The taps of one row of dw, `dw_step` floats from channel to channel, from the sum of `parts`
/// rows of dU, `step` floats apart.
void finish_row(Form form, const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                float* dw, int64_t dw_step);
/// sums[o] += dy's values of some tiles, for some channels.
void add_bias(const Patches& dy, const std::byte* data, const Piece& piece, Range channels,
              double* sums);

/// The kernels of a problem that they can compute: see winograd.cpp.
/// What a rule says of them; where they are slower than a direct convolution, they are refused.
double price(const Problem& problem);
double price_by_matrices(const Problem& problem);

/// For a plain x of a convolution with fixed weights, which direct convolutions take as it is: the
/// layouts that these kernels need, if they are faster.
std::vector<Layouts> layouts(const Problem& problem);
std::unique_ptr<Kernel> make_convolution(const Problem& problem);
std::unique_ptr<Kernel> make_weight_gradient(const Problem& problem);
std::unique_ptr<Kernel> make_weight_gradient_by_matrices(const Problem& problem);

}  // namespace fovea::simd::winograd
