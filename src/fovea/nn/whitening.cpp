#include "fovea/nn/whitening.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/runtime/eval.h"

namespace fovea::nn {
namespace {

/// The products of all pairs of elements of the patches of x [N, C, spatial], summed over patches:
/// [K, K], where K counts the elements of a patch in the order of a weight [C, kernel].
Tensor patch_products(const Tensor& x, const Shape& kernel) {
  Tensors shifted{x};  // one per element of the kernel, in its order
  for (int axis = 0; axis < kernel.rank(); ++axis) {
    const int at = axis + 2;
    const int64_t size = x.dim(at) - kernel[axis] + 1;
    Tensors all;
    for (const Tensor& t : shifted) {
      for (int64_t k = 0; k < kernel[axis]; ++k) all.push_back(slice(t, at, k, k + size));
    }
    shifted = std::move(all);
  }
  const int64_t n = x.dim(0), c = x.dim(1), pixels = shifted[0].shape().slice(2).numel();
  for (Tensor& t : shifted) t = reshape(t, {n, c, 1, pixels});
  const int64_t size = c * kernel.numel();
  const Tensor patches =
      reshape(permute(concat(shifted, 2), {1, 2, 0, 3}), {size, n * pixels});  // [C, kernel, N, P]
  return matmul(patches, permute(patches, {1, 0}));
}

/// One rotation, which makes element (p, q) zero.
void rotate(std::vector<double>& a, std::vector<double>& v, int64_t n, int64_t p, int64_t q) {
  const auto at = [n](int64_t row, int64_t column) {
    return static_cast<size_t>(row * n + column);
  };
  if (a[at(p, q)] == 0) return;
  const double theta = (a[at(q, q)] - a[at(p, p)]) / (2 * a[at(p, q)]);
  const double t = std::copysign(1, theta) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  const auto turn = [&](double& x, double& y) {
    const double before = x;
    x = c * before - s * y;
    y = s * before + c * y;
  };
  for (int64_t k = 0; k < n; ++k) turn(a[at(k, p)], a[at(k, q)]);
  for (int64_t k = 0; k < n; ++k) turn(a[at(p, k)], a[at(q, k)]);
  for (int64_t k = 0; k < n; ++k) turn(v[at(k, p)], v[at(k, q)]);
}

}  // namespace

Eigen eigen(std::vector<double> a, int64_t n) {
  const auto at = [n](int64_t row, int64_t column) {
    return static_cast<size_t>(row * n + column);
  };
  std::vector<double> v(a.size(), 0);
  for (int64_t i = 0; i < n; ++i) v[at(i, i)] = 1;
  const double all = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  constexpr int sweeps = 60;  // convergence is quadratic: fewer than ten are needed
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    double rest = 0;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) rest += a[at(p, q)] * a[at(p, q)];
    }
    if (rest <= 1e-30 * all) break;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q);
    }
  }
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](int64_t i) { return a[at(i, i)]; });
  Eigen result;
  for (const int64_t i : order) {
    result.values.push_back(a[at(i, i)]);
    std::vector<double>& vector = result.vectors.emplace_back();
    for (int64_t k = 0; k < n; ++k) vector.push_back(v[at(k, i)]);
    const double largest =
        *std::ranges::max_element(vector, {}, [](double x) { return std::abs(x); });
    if (largest < 0) {
      for (double& x : vector) x = -x;
    }
  }
  return result;
}

namespace init {
namespace {

/// The uncentred covariance [K, K] of the patches of `inputs`.
std::vector<double> patch_covariance(const Array& inputs, const Shape& kernel) {
  constexpr int64_t chunk = 256;  // samples whose patches are in memory at a time
  std::vector<double> sum;
  double patches = 0;
  const int64_t count = inputs.shape()[0];
  for (int64_t first = 0; first < count; first += chunk) {
    const int64_t n = std::min(chunk, count - first);
    const Shape one = inputs.shape().slice(1);
    const size_t offset = static_cast<size_t>(first * one.numel()) * size_of(inputs.dtype());
    const Array part(inputs.dtype(), Shape{n}.concat(one),
                     const_cast<std::byte*>(inputs.raw()) + offset, nullptr);
    const Array products =
        eval([&](const Tensors& t) { return Tensors{patch_products(t[0], kernel)}; }, {part})[0];
    sum.resize(static_cast<size_t>(products.numel()));
    for (int64_t i = 0; i < products.numel(); ++i) sum[static_cast<size_t>(i)] += products.at(i);
    double per_sample = 1;
    for (int axis = 0; axis < kernel.rank(); ++axis)
      per_sample *= static_cast<double>(inputs.shape()[axis + 2] - kernel[axis] + 1);
    patches += per_sample * static_cast<double>(n);
  }
  for (double& value : sum) value /= patches;
  return sum;
}

void whiten(Array& weight, const Array& inputs, double eps) {
  const Shape kernel = weight.shape().slice(2);
  const int64_t channels = inputs.shape()[1], size = weight.shape().slice(1).numel();
  if (channels != weight.shape()[1]) {
    throw Error(ErrorKind::usage, "whitening: the weight is for another number of input channels")
        .with("weight", describe(weight))
        .with("inputs", describe(inputs))
        .with("try", "a convolution with groups = 1");
  }
  const Eigen found = eigen(patch_covariance(inputs, kernel), size);
  for (int64_t o = 0; o < std::min(weight.shape()[0], 2 * size); ++o) {
    const auto i = static_cast<size_t>(o % size);
    const double factor = (o < size ? 1 : -1) / std::sqrt(std::max(found.values[i], 0.0) + eps);
    for (int64_t k = 0; k < size; ++k)
      weight.set(o * size + k, factor * found.vectors[i][static_cast<size_t>(k)]);
  }
}

}  // namespace

DataInitializer whitening(double eps, int64_t samples) {
  return {samples, [eps](Array& weight, const Array& inputs) { whiten(weight, inputs, eps); }};
}

}  // namespace init
}  // namespace fovea::nn
