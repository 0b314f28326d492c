#pragma once

#include <cstdint>
#include <vector>

#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"

/// Depthwise convolution and its gradients, shared by the files depthwise*. A vector of channels is
/// one problem: sums over the taps are computed without branches, since a band of its rows is
/// copied into a buffer as floats, with zeros in the place of the padding, or since outputs are
/// divided into segments that read the same taps.
namespace fovea::simd::depthwise {

/// Along one spatial axis, output `phase + m * out_step` is a sum over the taps of that phase: of
/// input `m * in_step + at` times weight `k`. A convolution has one phase, its stride is `in_step`;
/// for its gradient with respect to the data, which reads dy, it is `out_step`.
struct Axis {
  struct Tap {
    int64_t k, at;
  };
  int64_t in = 1, out = 1, in_step = 1, out_step = 1;
  std::vector<std::vector<Tap>> phases;
  int64_t first = 0, last = 0;  ///< the range of `at`

  /// The number of values of m.
  int64_t steps() const { return (out + out_step - 1) / out_step; }
  /// Inputs, or zeros around them, that `count` values of m read.
  int64_t reach(int64_t count) const { return (count - 1) * in_step + last - first + 1; }
};

/// Outputs of a phase, in steps, that read the same of its taps: the others are in the padding.
struct Segment {
  int64_t begin, end;
  size_t first_tap, end_tap;
};

/// Those of each phase.
std::vector<std::vector<Segment>> segments_of(const Axis& axis);

/// A tap of a plane: its position in the buffer, relative to that of the output, and its weight.
struct Tap {
  int64_t position, weight;
  bool three = false;  ///< begins three adjacent taps: see join_threes
};

/// Marks each tap that begins three adjacent ones, in the plane and in the weights. They can be
/// summed together: an input that several of them need is then loaded once.
void join_threes(std::vector<Tap>& taps);

/// What all three passes need of a problem. Axes are depth, row and column; missing ones have size
/// 1.
struct Geometry {
  Axis axes[3];
  int64_t kernel[3] = {1, 1, 1};
  int64_t images = 0, channels = 0;
  bool blocked = false;

  int64_t blocks() const { return (channels + 15) / 16; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t inputs() const { return axes[0].in * axes[1].in * axes[2].in; }
  int64_t outputs() const { return axes[0].out * axes[1].out * axes[2].out; }
  /// Elements from one position to the next.
  int64_t width() const { return blocked ? 16 : channels; }
  /// The first element of an image's channel, in a value with that many positions per channel.
  int64_t offset(int64_t image, int64_t channel, int64_t positions) const {
    return blocked ? (image * blocks() + channel / 16) * positions * 16 + channel % 16
                   : image * positions * channels + channel;
  }
  /// Whether these are planes, of channels-last floats in whole blocks of 16 channels: they are
  /// read where they are, all channels of some positions after each other.
  bool reads_pixels(DType dtype) const {
    return dtype == DType::f32 && !blocked && channels % 16 == 0 && axes[0].in == 1 &&
           axes[0].out == 1 && kernel[0] == 1;
  }
  /// The length of a row in the buffer.
  int64_t row() const { return axes[2].reach(axes[2].steps()); }
  /// The taps in a plane of the outputs with these phases.
  std::vector<Tap> plane_taps(size_t row_phase, size_t column_phase) const;
  /// How many steps along the rows make a band whose buffers fit into the L1 and L2 caches.
  int64_t band() const;
};

/// The segments of rows and of columns, and for each pair of them the taps that lie inside x. The
/// position of a tap is relative to the input at the output's step, in the plane.
struct Inside {
  std::vector<std::vector<Segment>> rows, columns;
  std::vector<std::vector<Tap>> taps;  ///< by phase and segment of the rows, then of the columns

  explicit Inside(const Geometry& g);
};

/// Weights [C, 1, kernel] by blocks of 16 channels, then taps; 0 beyond the last channel.
void pack_weights(DType dtype, int64_t channels, int64_t taps, const std::byte* weights, float* to);

/// The geometry of a convolution that reads x and gives y, or of its gradient, which reads y and
/// gives x.
Geometry geometry_of(const ConvGeometry& g, const Shape& weight, const Type& x, const Type& y,
                     bool gradient);

/// Why a problem is none for these kernels, or empty. `weight` is that of the convolution.
std::string refuse(const ConvGeometry& g, const Shape& weight, const Type& x, const Type& y);

/// Of the three passes of depthwise convolutions; others are priced out.
double price(const Problem& problem);
std::vector<Layouts> layouts(const Problem& problem);

Offer make_convolution(const Problem& problem);

}  // namespace fovea::simd::depthwise
