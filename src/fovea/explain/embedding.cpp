#include "fovea/explain/embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/core/random.h"
#include "fovea/explain/map_layer.h"
#include "fovea/explain/maximize.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/runtime/eval.h"

namespace fovea::explain {
namespace {

/// The input of the last linear layer on the way to `output`; no value if there is none.
Tensor penultimate(const Tensor& output) {
  const Graph& graph = output.graph();
  for (int id = output.id(); graph.value(id).node >= 0;) {
    const Node& node = graph.node(graph.value(id).node);
    if (node.inputs.empty()) break;
    id = node.inputs[0];
    if (node.op.as<Linear>() != nullptr) return Tensor(output.graph_ptr(), id);
  }
  return {};
}

/// Columns of f64 [rows, count], made orthonormal one after another; those that depend on earlier
/// ones become 0.
void orthonormalize(std::vector<double>& q, size_t rows, size_t count) {
  for (size_t k = 0; k < count; ++k) {
    for (int twice = 0; twice < 2; ++twice) {
      for (size_t j = 0; j < k; ++j) {
        double dot = 0;
        for (size_t i = 0; i < rows; ++i) dot += q[i * count + k] * q[i * count + j];
        for (size_t i = 0; i < rows; ++i) q[i * count + k] -= dot * q[i * count + j];
      }
    }
    double size = 0;
    for (size_t i = 0; i < rows; ++i) size += q[i * count + k] * q[i * count + k];
    size = std::sqrt(size);
    for (size_t i = 0; i < rows; ++i) q[i * count + k] = size > 1e-12 ? q[i * count + k] / size : 0;
  }
}

Array array_of(const std::vector<double>& values, const Shape& shape) {
  Array array(DType::f64, shape);
  std::ranges::copy(values, array.data<double>().begin());
  return array;
}

Array product(const Array& a, const Array& b, bool transpose_a = false) {
  return eval(
      [&](const Tensors& t) {
        return Tensors{matmul(transpose_a ? permute(t[0], {1, 0}) : t[0], t[1])};
      },
      {a, b})[0];
}

/// Points less their mean, f64.
Array centred(const Array& points) {
  return eval([](const Tensors& t) { return Tensors{t[0] - mean(t[0], {0}, true)}; },
              {points.astype(DType::f64)})[0];
}

}  // namespace

Array features(Explainer& explainer, const Array& inputs, const std::string& layer) {
  return explainer.run("features " + layer, {{"input", inputs}},
                       [&](const Explainer::Given& given) {
                         const Tensor &x = given.at("input"), output = explainer.apply(x);
                         Tensor value = layer.empty() ? penultimate(output) : Tensor();
                         if (!value) value = find_layer(x, output, layer).value;
                         std::vector<int> axes;
                         for (int axis = 2; axis < value.rank(); ++axis) axes.push_back(axis);
                         return Tensors{axes.empty() ? value : mean(value, axes)};
                       })[0];
}

Array features(Explainer& explainer, const data::Dataset& samples, int64_t count,
               const std::string& layer, const std::function<void(int64_t)>& progress) {
  constexpr int64_t at_once = 64;
  Array all;
  for (int64_t first = 0; first < count; first += at_once) {
    const int64_t n = std::min(at_once, count - first);
    const Array some = features(explainer, batch_of(explainer, samples, first, n), layer);
    if (first == 0) all = Array(DType::f32, {count, some.dim(1)});
    std::memcpy(all.raw() + static_cast<size_t>(first) * some.bytes() / static_cast<size_t>(n),
                some.raw(), some.bytes());
    if (progress) progress(first + n);
  }
  return all;
}

Principal principal_components(const Array& points, int64_t components) {
  const int64_t n = points.dim(0), width = points.dim(1);
  if (n < 1 || width < 1) throw Error(ErrorKind::usage, "principal components of no points");
  // A few more than asked for, so that the last of them converge, too.
  const int64_t count = std::min({components, n, width});
  const auto extra = static_cast<size_t>(std::min({count + 8, n, width}));
  const Array x = centred(points);
  double total = 0;
  for (double v : x.data<double>()) total += v * v;
  // The smaller of X'X and XX' has the same eigenvalues.
  const bool wide = width > n;
  const Array other = eval([](const Tensors& t) { return Tensors{permute(t[0], {1, 0})}; }, {x})[0];
  const Array square = wide ? product(x, other) : product(other, x);
  const auto side = static_cast<size_t>(square.dim(0));

  std::vector<double> q(side * extra);
  Random random(1, "principal components");
  for (double& v : q) v = random.normal();
  orthonormalize(q, side, extra);
  std::vector<double> values(extra, 0);
  for (int round = 0; round < 200; ++round) {
    const Array next =
        product(square, array_of(q, {static_cast<int64_t>(side), static_cast<int64_t>(extra)}));
    std::ranges::copy(next.data<double>(), q.begin());
    double moved = 0;
    for (size_t k = 0; k < extra; ++k) {
      double size = 0;
      for (size_t i = 0; i < side; ++i) size += q[i * extra + k] * q[i * extra + k];
      moved = std::max(moved,
                       k < static_cast<size_t>(count) ? std::abs(std::sqrt(size) - values[k]) : 0);
      values[k] = std::sqrt(size);
    }
    orthonormalize(q, side, extra);
    if (round > 5 && moved <= 1e-10 * (total + 1e-300)) break;
  }

  // Directions [F, extra], and the points along them.
  Array directions = array_of(q, {static_cast<int64_t>(side), static_cast<int64_t>(extra)});
  if (wide) {
    directions = product(other, directions);
    std::vector<double> d(directions.data<double>().begin(), directions.data<double>().end());
    orthonormalize(d, static_cast<size_t>(width), extra);
    directions = array_of(d, directions.shape());
  }
  const Array along = product(x, directions);
  Principal result{.points = Array(DType::f32, {n, count}), .explained = {}};
  const std::span<const double> d = directions.data<double>(), a = along.data<double>();
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
    double largest = 0, energy = 0;
    for (size_t i = 0; i < static_cast<size_t>(width); ++i) {
      if (std::abs(d[i * extra + k]) > std::abs(largest)) largest = d[i * extra + k];
    }
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      const double v = a[i * extra + k] * (largest < 0 ? -1 : 1);
      energy += v * v;
      result.points.set(static_cast<int64_t>(i) * count + static_cast<int64_t>(k), v);
    }
    result.explained.push_back(total > 0 ? energy / total : 0);
  }
  return result;
}

std::vector<Neighbour> nearest(const Array& points, const Array& queries, int64_t row,
                               int64_t count) {
  const auto width = static_cast<size_t>(points.dim(1));
  const auto all = points.data<float>();
  const auto query = queries.data<float>().subspan(static_cast<size_t>(row) * width, width);
  const auto dot = [&](std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (size_t i = 0; i < width; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
  };
  const double size = std::sqrt(dot(query, query));
  std::vector<Neighbour> found;
  for (int64_t i = 0; i < points.dim(0); ++i) {
    const auto point = all.subspan(static_cast<size_t>(i) * width, width);
    const double both = size * std::sqrt(dot(point, point));
    found.push_back({i, both > 0 ? dot(query, point) / both : 0});
  }
  std::ranges::stable_sort(found, std::greater{}, &Neighbour::similarity);
  found.resize(static_cast<size_t>(std::min<int64_t>(count, std::ssize(found))));
  return found;
}

}  // namespace fovea::explain
