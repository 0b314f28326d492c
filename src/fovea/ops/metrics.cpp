#include "fovea/ops/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

int64_t label_at(std::string_view op, const View& labels, int64_t i, int64_t classes) {
  const double label = labels[i];
  if (label >= 0 && label < static_cast<double>(classes)) return static_cast<int64_t>(label);
  throw Error(ErrorKind::data, fmt::format("{}: label {} at {} is not one of {} classes", op,
                                           static_cast<int64_t>(label), i, classes));
}

/// The class of the largest finite logit of a pixel.
int64_t class_at(const View& logits, int64_t pixel) {
  const int64_t classes = logits.dim(1), plane = logits.shape.slice(2).numel();
  const int64_t first = pixel / plane * classes * plane + pixel % plane;
  double largest = -std::numeric_limits<double>::infinity();
  int64_t found = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const double z = logits[first + c * plane];
    if (!std::isfinite(z) || z <= largest) continue;
    largest = z;
    found = c;
  }
  return found;
}

Shape without_classes(const Shape& shape) { return shape.slice(0, 1).concat(shape.slice(2)); }

}  // namespace

Types InTopK::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &logits = in[0], &targets = in[1];
  require_float(name, "input", logits);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", name, what))
        .with("logits", to_string(logits))
        .with("targets", to_string(targets));
  };
  if (k < 1) throw fail(fmt::format("k is {}, must be at least 1", k));
  const bool labels = logits.rank() >= 2 && targets.dtype == DType::i64 &&
                      targets.shape == without_classes(logits.shape);
  const bool soft =
      logits.rank() >= 2 && targets.dtype == logits.dtype && targets.shape == logits.shape;
  if (!labels && !soft) throw fail("targets do not fit the logits");
  return {{logits.dtype, without_classes(logits.shape)}};
}

void InTopK::reference(const Views& v) const {
  const View &logits = v.in[0], &targets = v.in[1], &out = v.out[0];
  const int64_t classes = logits.dim(1), plane = logits.shape.slice(2).numel();
  const bool soft = targets.shape == logits.shape;
  std::vector<int64_t> order(static_cast<size_t>(classes));
  for (int64_t pixel = 0; pixel < out.numel(); ++pixel) {
    const int64_t first = pixel / plane * classes * plane + pixel % plane;
    const auto z = [&](int64_t c) { return logits[first + c * plane]; };
    if (!soft) {
      const int64_t label = label_at(name, targets, pixel, classes);
      int64_t before = 0;
      for (int64_t c = 0; c < classes; ++c) {
        before += z(c) > z(label) || (z(c) == z(label) && c < label);
      }
      out[pixel] = std::isfinite(z(label)) && before < k ? 1 : 0;
      continue;
    }
    std::iota(order.begin(), order.end(), int64_t{0});
    std::erase_if(order, [&](int64_t c) { return !std::isfinite(z(c)); });
    std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return z(a) > z(b); });
    out[pixel] = 0;
    for (size_t i = 0; i < order.size() && static_cast<int64_t>(i) < k; ++i) {
      out[pixel] += targets[first + order[i] * plane];
    }
    order.resize(static_cast<size_t>(classes));
  }
}

Types OneHot::infer(const Types& in) const {
  require_inputs(name, in, 1);
  if (in[0].dtype != DType::i64 || in[0].rank() < 1) {
    throw Error(ErrorKind::usage, fmt::format("{}: labels are i64[N, ...]", name))
        .with("labels", to_string(in[0]));
  }
  if (classes < 1) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: classes is {}, must be at least 1", name, classes));
  }
  const Shape& shape = in[0].shape;
  return {{dtype, shape.slice(0, 1).concat({classes}).concat(shape.slice(1))}};
}

void OneHot::reference(const Views& v) const {
  const View &labels = v.in[0], &out = v.out[0];
  const int64_t plane = labels.shape.slice(1).numel();
  std::fill_n(out.data, out.numel(), 0.0);
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const int64_t label = label_at(name, labels, i, classes);
    out[(i / plane * classes + label) * plane + i % plane] = 1;
  }
}

Types ArgMax::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require_float(name, "input", in[0]);
  if (in[0].rank() >= 2 && in[0].dim(1) >= 1) return {{DType::i64, without_classes(in[0].shape)}};
  throw Error(ErrorKind::usage, fmt::format("{}: logits are [N, K, ...] with K at least 1", name))
      .with("logits", to_string(in[0]));
}

void ArgMax::reference(const Views& v) const {
  for (int64_t pixel = 0; pixel < v.out[0].numel(); ++pixel)
    v.out[0][pixel] = static_cast<double>(class_at(v.in[0], pixel));
}

Types ConfusionMatrix::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &logits = in[0], &labels = in[1];
  require_float(name, "input", logits);
  if (logits.rank() >= 2 && logits.dim(1) >= 1 && labels.dtype == DType::i64 &&
      labels.shape == without_classes(logits.shape))
    return {{DType::f64, {logits.dim(1), logits.dim(1)}}};
  throw Error(ErrorKind::usage, fmt::format("{}: labels do not fit the logits", name))
      .with("logits", to_string(logits))
      .with("labels", to_string(labels));
}

void ConfusionMatrix::reference(const Views& v) const {
  const View &logits = v.in[0], &labels = v.in[1], &out = v.out[0];
  const int64_t classes = logits.dim(1);
  std::fill_n(out.data, out.numel(), 0.0);
  for (int64_t pixel = 0; pixel < labels.numel(); ++pixel) {
    if (ignore_index && labels[pixel] == static_cast<double>(*ignore_index)) continue;
    ++out[label_at(name, labels, pixel, classes) * classes + class_at(logits, pixel)];
  }
}

Tensor argmax(const Tensor& logits) { return logits.graph().add_one(ArgMax{}, {logits}); }

Tensor confusion_matrix(const Tensor& logits, const Tensor& labels,
                        std::optional<int64_t> ignore_index) {
  return logits.graph().add_one(ConfusionMatrix{ignore_index}, {logits, labels});
}

Tensor in_top_k(const Tensor& logits, const Tensor& targets, int64_t k) {
  return logits.graph().add_one(InTopK{k}, {logits, targets});
}

Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype) {
  return labels.graph().add_one(OneHot{classes, dtype}, {labels});
}

}  // namespace fovea
