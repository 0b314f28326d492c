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

// An input is amplitudes * scale, times a matrix along each spatial axis, for each channel: the
// matrices hold the basis (waves, or single positions), blurred and shifted, so that jitter and
// blur cost nothing. Long axes have none: their amplitudes are moved themselves.

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

/// [1, 1, spatial...]: the lengths of waves in positions, over 4, or 1; `waves`: along which axes
/// there are any.
Array scales(const Shape& sides, const std::vector<bool>& waves) {
  Array result = Array::full(DType::f32, Shape{1, 1}.concat(sides), 1);
  int64_t longest = 0;
  for (size_t axis = 0; axis < waves.size(); ++axis) {
    if (waves[axis]) longest = std::max(longest, sides[static_cast<int>(axis)]);
  }
  if (longest == 0) return result;
  for (int64_t i = 0; i < result.numel(); ++i) {
    double squares = 0;
    int64_t rest = i;
    for (int axis = sides.rank() - 1; axis >= 0; --axis) {
      const int64_t n = sides[axis], k = rest % n;
      rest /= n;
      if (!waves[static_cast<size_t>(axis)]) continue;
      const double frequency = static_cast<double>(std::min(k, n - k)) / static_cast<double>(n);
      squares += frequency * frequency;
    }
    result.set(i, 0.25 / std::max(std::sqrt(squares), 1 / static_cast<double>(longest)));
  }
  return result;
}

/// The name of each axis's matrix among what is given.
constexpr std::string_view basis_names[] = {"basis 0", "basis 1", "basis 2"};

/// The values of amplitudes [n, C, spatial...]: 0 to 1.
Tensor values_of(const Explainer::Given& given) {
  const Tensor& a = given.at("amplitudes");
  Tensor x = a * given.at("scale");
  for (int axis = 0; axis + 2 < a.rank(); ++axis) {
    const auto found = given.find(basis_names[axis]);
    if (found == given.end()) continue;
    const int64_t n = a.dim(axis + 2), before = a.shape().slice(0, axis + 2).numel();
    const Tensor matrix = broadcast_to(found->second, Shape{before, n, n});
    x = matmul(matrix, reshape(x, {before, n, a.shape().numel() / before / n}));
  }
  return sigmoid(reshape(x, a.shape()));
}

/// Values as the model sees them.
Tensor seen(const Tensor& values, const Normalization& normalization) {
  const int64_t channels = values.dim(1);
  std::vector<int64_t> sizes(static_cast<size_t>(values.rank()), 1);
  sizes[1] = channels;
  Array factor = Array::full(DType::f32, Shape(sizes), 4),
        shift = Array::full(DType::f32, Shape(sizes), -2);
  for (int64_t k = 0; k < channels && !normalization.mean.empty(); ++k) {
    const double std = normalization.std[static_cast<size_t>(k)];
    factor.set(k, 1 / std);
    shift.set(k, -normalization.mean[static_cast<size_t>(k)] / std);
  }
  if (normalization.masked) {
    factor.set(channels - 1, 0);
    shift.set(channels - 1, 1);
  }
  return values * values.graph().constant(factor) + values.graph().constant(shift);
}

