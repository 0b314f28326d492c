#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"

namespace fovea::simd {

/// For Conv, ConvBackwardData and Linear; for ConvBackwardWeights; for MatMul: see rules.cpp.
Offer make_direct(const Problem& problem);
Offer make_direct_weight_gradient(const Problem& problem);
Offer make_direct_product(const Problem& problem);
/// The share of the nominal time that a direct convolution takes where it is chosen.
inline constexpr double direct_share = 0.8;
double direct_price(const Problem& problem);
/// Those of convolutions and their gradients. Where weights are fixed, x as it is, y as other
/// kernels prefer it; else only those that no other kernel takes: between values whose channels
/// fill blocks and others.
std::vector<Layouts> direct_layouts(const Problem& problem);

}  // namespace fovea::simd

/// Direct convolutions and matrix products with packed weights, in f32 arithmetic: see direct.cpp,
/// and direct_weights.cpp for the gradient with respect to the weights.
namespace fovea::simd::direct {

/// Channels that are adjacent in blocked16 and in copies of x.
inline constexpr int64_t block = 16;

/// Where each output has so few products, small tiles are computed in strips: see direct.cpp.
inline constexpr int64_t few_products = 128;

/// Where a value's elements are, in steps of elements.
struct Place {
  Layout layout = Layout::plain;
  int64_t image = 0, block = 0, row = 0, column = 0;
  int64_t channel = 1;  ///< within a block
};

/// Where weights are: that of an output and an input channel of a group and a tap is at first +
/// index of the group * group + output * out + input * in + row * tap[0] + column * tap[1].
struct Weights {
  int64_t first = 0, out = 0, in = 0;
  int64_t tap[2] = {0, 0};
  int64_t group = 0;
};

/// A convolution over one or two axes, or a matrix product as one of single pixels.
struct Convolution {
  DType dtype = DType::f32;  ///< of x, y and the weights: f32 or bf16
  int64_t images = 1, in = 0, out = 0;
  int64_t groups = 1;             ///< of equal numbers of input and of output channels
  int64_t height = 1, width = 1;  ///< of x
  int64_t rows = 1, columns = 1;  ///< of y
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, padding[2] = {0, 0};
  bool padded = false;
  Place x = {}, y = {};
  int64_t input = 0, offset = 0;  ///< of the first input and the first output
  int64_t channel = 0;            ///< of the bias, for the first output
  Weights weights = {};

  int64_t group_in() const { return in / groups; }
  int64_t group_out() const { return out / groups; }
  int64_t taps() const { return kernel[0] * kernel[1]; }
  int64_t products() const { return taps() * in; }  ///< for each output
};

/// What follows the sums in one pass over them: a residual is added, the result stored in `sums`,
/// then an activation applied; or the sums are multiplied by its derivative at `slope_at`, and what
/// it is there is stored in `value`.
struct Step {
  const std::byte* residual = nullptr;
  std::byte* sums = nullptr;
  std::optional<UnaryKind> activation = {};
  float alpha = 0;
  const std::byte* slope_at = nullptr;
  std::byte* value = nullptr;
};

/// The steps of an epilogue, each residual together with the activation after it. Residuals are the
/// last inputs; `sums` may be null.
std::vector<Step> steps_of(std::span<const EpilogueStep> epilogue,
                           std::span<const std::byte* const> in, std::byte* sums = nullptr);

/// What a kernel computes: convolutions with disjoint outputs, and the indices of its inputs; the
/// bias is input 2, and the residuals are the last ones. `sums` and `slope` (whose input is 2) are
/// those of Linear and MatMul.
struct Pass {
  std::vector<Convolution> parts;
  size_t x = 0, weights = 1;
  bool bias = false;
  std::vector<EpilogueStep> epilogue = {};
  bool sums = false;
  std::optional<EpilogueStep> slope = {};
  bool value = false;
};
std::unique_ptr<Kernel> make_kernel(Pass pass, int threads);

/// What follows the sums of a pass; never empty, but it may do nothing.
std::vector<Step> steps_of(const Pass& pass, const Args& args);
bool do_nothing(std::span<const Step> steps);
/// Whether y is written around the caches: it is larger than they are, is kept for later, and
/// consists of whole cache lines. With AVX-512 only.
bool streams(const Pass& pass, const Convolution& c, const Args& args);

/// Sums of adjacent positions, 32 channels each, of which `channels` are written.
struct FinishedSums {
  int64_t offset = 0;  ///< of the first one in y
  int64_t positions = 0, channels = 0;
  float* sums = nullptr;
  bool stream = false;  ///< around the caches; the caller calls hwy::FlushStream
};
/// Fetches what the steps will read for them.
void fetch_positions(std::span<const Step> steps, const Place& place, const FinishedSums& sums);
/// With AVX-512 only: applies the steps to them, and writes y, whose elements are f32.
void finish_positions(std::span<const Step> steps, const Place& place, const FinishedSums& from,
                      std::byte* y);

/// The gradient of the weights of a convolution in f32, from the inputs that are its x and dy,
/// which may be f16, too; with `bias` the sums of dy over all positions are output 1.
struct WeightGradient {
  Convolution c;
  size_t x = 0, dy = 1;
  bool bias = false;
};
std::unique_ptr<Kernel> make_kernel(const WeightGradient& gradient, int threads);

/// A problem in these terms, or why it cannot be. Of a convolution, its gradient with respect to
/// the data, a linear layer, or a product of matrices whose first is not transposed.
template <class T>
using Derived = std::variant<T, Refusal>;
Derived<Pass> pass_of(const Problem& problem);
/// Of the gradient of the weights of a convolution, or a product whose first matrix is transposed.
Derived<WeightGradient> weight_gradient_of(const Problem& problem);

/// Whether the gradient of the weights takes the taps of a row for so many more channels, of an x
/// in any layout.
bool joins_taps(const Convolution& c);

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
  /// Tasks of the same band read the same part of x.
  int64_t band_of(int64_t task) const { return by_channels ? task % bands : task / parts; }
  int64_t tasks() const { return bands * parts; }
};

