#include "fovea/ops/upsample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"
#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Calls body(y offset, x offset, weight) for each input pixel of each output.
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
          const Between b = between(op, a, index[a], size);
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

std::span<const std::string_view> enum_names(UpsampleMode) {
  static constexpr std::string_view names[] = {"nearest", "linear"};
  return names;
}

Between between(const Upsample& op, size_t axis, int64_t i, int64_t in) {
  const int64_t out = op.output[axis];
  const bool nearest = op.mode == UpsampleMode::nearest;
  const bool scaled = !op.scale.empty() && out != in && !(nearest && out == 2 * in);
  const double step =
      scaled ? 1 / op.scale[axis] : static_cast<double>(in) / static_cast<double>(out);
  if (nearest) {  // PyTorch multiplies in f32, which matters when the product is nearly an integer
    const auto at = static_cast<int64_t>(static_cast<float>(i) * static_cast<float>(step));
    const int64_t pixel = std::min(at, in - 1);
    return {pixel, pixel, 0};
  }
  double at = 0;
  if (!op.align_corners) {
    at = std::max((static_cast<double>(i) + 0.5) * step - 0.5, 0.0);
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
  require(output.size() == static_cast<size_t>(x.rank() - 2) &&
              (scale.empty() || scale.size() == output.size()),
          "upsample has a different rank");
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("upsample: {}", what))
        .with("input", to_string(x, image_axes(x.rank())));
  };
  if (align_corners && mode == UpsampleMode::nearest) {
    throw fail("align_corners does not apply to nearest").with("try", "UpsampleMode::linear");
  }
  Shape shape = x.shape;
  for (size_t a = 0; a < output.size(); ++a) {
    const int axis = static_cast<int>(a) + 2;
    if (output[a] < 1 || output[a] > (int64_t{1} << 31)) {
      throw fail(fmt::format("an output size is {}, must be from 1 to 2^31", output[a]));
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

Tensor upsample(const Tensor& x, const Factors& scale, const UpsampleOptions& options) {
  require_image(Upsample::name, x.type());
  const std::vector<double> factors = scale.expand(x.rank() - 2, Upsample::name, "scale");
  Upsample op{.output = {}, .mode = options.mode, .align_corners = options.align_corners};
  for (size_t a = 0; a < factors.size(); ++a) {
    const int64_t size = x.dim(static_cast<int>(a) + 2);
    const double product = factors[a] * static_cast<double>(std::max<int64_t>(size, 1));
    if (!(factors[a] > 0) || !(product >= 1 && product < 0x1p62)) {  // infer refuses the rest
      throw Error(
          ErrorKind::usage,
          fmt::format("upsample: scale is {}, which gives no valid size from {} (axis {})",
                      format_number(factors[a]), size, std::string(1, image_axes(x.rank())[a + 2])))
          .with("input", to_string(x.type(), image_axes(x.rank())))
          .with("try", "scales above 0 that give at least 1 pixel");
    }
    op.output.push_back(static_cast<int64_t>(product));
  }
  const auto is_integer = [](double factor) { return factor == std::floor(factor); };
  if (!options.recompute_scale_factor && !op.align_corners &&
      !std::all_of(factors.begin(), factors.end(), is_integer)) {
    op.scale = factors;  // for integer scales, in / out is the same, exactly
  }
  return x.graph().add_one(std::move(op), {x});
}

Tensor upsample_to(const Tensor& x, const Dims& size, const UpsampleOptions& options) {
  require_image(Upsample::name, x.type());
  return x.graph().add_one(Upsample{size.expand(x.rank() - 2, Upsample::name, "size"), options.mode,
                                    options.align_corners},
                           {x});
}

}  // namespace fovea
