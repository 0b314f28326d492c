#include "fovea/explain/maximize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "fovea/core/random.h"
#include "fovea/explain/map_layer.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/autodiff.h"

// An image is rows * (amplitudes * scale) * columns', for each channel: the matrices hold the basis
// (waves, or single pixels), blurred and shifted, so that jitter and blur cost nothing.

namespace fovea::explain {
namespace {

/// Square matrices [n, n] of one side, in float64.
using Matrix = std::vector<double>;

/// Hartley's basis: column k is cos + sin of k periods, orthonormal; or the unit matrix.
Matrix basis(int64_t n, bool fourier) {
  Matrix m(static_cast<size_t>(n * n), 0);
  for (int64_t y = 0; y < n; ++y) {
    for (int64_t k = 0; k < n; ++k) {
      const double angle =
          2 * std::numbers::pi * static_cast<double>(y * k % n) / static_cast<double>(n);
      m[static_cast<size_t>(y * n + k)] =
          fourier ? (std::cos(angle) + std::sin(angle)) / std::sqrt(static_cast<double>(n))
                  : y == k;
    }
  }
  return m;
}

/// The rows of `m` averaged around each, in a circle, by a bell of this deviation.
Matrix blurred(const Matrix& m, int64_t n, double deviation) {
  if (deviation < 0.05) return m;
  const int64_t reach = std::min(static_cast<int64_t>(std::ceil(3 * deviation)), n / 2);
  std::vector<double> bell;
  double sum = 0;
  for (int64_t d = -reach; d <= reach; ++d) {
    const double z = static_cast<double>(d) / deviation;
    bell.push_back(std::exp(-z * z / 2));
    sum += bell.back();
  }
  Matrix result(m.size(), 0);
  for (int64_t y = 0; y < n; ++y) {
    for (int64_t d = -reach; d <= reach; ++d) {
      const double share = bell[static_cast<size_t>(d + reach)] / sum;
      const int64_t from = (y + d + n) % n;
      for (int64_t k = 0; k < n; ++k)
        result[static_cast<size_t>(y * n + k)] += share * m[static_cast<size_t>(from * n + k)];
    }
  }
  return result;
}

/// Row y becomes row y - shift, in a circle, as f32 [1, n, n].
Array shifted(const Matrix& m, int64_t n, int64_t shift) {
  Array result(DType::f32, {1, n, n});
  const auto to = result.data<float>();
  for (int64_t y = 0; y < n; ++y) {
    const int64_t from = ((y + shift) % n + n) % n;
    for (int64_t k = 0; k < n; ++k)
      to[static_cast<size_t>(y * n + k)] = static_cast<float>(m[static_cast<size_t>(from * n + k)]);
  }
  return result;
}

/// [1, 1, H, W]: the lengths of waves in pixels, over 4; or 1.
Array scales(int64_t height, int64_t width, bool fourier) {
  Array result(DType::f32, {1, 1, height, width});
  const auto frequency = [](int64_t k, int64_t n) {
    return static_cast<double>(std::min(k, n - k)) / static_cast<double>(n);
  };
  const double lowest = 1 / static_cast<double>(std::max(height, width));
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double f = std::hypot(frequency(y, height), frequency(x, width));
      result.set(y * width + x, fourier ? 0.25 / std::max(f, lowest) : 1);
    }
  }
  return result;
}

/// The colours of amplitudes [n, C, H, W]: 0 to 1.
Tensor colours(const Explainer::Given& given) {
  const Tensor& a = given.at("amplitudes");
  const int64_t planes = a.dim(0) * a.dim(1), height = a.dim(2), width = a.dim(3);
  const Tensor waves = reshape(a * given.at("scale"), {planes, height, width});
  const auto all = [&](const char* name, int64_t n) {
    return broadcast_to(given.at(name), Shape{planes, n, n});
  };
  const Tensor rows = matmul(all("rows", height), waves);
  const Tensor image = matmul(rows, permute(all("columns", width), {0, 2, 1}));
  return sigmoid(reshape(image, a.shape()));
}

/// Colours as the model sees them.
Tensor seen(const Tensor& c, const Normalization& normalization) {
  if (normalization.mean.empty()) return c * 4.0 - 2.0;
  Array factor(DType::f32, {1, c.dim(1), 1, 1}), shift(DType::f32, {1, c.dim(1), 1, 1});
  for (int64_t k = 0; k < c.dim(1); ++k) {
    const double std = normalization.std[static_cast<size_t>(k)];
    factor.set(k, 1 / std);
    shift.set(k, -normalization.mean[static_cast<size_t>(k)] / std);
  }
  return c * c.graph().constant(factor) + c.graph().constant(shift);
}

/// What all goals' values are read from: the output [N, K], or the layer's [N, K, spatial...].
Tensor read(const Explainer& explainer, const Tensor& x, const std::vector<Goal>& goals) {
  const Tensor output = explainer.apply(x);
  const std::string& layer = goals[0].layer;
  return layer.empty() ? output : find_layer(x, output, layer).value;
}

