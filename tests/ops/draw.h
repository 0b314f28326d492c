#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/ops/pool.h"
#include "ops/harness.h"
#include "shapes_per_op.h"

/// Random data and shapes that rows of samples are drawn from.
namespace fovea::harness {

// ---- data

inline void normal(Random& random, const View& x) {
  for (int64_t i = 0; i < x.numel(); ++i) x[i] = random.normal();
}

inline Fill uniform(double low, double high) {
  return [=](Random& random, const View& x) {
    for (int64_t i = 0; i < x.numel(); ++i) x[i] = low + (high - low) * random.uniform();
  };
}

/// Normal numbers that keep away from these points.
inline Fill away_from(std::vector<double> points, double spread) {
  return [=](Random& random, const View& x) {
    const auto near = [&](double value) {
      return std::any_of(points.begin(), points.end(),
                         [&](double p) { return std::abs(value - p) < 0.01; });
    };
    for (int64_t i = 0; i < x.numel(); ++i) {
      do {
        x[i] = spread * random.normal();
      } while (near(x[i]));
    }
  };
}

/// Multiples of 0.1 in random order: no two are equal.
inline void distinct(Random& random, const View& x) {
  for (int64_t i = 0; i < x.numel(); ++i) x[i] = 0.1 * static_cast<double>(i - x.numel() / 2);
  for (int64_t i = x.numel() - 1; i > 0; --i) {
    std::swap(x[i], x[static_cast<int64_t>(random.below(static_cast<uint64_t>(i) + 1))]);
  }
}

inline Fill labels(int64_t classes) {
  return [=](Random& random, const View& x) {
    for (int64_t i = 0; i < x.numel(); ++i) {
      x[i] = static_cast<double>(random.below(static_cast<uint64_t>(classes)));
    }
  };
}

// ---- shapes

inline int64_t pick(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
}

/// A batch of 1 to 3, now and then an empty one.
inline int64_t pick_batch(Random& random) { return random.below(12) == 0 ? 0 : pick(random, 1, 3); }

inline std::vector<int64_t> pick_dims(Random& random, int count, int64_t low, int64_t high) {
  std::vector<int64_t> dims;
  for (int i = 0; i < count; ++i) dims.push_back(pick(random, low, high));
  return dims;
}

inline Shape pick_shape(Random& random, int low_rank, int high_rank, int64_t high = 4) {
  const int rank = static_cast<int>(pick(random, low_rank, high_rank));
  Shape shape(std::span<const int64_t>(pick_dims(random, rank, 1, high)));
  if (rank > 0 && random.below(12) == 0) shape.set(0, 0);
  return shape;
}

/// N, C and 1 to 3 spatial axes.
inline Shape pick_image(Random& random, int64_t channels, int64_t high) {
  const int axes = static_cast<int>(pick(random, 1, 3));
  return Shape{pick_batch(random), channels}.concat(
      Shape(std::span<const int64_t>(pick_dims(random, axes, 1, axes == 3 ? high - 2 : high))));
}

/// One row of the harness: `make(random)` for each of `count` samples, named after the family.
/// Samples whose op refuses its inputs (a window larger than its image) are drawn again.
template <class Make>
std::vector<Sample> repeat(const std::string& name, int count, const Make& make) {
  std::vector<Sample> samples;
  for (uint64_t draw = 0; samples.size() < static_cast<size_t>(count); ++draw) {
    require(draw < 10000, name + ": hardly any sample is accepted");
    Random random(1, name, draw);
    Sample sample = make(random);
    sample.name = name + " " + std::to_string(draw);
    try {
      (void)sample.op.infer(sample.types());
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::usage) throw;
      continue;
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

inline void append(std::vector<Sample>& samples, std::vector<Sample> more) {
  samples.insert(samples.end(), more.begin(), more.end());
}

inline PoolGeometry pick_pool(Random& r, int axes) {
  return {.kernel = pick_dims(r, axes, 1, 3),
          .stride = pick_dims(r, axes, 1, 3),
          .padding_begin = pick_dims(r, axes, 0, 1),
          .padding_end = pick_dims(r, axes, 0, 1),
          .dilation = pick_dims(r, axes, 1, 2),
          .ceil_mode = r.below(2) == 0};
}

}  // namespace fovea::harness
