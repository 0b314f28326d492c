#include "fovea/kernels/simd/depthwise.h"

#include <algorithm>

#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd::depthwise {
namespace {

Axis convolution_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation,
                      int64_t padding) {
  Axis axis{.in = in, .out = out, .in_step = stride, .phases = {{}}};
  for (int64_t k = 0; k < kernel; ++k) axis.phases[0].push_back({k, k * dilation - padding});
  return axis;
}

/// Input i of the convolution gets what output o gave it for each k with o * stride + k * dilation
/// - padding = i.
Axis gradient_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation,
                   int64_t padding) {
  Axis axis{.in = out, .out = in, .out_step = stride, .phases = {}};
  for (int64_t phase = 0; phase < stride; ++phase) {
    axis.phases.emplace_back();
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = phase + padding - k * dilation;
      if (at % stride == 0) axis.phases.back().push_back({k, at / stride});
    }
  }
  return axis;
}

void find_range(Axis& axis) {
  axis.first = INT64_MAX, axis.last = INT64_MIN;
  for (const auto& phase : axis.phases) {
    for (const Axis::Tap& tap : phase) {
      axis.first = std::min(axis.first, tap.at);
      axis.last = std::max(axis.last, tap.at);
    }
  }
}

}  // namespace

namespace {

/// Whether these kernels are faster than oneDNN's by a tenth or more, measured with two threads on
/// images of f32. With AVX-512 on blocked ones: gradients of data that are large, or with strides,
/// and convolutions with small windows, without strides, that give small values.
bool faster_with_avx512(const Problem& problem, const Type& x, const Type& y, bool strided) {
  if (y.layout != Layout::blocked16) return false;
  if (problem.op.as<ConvBackwardData>() != nullptr) return strided || x.numel() >= 2 << 20;
  const auto* conv = problem.op.as<Conv>();
  return conv != nullptr && !strided && conv->kernel.numel() <= 9 && y.numel() <= 4 << 20;
}

/// With AVX2 on channels-last ones, which are read where they are, in the order of memory: not
/// where many taps read each value, nor where the caches hold all of them.
bool faster_with_avx2(const Problem& problem, const Type& x, const Type& y, bool strided) {
  if (y.layout != Layout::channels_last || y.dim(1) % 16 != 0) return false;
  const bool few_taps = weight_shape(problem).numel() <= 9 * y.dim(1);
  if (problem.op.as<ConvBackwardData>() != nullptr)
    return strided || (few_taps && x.numel() >= 4 << 20);
  if (problem.op.as<Conv>() != nullptr && !few_taps) return strided && y.dim(3) >= 20;
  return y.dim(3) >= 12;
}

bool faster(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const Type &x = image_type(problem, pass.x), &y = image_type(problem, pass.y);
  if (y.dtype != DType::f32 || y.rank() != 4) return false;
  const bool strided = pass.geometry.stride.back() > 1;
  return (has_avx512() ? faster_with_avx512 : faster_with_avx2)(problem, x, y, strided);
}

}  // namespace

/// Elsewhere oneDNN computes the convolution and its gradients up to 1.6 times
/// as fast as these kernels, except that of the weights of windows wider than 3, for which it has
/// no kernel of its own. A vector of few channels takes as long as a full one. With fixed weights
/// and small windows these kernels come first all the same: mobile nets are 2 to 5 % faster as a
/// whole when their kernels need not take turns with oneDNN's on OpenMP's threads.
double price(const Problem& problem) {
  const double nominal = nominal_seconds(problem);
  const auto* conv = problem.op.as<Conv>();
  if (conv != nullptr && weights_fixed && conv->kernel.numel() <= 25) return nominal * 0.8;
  if (faster(problem)) return nominal * 0.8;
  const auto* weights = problem.op.as<ConvBackwardWeights>();
  const bool wide =
      weights != nullptr && std::any_of(weights->weight.begin() + 2, weights->weight.end(),
                                        [](int64_t k) { return k > 3; });
  const int64_t channels =
      std::max<int64_t>(1, image_type(problem, conv_pass(problem.op).x).dim(1));
  const double filled =
      static_cast<double>(channels) / static_cast<double>((channels + 15) / 16 * 16);
  return nominal * (wide ? 0.5 : 1.5) / filled;
}

std::vector<Layouts> layouts(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const Type &x = image_type(problem, pass.x), &y = image_type(problem, pass.y);
  if (x.dim(1) == 1 || pass.geometry.groups != x.dim(1) || y.dim(1) != x.dim(1)) return {};
  const Layout given = pass.x < 0 ? y.layout : x.layout;
  const Layout layout = given == Layout::plain ? Layout::channels_last : given;
  return {conv_layouts(problem, layout, layout)};
}