Tensor over_positions(const Tensor& value, bool largest) {
  std::vector<int> axes;
  for (int axis = 2; axis < value.rank(); ++axis) axes.push_back(axis);
  if (axes.empty()) return value;
  return largest ? max(value, axes) : mean(value, axes);
}

void check_goals(const Explainer& explainer, const std::vector<Goal>& goals, const Shape& input) {
  if (goals.empty()) throw Error(ErrorKind::usage, "maximize: nothing is to be maximised");
  const Explainer::Traced traced = explainer.trace(1, input);
  const Tensor value = goals[0].layer.empty()
                           ? traced.output
                           : find_layer(traced.input, traced.output, goals[0].layer).value;
  for (const Goal& goal : goals) {
    if (goal.layer != goals[0].layer)
      throw Error(ErrorKind::usage, "maximize: goals of several layers");
    if (goal.channel >= 0 && goal.channel < value.dim(1)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("maximize: there is no {} {}", goal.layer.empty() ? "class" : "channel",
                            goal.channel))
        .with("result", to_string(value.type()))
        .with("expected", fmt::format("0 to {}", value.dim(1) - 1));
  }
}

std::vector<int64_t> channels_of(const std::vector<Goal>& goals) {
  std::vector<int64_t> channels;
  for (const Goal& goal : goals) channels.push_back(goal.channel);
  return channels;
}

Array number(double value) { return Array::full(DType::f32, {1, 1, 1, 1}, value); }

/// One search: its amplitudes and Adam's moments, and the matrices of each step.
class Search {
 public:
  Search(Explainer& explainer, const std::vector<Goal>& goals, const Shape& input,
         const Normalization& normalization, const MaximizeOptions& options)
      : explainer_(explainer),
        goals_(goals),
        normalization_(normalization),
        options_(options),
        height_(input[1]),
        width_(input[2]),
        jitter_(options.jitter.value_or(std::max<int64_t>(1, std::max(height_, width_) / 28))),
        blur_(options.blur.value_or(static_cast<double>(std::max(height_, width_)) / 112)),
        rows_(basis(height_, options.fourier)),
        columns_(basis(width_, options.fourier)),
        scale_(scales(height_, width_, options.fourier)),
        amplitudes_(DType::f32, Shape{std::ssize(goals)}.concat(input)),
        mean_(Array::zeros(DType::f32, amplitudes_.shape())),
        square_(Array::zeros(DType::f32, amplitudes_.shape())) {
    const Shape value = read_shape();
    target_ = one_hot(channels_of(goals), value[1]);
    const int64_t size = input.numel();
    for (int64_t i = 0; i < std::ssize(goals); ++i) {
      Random random(options.seed, "maximize",
                    static_cast<uint64_t>(goals[static_cast<size_t>(i)].channel));
      for (int64_t p = 0; p < size; ++p)
        amplitudes_.set(i * size + p, (options.fourier ? 0.01 : 0.3) * random.normal());
    }
  }

  void step(int64_t i) {
    Random random(options_.seed, "maximize jitter", static_cast<uint64_t>(i));
    const auto shift = [&] {
      const auto span = static_cast<uint64_t>(2 * jitter_ + 1);
      return static_cast<int64_t>(random.below(span)) - jitter_;
    };
    // The blur lessens in sixteen parts.
    const int64_t part = std::min<int64_t>(16 * i / options_.steps, 15);
    if (part != part_) {
      const double deviation = blur_ * (1 - static_cast<double>(part) / 15);
      blurred_rows_ = blurred(rows_, height_, deviation);
      blurred_columns_ = blurred(columns_, width_, deviation);
      part_ = part;
    }
    const double t = static_cast<double>(i + 1);
    const std::vector<Array> next = explainer_.run(
        "maximize " + key(),
        {{"amplitudes", amplitudes_},
         {"scale", scale_},
         {"rows", shifted(blurred_rows_, height_, shift())},
         {"columns", shifted(blurred_columns_, width_, shift())},
         {"target", target_},
         {"mean", mean_},
         {"square", square_},
         {"rate", number(options_.rate / (1 - std::pow(0.9, t)))},
         {"correction", number(1 / (1 - std::pow(0.999, t)))}},
        [&](const Explainer::Given& given) {
          const Tensor x = seen(colours(given), normalization_);
          const Tensor value = over_positions(read(explainer_, x, goals_), false);
          const Tensor& a = given.at("amplitudes");
          const Tensor g = gradients(sum(value * given.at("target")), {a})[0];
          if (!g) return Tensors{a, given.at("mean"), given.at("square")};
          const Tensor m = given.at("mean") * 0.9 + g * 0.1;
          const Tensor v = given.at("square") * 0.999 + g * g * 0.001;
          const Tensor up = m * given.at("rate") / (sqrt(v * given.at("correction")) + 1e-12);
          return Tensors{a + up, m, v};
        });
    amplitudes_ = next[0];
    mean_ = next[1];
    square_ = next[2];
  }