/// [n, C, spatial...] moved along a spatial axis towards lower places, in a circle.
Array moved(const Array& array, int axis, int64_t shift) {
  const int64_t n = array.dim(axis + 2), before = array.shape().slice(0, axis + 2).numel(),
                after = array.numel() / before / n;
  const int64_t first = (shift % n + n) % n;
  Array result(array.dtype(), array.shape());
  const std::span<const float> from = array.data<float>();
  const std::span<float> to = result.data<float>();
  for (int64_t b = 0; b < before; ++b) {
    const auto part =
        from.subspan(static_cast<size_t>(b * n * after), static_cast<size_t>(n * after));
    std::ranges::rotate_copy(part, part.begin() + first * after,
                             to.begin() + static_cast<std::ptrdiff_t>(b * n * after));
  }
  return result;
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

/// One search: its amplitudes and Adam's moments, and the matrices of each step.
class Search {
 public:
  Search(Explainer& explainer, const std::vector<Goal>& goals, const Shape& input,
         const Normalization& normalization, const MaximizeOptions& options)
      : explainer_(explainer),
        goals_(goals),
        normalization_(normalization),
        options_(options),
        sides_(input.slice(1)),
        amplitudes_(DType::f32, Shape{std::ssize(goals)}.concat(input)),
        mean_(Array::zeros(DType::f32, amplitudes_.shape())),
        square_(Array::zeros(DType::f32, amplitudes_.shape())) {
    const int64_t longest = *std::ranges::max_element(sides_);
    blur_ = options.blur.value_or(static_cast<double>(longest) / 112);
    std::vector<bool> waves;
    for (const int64_t side : sides_) {
      const int64_t most = std::min(std::max<int64_t>(1, longest / 28), side / 4);
      jitter_.push_back(options.jitter.value_or(most));
      waves.push_back(options.fourier && side <= longest_waves);
      bases_.push_back(side <= longest_waves ? basis(side, options.fourier) : Matrix{});
    }
    blurred_ = bases_;
    scale_ = scales(sides_, waves);
    const Shape value = read_shape();
    target_ = one_hot(channels_of(goals), value[1]);
    const int64_t size = input.numel();
    const bool wavy = std::ranges::count(waves, true) > 0;
    for (int64_t i = 0; i < std::ssize(goals); ++i) {
      Random random(options.seed, "maximize",
                    static_cast<uint64_t>(goals[static_cast<size_t>(i)].channel));
      for (int64_t p = 0; p < size; ++p)
        amplitudes_.set(i * size + p, (wavy ? 0.01 : 0.3) * random.normal());
    }
  }

  void step(int64_t i) {
    Random random(options_.seed, "maximize jitter", static_cast<uint64_t>(i));
    std::vector<int64_t> shifts;
    for (const int64_t jitter : jitter_) {
      const auto span = static_cast<uint64_t>(2 * jitter + 1);
      shifts.push_back(static_cast<int64_t>(random.below(span)) - jitter);
    }
    // The blur lessens in sixteen parts.
    const int64_t part = std::min<int64_t>(16 * i / options_.steps, 15);
    if (part != part_) {
      const double deviation = blur_ * (1 - static_cast<double>(part) / 15);
      for (size_t axis = 0; axis < bases_.size(); ++axis) {
        if (!bases_[axis].empty())
          blurred_[axis] = blurred(bases_[axis], sides_[static_cast<int>(axis)], deviation);
      }
      part_ = part;
    }
    const double t = static_cast<double>(i + 1);
    Inputs inputs = inputs_with(blurred_, shifts);
    inputs.emplace_back("mean", placed(mean_, shifts));
    inputs.emplace_back("square", placed(square_, shifts));
    inputs.emplace_back("rate", number(options_.rate / (1 - std::pow(0.9, t))));
    inputs.emplace_back("correction", number(1 / (1 - std::pow(0.999, t))));
    const std::vector<Array> next =
        explainer_.run("maximize " + key(), inputs, [&](const Explainer::Given& given) {
          const Tensor x = seen(values_of(given), normalization_);
          const Tensor value = over_positions(read(explainer_, x, goals_), false);
          const Tensor& a = given.at("amplitudes");
          const Tensor g = gradients(sum(value * given.at("target")), {a})[0];
          if (!g) return Tensors{a, given.at("mean"), given.at("square")};
          const Tensor m = given.at("mean") * 0.9 + g * 0.1;
          const Tensor v = given.at("square") * 0.999 + g * g * 0.001;
          const Tensor up = m * given.at("rate") / (sqrt(v * given.at("correction")) + 1e-12);
          return Tensors{a + up, m, v};
        });
    for (int64_t& shift : shifts) shift = -shift;
    amplitudes_ = placed(next[0], shifts);
    mean_ = placed(next[1], shifts);
    square_ = placed(next[2], shifts);
  }

  /// {values from 0 to 1, the goals' values} as they are, without jitter and blur.
  std::vector<Array> images() {
    const std::vector<int64_t> still(bases_.size(), 0);
    return explainer_.run(
        "maximized " + key(), inputs_with(bases_, still), [&](const Explainer::Given& given) {
          const Tensor c = values_of(given);
          const Tensor value =
              over_positions(read(explainer_, seen(c, normalization_), goals_), false);
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

  Array number(double value) const {
    const std::vector<int64_t> ones(static_cast<size_t>(amplitudes_.shape().rank()), 1);
    return Array::full(DType::f32, Shape(ones), value);
  }

  /// Moved along the axes without a matrix.
  Array placed(Array array, const std::vector<int64_t>& shifts) const {
    for (size_t axis = 0; axis < bases_.size(); ++axis) {
      if (bases_[axis].empty() && shifts[axis] != 0)
        array = moved(array, static_cast<int>(axis), shifts[axis]);
    }
    return array;
  }

  Inputs inputs_with(const std::vector<Matrix>& bases, const std::vector<int64_t>& shifts) const {
    Inputs inputs{
        {"amplitudes", placed(amplitudes_, shifts)}, {"scale", scale_}, {"target", target_}};
    for (size_t axis = 0; axis < bases.size(); ++axis) {
      if (bases[axis].empty()) continue;
      inputs.emplace_back(basis_names[axis],
                          shifted(bases[axis], sides_[static_cast<int>(axis)], shifts[axis]));
    }
    return inputs;
  }

  Explainer& explainer_;
  const std::vector<Goal>& goals_;
  const Normalization& normalization_;
  const MaximizeOptions& options_;
  Shape sides_;
  int64_t part_ = -1;
  double blur_ = 0;
  std::vector<int64_t> jitter_;
  std::vector<Matrix> bases_, blurred_;  // of each axis; none of long ones
  Array scale_, amplitudes_, mean_, square_, target_;
};

}  // namespace

std::vector<Maximized> maximize(Explainer& explainer, const std::vector<Goal>& goals,
                                const Shape& input, const Normalization& normalization,
                                const MaximizeOptions& options,
                                const std::function<void(int64_t step)>& progress) {
  if (input.rank() < 2 || input.rank() > 4) {
    throw Error(ErrorKind::usage, "maximize: the model's inputs have no positions")
        .with("input", to_string(input))
        .with("expected", "C and 1 to 3 spatial axes, such as C, H, W");
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
