#include "fovea/ops/upsample.h"

#include <algorithm>
#include <cmath>

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Calls body(y offset, x offset, weight) for each pixel that an output is made of.
template <class Body>
void for_each_share(const Upsample& op, const Shape& x, const Shape& y, const Body& body) {
  if (y.numel() == 0) return;
  const std::vector<int64_t> sizes(y.begin() + 2, y.end());
  const int64_t x_plane = x.slice(2).numel();
  int64_t yi = 0;
  for (int64_t plane = 0; plane < y[0] * y[1]; ++plane) {
    std::vector<int64_t> index(sizes.size(), 0);
    do {
      for (size_t corner = 0; corner < size_t{1} << sizes.size(); ++corner) {
        int64_t at = 0;
        double weight = 1;
        for (size_t a = 0; a < sizes.size(); ++a) {
          const int64_t size = x[static_cast<int>(a) + 2];
          const Between b = between(op, index[a], size, sizes[a]);
          const bool high = (corner >> a & 1) != 0;
          weight *= high ? b.share : 1 - b.share;
          at = at * size + (high ? b.high : b.low);
        }
        if (weight != 0) body(yi, plane * x_plane + at, weight);
      }
      ++yi;
    } while (next_index(index, sizes));
  }
}

}  // namespace

Between between(const Upsample& op, int64_t i, int64_t in, int64_t out) {
  if (op.mode == UpsampleMode::nearest) return {i * in / out, i * in / out, 0};
  double at = 0;
  if (!op.align_corners) {
    at = std::max(
        (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5,
        0.0);
  } else if (out > 1) {
    at = static_cast<double>(i) * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  }
  const int64_t low = std::min(static_cast<int64_t>(at), in - 1);
  return {low, std::min(low + 1, in - 1), at - static_cast<double>(low)};
}

Types Upsample::infer(const Types& in) const {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  require_image(name, x);
  require(output.size() == static_cast<size_t>(x.rank() - 2), "upsample of another rank");
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, "upsample: " + what)
        .with("input", to_string(x, image_axes(x.rank())));
  };
  if (align_corners && mode == UpsampleMode::nearest) {
    throw fail("align_corners has no meaning for nearest").with("try", "UpsampleMode::linear");
  }
  Shape shape = x.shape;
  for (size_t a = 0; a < output.size(); ++a) {
    const int axis = static_cast<int>(a) + 2;
    if (output[a] < 1 || output[a] > (int64_t{1} << 31)) {
      throw fail("an output size is " + std::to_string(output[a]) +
                 ", at least 1 and at most 2^31 is allowed");
    }
    if (x.dim(axis) == 0) throw fail("a spatial axis has no elements");
    shape.set(axis, output[a]);
  }
  return {{x.dtype, shape}};
}

Tensors Upsample::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(UpsampleBackward{*this, node.input(0).shape()}, {dy[0]});
}

void Upsample::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  for_each_share(*this, x.shape, y.shape,
                 [&](int64_t yi, int64_t xi, double weight) { y[yi] += weight * x[xi]; });
}

std::string Upsample::attributes() const {
  return "output=" + dims_text(output) + (mode == UpsampleMode::nearest ? " nearest" : " linear") +
         (align_corners ? " align_corners" : "");
}

Types UpsampleBackward::infer(const Types& in) const {
  require_inputs(name, in, 1);
  return {{in[0].dtype, input}};
}

void UpsampleBackward::reference(const Views& v) const {
  const View &dy = v.in[0], &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  for_each_share(upsample, dx.shape, dy.shape,
                 [&](int64_t yi, int64_t xi, double weight) { dx[xi] += weight * dy[yi]; });
}

std::string UpsampleBackward::attributes() const {
  return upsample.attributes() + " input=" + to_string(input);
}

Tensor upsample(const Tensor& x, const Dims& scale, const UpsampleOptions& options) {
  require_image(Upsample::name, x.type());
  std::vector<int64_t> output = scale.expand(x.rank() - 2, Upsample::name, "scale");
  for (size_t a = 0; a < output.size(); ++a) {
    const int64_t size = x.dim(static_cast<int>(a) + 2);
    if (output[a] < 1) {
      throw Error(ErrorKind::usage,
                  "upsample: scale is " + std::to_string(output[a]) + ", at least 1 is allowed")
          .with("input", to_string(x.type(), image_axes(x.rank())))
          .with("try", "upsample_to for smaller sizes");
    }
    output[a] = checked_product(output[a], std::max<int64_t>(size, 1));  // infer refuses none
  }
  return x.graph().add_one(Upsample{std::move(output), options.mode, options.align_corners}, {x});
}

Tensor upsample_to(const Tensor& x, const Dims& size, const UpsampleOptions& options) {
  require_image(Upsample::name, x.type());
  return x.graph().add_one(Upsample{size.expand(x.rank() - 2, Upsample::name, "size"), options.mode,
                                    options.align_corners},
                           {x});
}

}  // namespace fovea
