#include "fovea/explain/check.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/random.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::explain {
namespace {

/// An image [1, C, spatial...] with each position the mean around it, weighted by a Gaussian whose
/// deviation is a twentieth of the side. Beyond the border nothing counts.
Tensor blurred(const Tensor& image) {
  Shape planes{image.dim(1), 1};
  planes = planes.concat(image.shape().slice(2));
  Tensor x = reshape(image, planes);
  Tensor weight = x.graph().constant(Array::full(DType::f32, planes, 1));
  for (int axis = 2; axis < planes.rank(); ++axis) {
    const double deviation = std::max(static_cast<double>(planes[axis]) / 20, 0.5);
    const auto reach = static_cast<int64_t>(std::ceil(2.5 * deviation));
    Shape kernel{1, 1};
    std::vector<int64_t> padding;
    for (int other = 2; other < planes.rank(); ++other) {
      kernel = kernel.concat({other == axis ? 2 * reach + 1 : 1});
      padding.push_back(other == axis ? reach : 0);
    }
    Array bell(DType::f32, kernel);
    for (int64_t i = -reach; i <= reach; ++i) {
      const double d = static_cast<double>(i) / deviation;
      bell.set(i + reach, std::exp(-d * d / 2));
    }
    const Tensor w = x.graph().constant(bell);
    x = conv(x, w, {}, {.padding = Dims(padding)});
    weight = conv(weight, w, {}, {.padding = Dims(padding)});
  }
  return reshape(x / weight, image.shape());
}

/// {blurred, mean} images, each of the image's shape.
std::vector<Array> baselines(Explainer& explainer, const Array& image) {
  return explainer.run("baselines", {{"image", image}}, [](const Explainer::Given& given) {
    const Tensor& x = given.at("image");
    std::vector<int> axes;
    for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
    return Tensors{blurred(x), broadcast_to(mean(x, axes, true), x.shape())};
  });
}

/// The positions of a map, those with the largest values first, equal ones in random order.
std::vector<int64_t> ranked(const Array& map, uint64_t seed, uint64_t sample) {
  std::vector<int64_t> order(static_cast<size_t>(map.numel()));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, "explain ties", sample);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  const auto values = map.data<float>();
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  return order;
}

double area_under(const Curve& curve) {
  double area = 0;
  for (size_t i = 1; i < curve.fractions.size(); ++i) {
    area +=
        (curve.fractions[i] - curve.fractions[i - 1]) * (curve.scores[i] + curve.scores[i - 1]) / 2;
  }
  return area;
}

/// What the curves of one sample share.
struct Sample {
  Explainer& explainer;
  const Array& image;
  int64_t label;
  std::vector<int64_t> order;  ///< positions, the first to be changed first
  int64_t steps;

  /// Deletion sets positions to 0 in masks of ones, insertion to 1 in masks of zeros.
  Curve curve(const Array& baseline, bool deletion) const {
    const auto positions = std::ssize(order);
    Curve result;
    const Shape spatial = image.shape().slice(2);
    std::vector<int64_t> counts;
    for (int64_t k = 0; k <= steps; ++k) {
      const int64_t count = (positions * k + steps / 2) / steps;
      if (counts.empty() || count != counts.back()) counts.push_back(count);
    }
    for (size_t first = 0; first < counts.size(); first += batch_size) {
      const size_t n = std::min<size_t>(batch_size, counts.size() - first);
      Array masks = Array::full(DType::f32, Shape{static_cast<int64_t>(n), 1}.concat(spatial),
                                deletion ? 1 : 0);
      const auto values = masks.data<float>();
      for (size_t m = 0; m < n; ++m) {
        for (int64_t i = 0; i < counts[first + m]; ++i) {
          const int64_t at = static_cast<int64_t>(m) * positions + order[static_cast<size_t>(i)];
          values[static_cast<size_t>(at)] = deletion ? 0 : 1;
        }
        result.fractions.push_back(static_cast<double>(counts[first + m]) /
                                   static_cast<double>(positions));
      }
      for (double score : explainer.masked_scores(image, baseline, masks, label, true))
        result.scores.push_back(score);
    }
    result.area = area_under(result);
    return result;
  }
};

/// The mean ranks of values, from 1.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (size_t i = first; i < end; ++i)
      result[order[i]] = static_cast<double>(first + 1 + end) / 2;
    first = end;
  }
  return result;
}

}  // namespace

std::vector<Faithfulness> faithfulness(Explainer& explainer, const Array& inputs,
                                       const std::vector<int64_t>& classes, const Array& maps,
                                       uint64_t seed, int64_t steps) {
  if (maps.dim(0) != inputs.dim(0) || std::ssize(classes) != inputs.dim(0)) {
    throw Error(ErrorKind::usage,
                fmt::format("explain: {}, {}, {}", counted(inputs.dim(0), "input"),
                            counted(maps.dim(0), "map"), counted(std::ssize(classes), "class")))
        .with("expected", "a map and a class for each input");
  }
  const Shape spatial = inputs.shape().slice(2);
  const Array large = enlarged(maps, spatial), shares = scaled(large);
  std::vector<Faithfulness> all;
  for (int64_t i = 0; i < inputs.dim(0); ++i) {
    const Array image = rows(inputs, i, 1);
    const int64_t label = classes[static_cast<size_t>(i)];
    const std::vector<Array> removed = baselines(explainer, image);
    const Sample sample{explainer, image, label,
                        ranked(rows(large, i, 1), seed, static_cast<uint64_t>(i)), steps};
    Faithfulness f;
    f.blur = {sample.curve(removed[0], true), sample.curve(removed[0], false)};
    f.mean = {sample.curve(removed[1], true), sample.curve(removed[1], false)};
    const Array mask = rows(shares, i, 1).reshaped(Shape{1, 1}.concat(spatial));
    const double before = f.mean.deletion.scores.front();
    const double after = explainer.masked_scores(image, removed[1], mask, label, true)[0];
    f.drop = before > 0 ? std::max(0.0, before - after) / before : 0;
    f.increase = after > before;
    all.push_back(f);
  }
  return all;
}