/// The part of x that a region needs, and where it is: for its first image and output, or the
/// first of the copy.
struct View {
  const float* data = nullptr;
  int64_t image = 0, block = 0, row = 0, column = 0;
  int64_t together = 0;  ///< channels that are adjacent
};

/// What relu and relu6 do to sums as they leave the registers; without bounds they do nothing.
struct Bounds {
  float low, high;
};

/// An epilogue as bounds, if it is nothing else; or steps that are nothing else after a residual.
std::optional<Bounds> bounds_of(std::span<const EpilogueStep> epilogue);
std::optional<Bounds> bounds_after_residual(std::span<const Step> steps);

/// What one task reads and writes.
struct Work {
  View x;
  std::vector<int64_t> taps;  ///< their offsets in x
  int64_t channels = 0;       ///< of each
  const float* weights = nullptr;
  const float* bias = nullptr;
  std::vector<Step> steps = {};  ///< at least one
  std::byte* y = nullptr;
  std::optional<Bounds> bounds = {};  ///< all that follows the sums and the first residual
  bool stream = false;                ///< y is written around the caches
};

/// Floats of a vector on this CPU, the positions of a row that are computed together at most, and
/// how many such runs are: their sums fit into registers.
struct Registers {
  int64_t lanes, longest, together;
};
Registers registers();

Plan make_plan(const Convolution& c, const Registers& registers, int threads);

/// Computes the outputs of one region, on the calling thread.
void compute_region(const Convolution& c, const Plan& plan, const Region& region, const Work& work);

/// The size and the content of the weights in the order in which they are used.
int64_t packed_floats(const Convolution& c, int64_t lanes);
void pack_weights(const Convolution& c, const Plan& plan, const std::byte* weights, float* to);

/// The positions of x that a region reads; they may begin and end outside x.
struct Window {
  Range rows, columns;
};
Window window_of(const Convolution& c, const Plan& plan, const Region& region);

/// The largest copy of any region, in floats.
int64_t copy_floats(const Convolution& c, const Plan& plan);

/// Sets what a region reads: of x itself, or of a copy in `scratch`.
void set_input(const Convolution& c, const Plan& plan, const Region& region, const std::byte* x,
               float* scratch, Work& work);

/// Whether windows are larger than a pixel and follow each other without gaps or overlap.
bool cuts_patches(const ConvGeometry& g, const Shape& weight);

/// Where the elements of a value with two spatial axes, or one, are.
Place place_of(const Type& type);

/// How many groups are computed together: they have at least so many inputs and outputs, and where
/// channels are in blocks they begin with one.
int64_t groups_together(const Convolution& c, int64_t inputs, int64_t outputs);

/// The same convolution as several, each of so few groups that their outputs fill a vector of
/// `lanes`. Weights between them are 0; so an infinite input makes the outputs of all of them NaN.
std::vector<Convolution> split_groups(const Convolution& c, int64_t lanes);

}  // namespace fovea::simd::direct
