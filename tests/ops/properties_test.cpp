#include <gtest/gtest.h>

#include <cmath>

#include "fovea/ops.h"
#include "fovea/runtime/eval.h"
#include "ops/draw.h"

/// What makes a convolution one, over random shapes: for the float64 reference and, within
/// rounding, for the kernels that f32 values run on.
namespace fovea::harness {
namespace {

constexpr uint64_t draws = 60;

/// Normal numbers; as f32 they are the same ones, rounded.
Array normal_array(Random& random, const Shape& shape, DType dtype) {
  Array array(dtype, shape);
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, random.normal());
  return array;
}

double largest(const Array& array) {
  double result = 0;
  for (int64_t i = 0; i < array.numel(); ++i) result = std::max(result, std::abs(array.at(i)));
  return result;
}

/// A convolution over 1 to 3 axes, but for its input's size.
struct Geometry {
  int64_t groups, channels;
  Shape weight;
  std::vector<int64_t> kernel, stride, dilation, padding;

  explicit Geometry(Random& r) {
    const std::vector<int64_t> widths{1, 2, 3, 16};  // 16: what blocked kernels begin at
    const int axes = static_cast<int>(pick(r, 1, 3));
    groups = pick(r, 1, 3);
    const int64_t group_in = widths[r.below(4)], group_out = widths[r.below(4)];
    channels = groups * group_in;
    kernel = pick_dims(r, axes, 1, axes == 3 ? 2 : 4);
    stride = pick_dims(r, axes, 1, 3);
    dilation = pick_dims(r, axes, 1, 3);
    padding = pick_dims(r, axes, 0, 2);
    weight = Shape{groups * group_out, group_in}.concat(Shape(kernel));
  }