std::vector<std::vector<Segment>> segments_of(const Axis& axis) {
  std::vector<std::vector<Segment>> result;
  for (size_t phase = 0; phase < axis.phases.size(); ++phase) {
    const std::vector<Axis::Tap>& taps = axis.phases[phase];
    std::vector<Segment>& segments = result.emplace_back();
    const int64_t steps =
        (axis.out - static_cast<int64_t>(phase) + axis.out_step - 1) / axis.out_step;
    for (int64_t m = 0; m < steps; ++m) {
      // Taps are in the order of their positions, or in its reverse.
      const auto inside = [&](const Axis::Tap& tap) {
        const int64_t at = m * axis.in_step + tap.at;
        return at >= 0 && at < axis.in;
      };
      const auto first = std::ranges::find_if(taps, inside);
      const auto end = std::find_if_not(first, taps.end(), inside);
      const Segment one{m, m + 1, static_cast<size_t>(first - taps.begin()),
                        static_cast<size_t>(end - taps.begin())};
      Segment* last = segments.empty() ? nullptr : &segments.back();
      if (last != nullptr && last->first_tap == one.first_tap && last->end_tap == one.end_tap) {
        last->end = m + 1;
      } else {
        segments.push_back(one);
      }
    }
  }
  return result;
}

void join_threes(std::vector<Tap>& taps) {
  const auto follows = [&](size_t i) {
    return taps[i].position == taps[i - 1].position + 1 && taps[i].weight == taps[i - 1].weight + 1;
  };
  for (size_t i = 0; i + 2 < taps.size(); i += taps[i].three ? 3 : 1)
    taps[i].three = follows(i + 1) && follows(i + 2);
}

std::vector<Tap> Geometry::plane_taps(size_t row_phase, size_t column_phase) const {
  std::vector<Tap> taps;
  for (const Axis::Tap& y : axes[1].phases[row_phase]) {
    for (const Axis::Tap& x : axes[2].phases[column_phase]) {
      taps.push_back(
          {(y.at - axes[1].first) * row() + x.at - axes[2].first, y.k * kernel[2] + x.k});
    }
  }
  join_threes(taps);
  return taps;
}

Inside::Inside(const Geometry& g) : rows(segments_of(g.axes[1])), columns(segments_of(g.axes[2])) {
  for (size_t p = 0; p < rows.size(); ++p) {
    for (const Segment& row : rows[p]) {
      for (size_t q = 0; q < columns.size(); ++q) {
        for (const Segment& column : columns[q]) {
          std::vector<Tap>& list = taps.emplace_back();
          for (size_t i = row.first_tap; i < row.end_tap; ++i) {
            for (size_t j = column.first_tap; j < column.end_tap; ++j) {
              const Axis::Tap &y = g.axes[1].phases[p][i], &x = g.axes[2].phases[q][j];
              list.push_back({y.at * g.axes[2].in + x.at, y.k * g.kernel[2] + x.k});
            }
          }
          join_threes(list);
        }
      }
    }
  }
}

int64_t Geometry::band() const {
  constexpr int64_t bytes = 64 << 10;
  const Axis& rows = axes[1];
  const auto needed = [&](int64_t steps) {
    return 64 * (rows.reach(steps) * row() + steps * rows.out_step * axes[2].out);
  };
  const int64_t fixed = needed(0), each = needed(1) - fixed;
  const int64_t maximum = std::clamp<int64_t>((bytes - fixed) / each, 1, rows.steps());
  const int64_t bands = (rows.steps() + maximum - 1) / maximum;
  return (rows.steps() + bands - 1) / bands;
}

void pack_weights(DType dtype, int64_t channels, int64_t taps, const std::byte* weights,
                  float* to) {
  with_float(dtype, [&]<class T>(T) {
    const T* from = reinterpret_cast<const T*>(weights);
    for (int64_t c = 0; c < (channels + 15) / 16 * 16; ++c) {
      for (int64_t k = 0; k < taps; ++k) {
        to[(c / 16 * taps + k) * 16 + c % 16] =
            c < channels ? static_cast<float>(from[c * taps + k]) : 0.f;
      }
    }
  });
}

Geometry geometry_of(const ConvGeometry& g, const Shape& weight, const Type& x, const Type& y,
                     bool gradient) {
  Geometry result;
  result.images = x.dim(0);
  result.channels = x.dim(1);
  result.blocked = x.layout == Layout::blocked16;
  const size_t count = g.stride.size();
  for (size_t a = 0; a < 3; ++a) {
    Axis& axis = result.axes[a];
    if (a + count < 3) {
      axis = convolution_axis(1, 1, 1, 1, 1, 0);
    } else {
      const size_t i = a + count - 3;
      const int d = static_cast<int>(i) + 2;
      result.kernel[a] = weight[d];
      axis = (gradient ? gradient_axis : convolution_axis)(
          x.dim(d), y.dim(d), weight[d], g.stride[i], g.dilation[i], g.padding_begin[i]);
    }
    find_range(axis);
  }
  return result;
}

std::string refuse(const ConvGeometry& g, const Shape& weight, const Type& x, const Type& y) {
  if (g.groups != x.dim(1) || weight[0] != x.dim(1)) return "only depthwise convolutions";
  if (!is_simd_float(x.dtype) || y.dtype != x.dtype) return simd_floats();
  if (x.layout == Layout::plain || x.layout != y.layout) return "only channels-last and blocked16";
  if (x.numel() == 0 || y.numel() == 0 || weight.numel() == 0)
    return "nothing to compute for empty values";
  return {};
}

}  // namespace fovea::simd::depthwise
