#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/explain/embedding.h"

namespace fovea::explain {
namespace {

constexpr int64_t maximum_points = 10'000;

/// Squared distances of row i to all others.
void distances(std::span<const float> points, int64_t n, int64_t width, int64_t i,
               std::vector<double>& to) {
  const float* a = points.data() + i * width;
  for (int64_t j = 0; j < n; ++j) {
    const float* b = points.data() + j * width;
    double sum = 0;
    for (int64_t k = 0; k < width; ++k) {
      const double d = static_cast<double>(a[k]) - static_cast<double>(b[k]);
      sum += d * d;
    }
    to[static_cast<size_t>(j)] = sum;
  }
}

/// Turns squared distances from point i into probabilities whose entropy is that of `perplexity`
/// equal neighbours: the bell's precision is found by bisection.
void probabilities(std::vector<double>& row, int64_t i, double perplexity) {
  const double wanted = std::log(perplexity);
  const auto self = static_cast<size_t>(i);
  double nearest = INFINITY;
  for (size_t j = 0; j < row.size(); ++j) {
    if (j != self) nearest = std::min(nearest, row[j]);
  }
  double low = 0, high = INFINITY, precision = 1;
  std::vector<double> p(row.size());
  for (int round = 0; round < 60; ++round) {
    double sum = 0, weighted = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      p[j] = j == self ? 0 : std::exp(-precision * (row[j] - nearest));
      sum += p[j];
      weighted += p[j] * (row[j] - nearest);
    }
    const double entropy = std::log(sum) + precision * weighted / sum;
    for (double& v : p) v /= sum;
    if (std::abs(entropy - wanted) < 1e-6) break;
    if (entropy > wanted) {
      low = precision;
      precision = std::isinf(high) ? precision * 2 : (low + high) / 2;
    } else {
      high = precision;
      precision = (low + high) / 2;
    }
  }
  row = std::move(p);
}

/// The similarities of all pairs [n, n], symmetric, their sum 1.
std::vector<float> similarities(const Array& points, double perplexity) {
  const int64_t n = points.dim(0), width = points.dim(1);
  std::vector<float> p(static_cast<size_t>(n * n));
  parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> row(static_cast<size_t>(n));
    for (int64_t i = begin; i < end; ++i) {
      row.resize(static_cast<size_t>(n));
      distances(points.data<float>(), n, width, i, row);
      probabilities(row, i, perplexity);
      for (int64_t j = 0; j < n; ++j)
        p[static_cast<size_t>(i * n + j)] = static_cast<float>(row[static_cast<size_t>(j)]);
    }
  });
  const float share = 1 / (2 * static_cast<float>(n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      float &a = p[static_cast<size_t>(i * n + j)], &b = p[static_cast<size_t>(j * n + i)];
      a = b = std::max((a + b) * share, 1e-12f);
    }
  }
  return p;
}

/// The positions of all points, x and y in turn, on their way.
struct Cloud {
  int64_t n;
  std::vector<float> p;
  std::vector<double> at, velocity, gain, row_sums;
  std::vector<double> pull, push;  ///< per coordinate

  /// Attraction (times `exaggeration`) and repulsion of each point; rows are independent, so that
  /// threads do not change a bit.
  void forces(double exaggeration) {
    parallel_for(n, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto u = static_cast<size_t>(2 * i);
        const double x = at[u], y = at[u + 1];
        double sum = 0, fx = 0, fy = 0, rx = 0, ry = 0;
        const float* similar = p.data() + i * n;
        for (int64_t j = 0; j < n; ++j) {
          const double dx = x - at[static_cast<size_t>(2 * j)];
          const double dy = y - at[static_cast<size_t>(2 * j + 1)];
          const double q = 1 / (1 + dx * dx + dy * dy);
          const double attraction = exaggeration * static_cast<double>(similar[j]) * q;
          sum += q;
          fx += attraction * dx;
          fy += attraction * dy;
          rx += q * q * dx;
          ry += q * q * dy;
        }
        row_sums[static_cast<size_t>(i)] = sum - 1;  // less the point itself
        pull[u] = fx;
        pull[u + 1] = fy;
        push[u] = rx;
        push[u + 1] = ry;
      }
    });
  }

  void step(double rate, double momentum, double exaggeration) {
    forces(exaggeration);
    double total = 0;
    for (double sum : row_sums) total += sum;
    for (size_t k = 0; k < at.size(); ++k) {
      const double g = 4 * (pull[k] - push[k] / std::max(total, 1e-300));
      const bool same = (g > 0) == (velocity[k] > 0);
      gain[k] = std::max(same ? gain[k] * 0.8 : gain[k] + 0.2, 0.01);
      velocity[k] = momentum * velocity[k] - rate * gain[k] * g;
      at[k] += velocity[k];
    }
    for (size_t axis = 0; axis < 2; ++axis) {  // the middle stays at 0
      double mean = 0;
      for (size_t k = axis; k < at.size(); k += 2) mean += at[k];
      mean /= static_cast<double>(n);
      for (size_t k = axis; k < at.size(); k += 2) at[k] -= mean;
    }
  }
};

}  // namespace

Array tsne(const Array& points, const TsneOptions& options,
           const std::function<void(int64_t)>& progress) {
  const int64_t n = points.dim(0);
  if (n > maximum_points) {
    throw Error(ErrorKind::usage, fmt::format("t-SNE: {} points are too many", n))
        .with("limit", fmt::format("{}", maximum_points));
  }
  Array result = Array::zeros(DType::f32, {n, 2});
  if (n < 2) return result;
  const Principal start = principal_components(points, 2);
  const int64_t found = start.points.dim(1);
  const double perplexity =
      std::max(1.0, std::min(options.perplexity, static_cast<double>(n - 1) / 3));
  const size_t count = static_cast<size_t>(2 * n);
  Cloud cloud{.n = n,
              .p = similarities(points, perplexity),
              .at = std::vector<double>(count),
              .velocity = std::vector<double>(count, 0),
              .gain = std::vector<double>(count, 1),
              .row_sums = std::vector<double>(static_cast<size_t>(n)),
              .pull = std::vector<double>(count),
              .push = std::vector<double>(count)};
  double deviation = 0;
  for (int64_t i = 0; i < n; ++i) deviation += std::pow(start.points.at(i * found), 2);
  deviation = std::max(std::sqrt(deviation / static_cast<double>(n)), 1e-30);
  Random random(options.seed, "t-SNE");
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t axis = 0; axis < 2; ++axis) {
      const double along = axis < found ? start.points.at(i * found + axis) / deviation : 0;
      cloud.at[static_cast<size_t>(2 * i + axis)] = 1e-4 * (along + 0.01 * random.normal());
    }
  }
  const double rate = std::max(static_cast<double>(n) / 12 / 4, 50.0);
  const int64_t early = options.iterations / 4;
  for (int64_t i = 0; i < options.iterations; ++i) {
    const bool first = i < early;
    cloud.step(rate, first ? 0.5 : 0.8, first ? 12 : 1);
    if (progress) progress(i + 1);
  }
  for (size_t k = 0; k < count; ++k) result.set(static_cast<int64_t>(k), cloud.at[k]);
  return result;
}

}  // namespace fovea::explain