  size_t axes() const { return kernel.size(); }
  int64_t reach(size_t a) const { return dilation[a] * (kernel[a] - 1); }
  Shape image(Random& r, const std::vector<int64_t>& sizes) const {
    return Shape{pick(r, 1, 2), channels}.concat(Shape(sizes));
  }
  ConvOptions options(const Padding& around) const {
    return {
        .stride = Dims(stride), .padding = around, .dilation = Dims(dilation), .groups = groups};
  }
};

class Properties : public ::testing::TestWithParam<DType> {
 protected:
  /// Relative to the largest value, or to the sum of absolute products.
  static double tolerance() { return GetParam() == DType::f64 ? 1e-13 : 1e-5; }
};

INSTANTIATE_TEST_SUITE_P(Convolution, Properties, ::testing::Values(DType::f64, DType::f32),
                         [](const auto& dtype) { return std::string(name(dtype.param)); });

// ---- true convolution

/// The offset of `index` in a row-major box.
int64_t offset(const std::vector<int64_t>& index, const std::vector<int64_t>& sizes) {
  int64_t at = 0;
  for (size_t a = 0; a < sizes.size(); ++a) at = at * sizes[a] + index[a];
  return at;
}

/// Convolution as mathematics defines it: y[o, p + dilation * j] is the sum of x[c, p] k[o, c, j],
/// over the entire plane.
std::vector<double> true_convolution(const Array& x, const Array& k, const Geometry& g) {
  std::vector<int64_t> in(x.shape().begin() + 2, x.shape().end()), out = in;
  for (size_t a = 0; a < out.size(); ++a) out[a] += g.reach(a);
  const int64_t in_plane = Shape(in).numel(), out_plane = Shape(out).numel();
  const int64_t taps = Shape(g.kernel).numel(), outputs = k.dim(0), depth = k.dim(1);
  std::vector<double> y(static_cast<size_t>(x.dim(0) * outputs * out_plane), 0);
  std::vector<int64_t> p(in.size(), 0), j(in.size(), 0), to(in.size(), 0);
  do {
    do {
      for (size_t a = 0; a < to.size(); ++a) to[a] = p[a] + g.dilation[a] * j[a];
      const int64_t xi = offset(p, in), ki = offset(j, g.kernel), yi = offset(to, out);
      for (int64_t no = 0; no < x.dim(0) * outputs; ++no) {
        const int64_t n = no / outputs, o = no % outputs, group = o / (outputs / g.groups);
        for (int64_t c = 0; c < depth; ++c) {
          const int64_t channel = n * g.channels + group * depth + c;
          y[static_cast<size_t>(no * out_plane + yi)] +=
              x.at(channel * in_plane + xi) * k.at((o * depth + c) * taps + ki);
        }
      }
    } while (next_index(j, g.kernel));
  } while (next_index(p, in));
  return y;
}

/// The kernel rotated by 180 degrees.
Array flipped(const Array& k) {
  Array result(k.dtype(), k.shape());
  const int64_t taps = k.shape().slice(2).numel();
  for (int64_t i = 0; i < k.numel(); ++i) {
    result.set(i, k.at(i / taps * taps + (taps - 1 - i % taps)));
  }
  return result;
}

// Filters in signal processing are given for true convolution: rotated by 180 degrees, they do the
// same.
TEST_P(Properties, ConvolutionIsTrueConvolutionWithTheKernelFlipped) {
  for (uint64_t draw = 0; draw < draws; ++draw) {
    Random r(11, "flip", draw);
    const Geometry g(r);
    const Array k = normal_array(r, g.weight, GetParam());
    const Array x =
        normal_array(r, g.image(r, pick_dims(r, static_cast<int>(g.axes()), 1, 6)), GetParam());
    const Array y =
        eval([&](const Tensors& in) { return Tensors{conv(in[0], in[1], {}, g.options("full"))}; },
             {x, flipped(k)})[0];

    const std::vector<double> want = true_convolution(x, k, g);
    std::vector<int64_t> full(x.shape().begin() + 2, x.shape().end());
    for (size_t a = 0; a < full.size(); ++a) full[a] += g.reach(a);
    const std::vector<int64_t> sizes(y.shape().begin() + 2, y.shape().end());
    std::vector<int64_t> q(sizes.size(), 0), p = q;
    const double allowed = tolerance() * largest(y);
    do {
      for (size_t a = 0; a < q.size(); ++a) p[a] = q[a] * g.stride[a];
      for (int64_t plane = 0; plane < y.dim(0) * y.dim(1); ++plane) {
        const double expected =
            want[static_cast<size_t>(plane * Shape(full).numel() + offset(p, full))];
        ASSERT_NEAR(y.at(plane * Shape(sizes).numel() + offset(q, sizes)), expected, allowed)
            << "draw " << draw << ", " << describe(x) << ", weight " << describe(k);
      }
    } while (next_index(q, sizes));
  }
}

// ---- the adjoint

struct ArrayDot {
  double sum = 0, magnitude = 0;
};
ArrayDot dot(const Array& a, const Array& b) {
  ArrayDot result;
  for (int64_t i = 0; i < a.numel(); ++i) {
    result.sum += a.at(i) * b.at(i);
    result.magnitude += std::abs(a.at(i) * b.at(i));
  }
  return result;
}

// <conv(x), y> = <x, conv_transpose(y)>: a decoder that undoes an encoder's geometry.
TEST_P(Properties, TransposedConvolutionIsTheAdjoint) {
  for (uint64_t draw = 0; draw < draws; ++draw) {
    Random r(12, "adjoint", draw);
    const Geometry g(r);
    std::vector<int64_t> sizes, left_over;  // what no window of the convolution ends at
    for (size_t a = 0; a < g.axes(); ++a) {
      const int64_t least = std::max<int64_t>(1, g.reach(a) + 1 - 2 * g.padding[a]);
      sizes.push_back(pick(r, least, least + 5));
      left_over.push_back((sizes[a] + 2 * g.padding[a] - g.reach(a) - 1) % g.stride[a]);
    }
    const Array w = normal_array(r, g.weight, GetParam());
    const Array x = normal_array(r, g.image(r, sizes), GetParam());
    const Array there = eval(
        [&](const Tensors& in) {
          return Tensors{conv(in[0], in[1], {}, g.options(Dims(g.padding)))};
        },
        {x, w})[0];
    const Array y = normal_array(r, there.shape(), GetParam());
    const Array back = eval(
        [&](const Tensors& in) {
          return Tensors{conv_transpose(in[0], in[1], {},
                                        {.stride = Dims(g.stride),
                                         .padding = Dims(g.padding),
                                         .output_padding = Dims(left_over),
                                         .dilation = Dims(g.dilation),
                                         .groups = g.groups})};
        },
        {y, w})[0];
    ASSERT_EQ(back.shape(), x.shape()) << "draw " << draw;
    const ArrayDot one = dot(there, y), other = dot(x, back);
    ASSERT_NEAR(one.sum, other.sum, tolerance() * std::max(one.magnitude, other.magnitude))
        << "draw " << draw << ", " << describe(x) << ", weight " << describe(w);
  }
}

// ---- shifts

using Layer = std::function<Tensor(const Tensor& x, const Tensor& weight)>;

/// Cuts two windows out of one large image, `steps` strides apart along every axis: f gives the
/// same for both, `steps` outputs apart, wherever it reads no border.
void check_shift(const Geometry& g, const Layer& f, Random& r, DType dtype, double tolerance,
                 const std::string& what) {
  const size_t axes = g.axes();
  std::vector<int64_t> steps, first, size, large;  // first: the first window inside
  for (size_t a = 0; a < axes; ++a) {
    steps.push_back(pick(r, 0, 2));
    first.push_back((g.padding[a] + g.stride[a] - 1) / g.stride[a]);
    size.push_back(g.reach(a) + 1 + (first[a] + steps[a] + pick(r, 0, 2)) * g.stride[a]);
    large.push_back(size[a] + steps[a] * g.stride[a]);
  }
  const Array w = normal_array(r, g.weight, dtype);
  const Array full = normal_array(r, g.image(r, large), dtype);
  const auto part = [&](const Tensor& x, bool shifted) {
    Tensor cut = x;
    for (size_t a = 0; a < axes; ++a) {
      const int64_t begin = shifted ? 0 : steps[a] * g.stride[a];
      cut = slice(cut, static_cast<int>(a) + 2, begin, begin + size[a]);
    }
    return cut;
  };
  const std::vector<Array> cuts = eval(
      [&](const Tensors& in) {
        return Tensors{part(in[0], false), part(in[0], true)};
      },
      {full});
  const auto run = [&](const Array& x) {
    return eval([&](const Tensors& in) { return Tensors{f(in[0], in[1])}; }, {x, w})[0];
  };
  const Array y = run(cuts[0]), moved = run(cuts[1]);

  const std::vector<int64_t> sizes(y.shape().begin() + 2, y.shape().end());
  std::vector<int64_t> inside;  // windows that lie within both images
  for (size_t a = 0; a < axes; ++a) {
    const int64_t last = (size[a] + g.padding[a] - g.reach(a) - 1) / g.stride[a] - steps[a];
    inside.push_back(last - first[a] + 1);
    ASSERT_GT(inside[a], 0) << what;
  }
  const double allowed = dtype == DType::f64 ? 0 : tolerance * largest(y);
  const int64_t plane = Shape(sizes).numel();
  std::vector<int64_t> i(axes, 0), from(axes), to(axes);
  do {
    for (size_t a = 0; a < axes; ++a) {
      from[a] = first[a] + i[a];
      to[a] = from[a] + steps[a];
    }
    for (int64_t c = 0; c < y.dim(0) * y.dim(1); ++c) {
      ASSERT_NEAR(moved.at(c * plane + offset(to, sizes)), y.at(c * plane + offset(from, sizes)),
                  allowed)
          << what << " of " << describe(cuts[0]) << ", weight " << describe(w);
    }
  } while (next_index(i, inside));
}

// What a net sees does not depend on its position. In float64 even the bits are the same.
TEST_P(Properties, ConvolutionIsShiftEquivariant) {
  for (uint64_t draw = 0; draw < draws; ++draw) {
    Random r(13, "shift", draw);
    Geometry g(r);
    const auto convolved = [&](const Tensor& x, const Tensor& w) {
      return conv(x, w, {}, g.options(Dims(g.padding)));
    };
    check_shift(g, convolved, r, GetParam(), tolerance(), "conv");
    for (size_t a = 0; a < g.axes(); ++a) {
      g.dilation[a] = 1;
      g.padding[a] = std::min(g.padding[a], g.kernel[a] / 2);
    }
    const PoolOptions pool{
        .kernel = Dims(g.kernel), .stride = Dims(g.stride), .padding = Dims(g.padding)};
    const auto largest_of = [&](const Tensor& x, const Tensor&) { return max_pool(x, pool); };
    const auto mean_of = [&](const Tensor& x, const Tensor&) { return avg_pool(x, pool); };
    check_shift(g, largest_of, r, GetParam(), tolerance(), "max_pool");
    check_shift(g, mean_of, r, GetParam(), tolerance(), "avg_pool");
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace fovea::harness
