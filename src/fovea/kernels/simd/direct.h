#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fovea/kernels/kernel.h"
#include "fovea/ops/activation.h"

namespace fovea::simd {

/// The rules for Conv and Linear: see rules.cpp. They refuse weights that are not fixed.
Offer make_direct_convolution(const Problem& problem);
Offer make_linear(const Problem& problem);
/// The share of the nominal time that a direct convolution takes.
inline constexpr double direct_share = 0.8;
double direct_price(const Problem& problem);
/// x as it is, y as other kernels prefer it.
std::vector<Layouts> direct_layouts(const Problem& problem);

}  // namespace fovea::simd

/// Direct convolutions and matrix products with weights packed once, in f32: see direct.cpp.
namespace fovea::simd::direct {

/// Channels that are adjacent in blocked16 and in copies of x.
inline constexpr int64_t block = 16;

/// Where a value's elements are, in steps of elements.
struct Place {
  Layout layout = Layout::plain;
  int64_t image = 0, block = 0, row = 0, column = 0;
  int64_t channel = 1;  ///< within a block
};

/// A convolution without groups over one or two axes, or a matrix product as one of single pixels.
struct Convolution {
  int64_t images = 1, in = 0, out = 0;
  int64_t height = 1, width = 1;  ///< of x
  int64_t rows = 1, columns = 1;  ///< of y
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, padding[2] = {0, 0};
  bool padded = false;
  Place x = {}, y = {};

  int64_t taps() const { return kernel[0] * kernel[1]; }
  int64_t products() const { return taps() * in; }  ///< for each output
};

/// What follows the sums in one pass over them: a residual is added, then an activation applied.
struct Step {
  const float* residual = nullptr;
  std::optional<UnaryKind> activation = {};
  float alpha = 0;
};

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// A task: some images entirely, or rows of one image, or runs of positions of one row; and some
/// panels of output channels.
struct Region {
  Range images, rows, runs, panels;
};

/// How the work is divided, which depends on the team and on the instruction set.
struct Plan {
  int64_t lanes = 0;  ///< of a vector; a panel has two
  int64_t run = 0;    ///< positions of a row that are computed together
  int64_t runs = 0;   ///< in a row; the last one ends with the row, and overlaps the one before
  int64_t panels = 0;
  Region piece;  ///< the sizes of a task
  int64_t bands = 0, row_bands = 0, run_bands = 0, parts = 0;
  bool by_channels = false;  ///< consecutive tasks share their panels, else their part of x
  bool copied = false;       ///< x is copied: into blocks, with its padding

  int64_t first(int64_t columns, int64_t index) const {
    return std::min(index * run, columns - run);
  }
  Region region(const Convolution& c, int64_t task) const;
  int64_t tasks() const { return bands * parts; }
};

/// `longest`: positions for which registers suffice.
Plan make_plan(const Convolution& c, int64_t lanes, int64_t longest, int threads);

/// The part of x that a region needs, and where it is: for its first image and output, or the
/// first of the copy.
struct View {
  const float* data = nullptr;
  int64_t image = 0, block = 0, row = 0, column = 0;
  int64_t together = 0;  ///< channels that are adjacent
};

/// The positions of x that a region reads; they may begin and end outside x.
struct Window {
  Range rows, columns;
};
Window window_of(const Convolution& c, const Plan& plan, const Region& region);

/// The largest copy of any region, in floats.
int64_t copy_floats(const Convolution& c, const Plan& plan);

}  // namespace fovea::simd::direct