Array random_maps(const Shape& shape, uint64_t seed) {
  Array maps(DType::f32, shape);
  Random random(seed, "random map");
  for (float& v : maps.data<float>()) v = static_cast<float>(random.uniform());
  return maps;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> ra = ranks(a), rb = ranks(b);
  const double middle = (static_cast<double>(a.size()) + 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (ra[i] - middle) * (rb[i] - middle);
    aa += (ra[i] - middle) * (ra[i] - middle);
    bb += (rb[i] - middle) * (rb[i] - middle);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

namespace {

double mean_similarity(const Array& a, const Array& b) {
  double total = 0;
  const int64_t positions = a.numel() / a.dim(0);
  for (int64_t i = 0; i < a.dim(0); ++i) {
    std::vector<double> x, y;
    for (int64_t p = 0; p < positions; ++p) {
      x.push_back(a.at(i * positions + p));
      y.push_back(b.at(i * positions + p));
    }
    total += rank_correlation(x, y);
  }
  return total / static_cast<double>(a.dim(0));
}

/// The modules that own parameters, the last one first.
std::vector<const nn::Module*> layers_from_head(const nn::Module& model) {
  std::vector<const nn::Module*> layers;
  for (const nn::Variable* parameter : model.parameters()) {
    if (std::ranges::find(layers, &parameter->owner()) == layers.end())
      layers.push_back(&parameter->owner());
  }
  std::ranges::reverse(layers);
  return layers;
}

}  // namespace

std::optional<bool> Randomization::passed() const {
  const auto below = [](const Step& s) { return s.similarity + 2 * s.error < similar; };
  const auto above = [](const Step& s) { return s.similarity - 2 * s.error > similar; };
  if (steps.empty() || std::ranges::any_of(steps, below)) return true;
  if (std::ranges::all_of(steps, above)) return false;
  return std::nullopt;
}

namespace {

/// How many layers have random weights in each step.
std::vector<int64_t> steps_of(int64_t layers) {
  std::vector<int64_t> counts;
  for (const int64_t count : {int64_t{1}, layers / 4, layers / 2, 3 * layers / 4, layers}) {
    if (count <= layers && count > (counts.empty() ? 0 : counts.back())) counts.push_back(count);
  }
  return counts;
}

/// The similarity after each step, for one draw of random weights.
std::vector<double> similarities(Explainer& explainer, const Chosen<Method>& method,
                                 const Request& same, const Array& maps,
                                 const std::vector<const nn::Module*>& layers, int64_t draw) {
  const nn::Module& model = explainer.model();
  State random, mixed;
  nn::declare(random, model, same.seed + 1'000'000'007 * static_cast<uint64_t>(draw + 1));
  nn::declare(mixed, model, 0);
  for (const nn::Variable* v : model.variables())
    mixed.set(v->name(), explainer.state().get(v->name()));
  Explainer changed(explainer, mixed);
  std::vector<double> result;
  int64_t done = 0;
  for (const int64_t until : steps_of(std::ssize(layers))) {
    for (; done < until; ++done) {
      for (const nn::Variable* v : model.variables()) {
        if (&v->owner() == layers[static_cast<size_t>(done)])
          mixed.set(v->name(), random.get(v->name()));
      }
    }
    result.push_back(mean_similarity(maps, explain(changed, method, same).maps));
  }
  return result;
}

/// The mean of some draws, their deviation, and the error of the mean. A few draws that happen to
/// agree are no proof: the deviation counts at least as `usual`.
void summarise(const std::vector<double>& draws, Randomization::Step& step) {
  constexpr double usual = 0.1;
  const auto count = static_cast<double>(draws.size());
  double sum = 0, squares = 0;
  for (const double value : draws) sum += value;
  for (const double value : draws) squares += (value - sum / count) * (value - sum / count);
  step.similarity = sum / count;
  step.spread = std::sqrt(squares / (count - 1));
  step.error = std::max(step.spread, usual) / std::sqrt(count);
}

}  // namespace

Randomization randomization(Explainer& explainer, const Chosen<Method>& method,
                            const Request& request, const Explanation& explanation) {
  constexpr int64_t fewest = 3, most = 9;
  Request same = request;
  same.classes = explanation.classes;
  const std::vector<const nn::Module*> layers = layers_from_head(explainer.model());
  Randomization result;
  for (const int64_t count : steps_of(std::ssize(layers)))
    result.steps.push_back(
        {.layers = count, .last = layers[static_cast<size_t>(count - 1)]->path()});
  std::vector<std::vector<double>> draws(result.steps.size());
  for (; result.draws < most && (result.draws < fewest || !result.passed()); ++result.draws) {
    const std::vector<double> draw =
        similarities(explainer, method, same, explanation.maps, layers, result.draws);
    for (size_t i = 0; i < draws.size(); ++i) {
      draws[i].push_back(draw[i]);
      if (draws[i].size() > 1) summarise(draws[i], result.steps[i]);
    }
  }
  return result;
}

}  // namespace fovea::explain