  /// {colours, values} of the images as they are, without jitter and blur.
  std::vector<Array> images() {
    return explainer_.run("maximized " + key(),
                          {{"amplitudes", amplitudes_},
                           {"scale", scale_},
                           {"rows", shifted(rows_, height_, 0)},
                           {"columns", shifted(columns_, width_, 0)},
                           {"target", target_}},
                          [&](const Explainer::Given& given) {
                            const Tensor c = colours(given);
                            const Tensor value = over_positions(
                                read(explainer_, seen(c, normalization_), goals_), false);
                            return Tensors{c, sum(value * given.at("target"), {1})};
                          });
  }

 private:
  std::string key() const { return goals_[0].layer; }
  Shape read_shape() const {
    const Explainer::Traced traced = explainer_.trace(1, amplitudes_.shape().slice(1));
    return goals_[0].layer.empty()
               ? traced.output.shape()
               : find_layer(traced.input, traced.output, goals_[0].layer).value.shape();
  }

  Explainer& explainer_;
  const std::vector<Goal>& goals_;
  const Normalization& normalization_;
  const MaximizeOptions& options_;
  int64_t height_, width_, jitter_, part_ = -1;
  double blur_;
  Matrix rows_, columns_, blurred_rows_, blurred_columns_;
  Array scale_, amplitudes_, mean_, square_, target_;
};

}  // namespace

std::vector<Maximized> maximize(Explainer& explainer, const std::vector<Goal>& goals,
                                const Shape& input, const Normalization& normalization,
                                const MaximizeOptions& options,
                                const std::function<void(int64_t step)>& progress) {
  if (input.rank() != 3) {
    throw Error(ErrorKind::usage, "maximize: the model's inputs are not images")
        .with("input", to_string(input));
  }
  check_goals(explainer, goals, input);
  std::vector<Maximized> all;
  for (size_t first = 0; first < goals.size(); first += batch_size) {
    const size_t count = std::min<size_t>(batch_size, goals.size() - first);
    const auto from = goals.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<Goal> some(from, from + static_cast<std::ptrdiff_t>(count));
    Search search(explainer, some, input, normalization, options);
    const Array before = search.images()[1];
    for (int64_t i = 0; i < options.steps; ++i) {
      search.step(i);
      if (progress) progress(static_cast<int64_t>(first) / batch_size * options.steps + i + 1);
    }
    const std::vector<Array> found = search.images();
    for (size_t i = 0; i < count; ++i) {
      const auto row = static_cast<int64_t>(i);
      all.push_back({rows(found[0], row, 1).reshaped(input), before.at(row), found[1].at(row)});
    }
  }
  return all;
}

Array batch_of(Explainer& explainer, const data::Dataset& samples, int64_t first, int64_t count) {
  const int64_t n = std::min(count, samples.size() - first);
  Array batch;
  for (int64_t i = 0; i < n; ++i) {
    const Array one = samples.sample(first + i).input;
    if (i == 0) batch = Array(one.dtype(), Shape{n}.concat(one.shape()));
    if (one.dtype() != batch.dtype() || one.shape() != batch.shape().slice(1)) {
      throw Error(ErrorKind::usage, "explain: the samples of the data set differ in size")
          .with("first", describe(batch))
          .with(samples.name(first + i), describe(one));
    }
    std::memcpy(batch.raw() + static_cast<size_t>(i) * one.bytes(), one.raw(), one.bytes());
  }
  return explainer.normalized(batch);
}

std::vector<std::vector<Exciting>> most_exciting(Explainer& explainer,
                                                 const std::vector<Goal>& goals,
                                                 const data::Dataset& samples, int64_t count,
                                                 const std::function<void(int64_t)>& progress) {
  constexpr int64_t at_once = 64;
  std::vector<std::vector<Exciting>> best(goals.size());
  for (int64_t first = 0; first < samples.size(); first += at_once) {
    const Array x = batch_of(explainer, samples, first, at_once);
    if (first == 0) check_goals(explainer, goals, x.shape().slice(1));
    const Array values = explainer.run(
        "exciting " + goals[0].layer, {{"input", x}}, [&](const Explainer::Given& given) {
          return Tensors{over_positions(read(explainer, given.at("input"), goals), true)};
        })[0];
    for (size_t g = 0; g < goals.size(); ++g) {
      for (int64_t i = 0; i < x.dim(0); ++i)
        best[g].push_back({first + i, values.at(i * values.dim(1) + goals[g].channel)});
      const auto keep = std::min<std::ptrdiff_t>(count, std::ssize(best[g]));
      std::ranges::stable_sort(best[g], std::greater{}, &Exciting::value);
      best[g].resize(static_cast<size_t>(keep));
    }
    if (progress) progress(first + x.dim(0));
  }
  return best;
}

}  // namespace fovea::explain
