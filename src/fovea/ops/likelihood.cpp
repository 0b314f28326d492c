#include "fovea/ops/likelihood.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/ops/rules.h"

namespace fovea {
namespace {

Shape pixels_of(const Shape& logits) { return logits.slice(0, 1).concat(logits.slice(2)); }

/// The class of one pixel, or -1 where it is ignored.
int64_t label_of(const NegativeLogLikelihood& op, double label, int64_t pixel, int64_t classes) {
  if (op.ignore_index && label == static_cast<double>(*op.ignore_index)) return -1;
  if (label >= 0 && label < static_cast<double>(classes)) return static_cast<int64_t>(label);
  throw Error(ErrorKind::data,
              fmt::format("cross_entropy: label {} of pixel {} is not one of {} classes",
                          static_cast<int64_t>(label), pixel, classes))
      .with("try", fmt::format("labels from 0 to {}, an ignore_index, or a net with more classes",
                               classes - 1));
}

/// Calls body(offset, factor) for each log-probability that counts; the loss is minus the sum of
/// the products, divided by the return value.
template <class Body>
double for_each_factor(const NegativeLogLikelihood& op, const Views& v, const Body& body) {
  const View &logp = v.in[0], &targets = v.in[1];
  const int64_t classes = logp.dim(1), plane = logp.shape.slice(2).numel();
  const bool soft = targets.shape == logp.shape;
  const auto weight = [&](int64_t k) { return op.weighted ? v.in[2][k] : 1; };
  const double share = op.label_smoothing / static_cast<double>(classes);
  double total = 0;
  for (int64_t pixel = 0; pixel < logp.dim(0) * plane; ++pixel) {
    const int64_t first = pixel / plane * classes * plane + pixel % plane;
    const int64_t label = soft ? -1 : label_of(op, targets[pixel], pixel, classes);
    if (!soft && label < 0) continue;
    total += soft ? 1 : weight(label);
    for (int64_t k = 0; k < classes; ++k) {
      const int64_t i = first + k * plane;
      const double target = soft ? targets[i] : k == label ? 1 : 0;
      const double amount = (1 - op.label_smoothing) * target + share;
      if (!soft && amount == 0) continue;  // a class that has no label does not count
      const double factor = weight(k) * amount;
      if (factor != 0) body(i, factor);  // 0 * -inf is 0 here
    }
  }
  return total;
}

}  // namespace

Types NegativeLogLikelihood::infer(const Types& in) const {
  constexpr std::string_view op = "cross_entropy";  // what the user wrote
  require_inputs(name, in, weighted ? 3 : 2);
  const Type &logits = in[0], &targets = in[1];
  require_float(op, "input", logits);
  std::string axes(image_axes(logits.rank()));
  if (axes.size() > 1) axes[1] = 'K';
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
        .with("logits", to_string(logits, axes))
        .with("targets", to_string(targets));
  };
  if (logits.rank() < 2 || logits.rank() > 5) {
    throw fail(fmt::format("logits have {}; N, K and at most 3 spatial ones are expected",
                           axis_count(logits.rank())));
  }
  if (logits.numel() == 0) throw fail("there are no elements to average");
  const Type labels{DType::i64, pixels_of(logits.shape)};
  const bool soft = targets.dtype == logits.dtype && targets.shape == logits.shape;
  if (!soft && (targets.dtype != labels.dtype || targets.shape != labels.shape)) {
    throw fail("targets do not fit the logits")
        .with("try", fmt::format("labels {}, or soft targets {}", to_string(labels),
                                 to_string(Type{logits.dtype, logits.shape})));
  }
  if (soft && ignore_index) {
    throw fail("ignore_index needs labels, but the targets are soft")
        .with("try", "rows of zeros where targets should be ignored");
  }
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
    throw fail(
        fmt::format("label_smoothing is {}, must be from 0 to 1", format_number(label_smoothing)));
  }
  if (weighted) require_type(op, "class_weights", in[2], {logits.dtype, {logits.dim(1)}}, logits);
  return {{logits.dtype, {}}};
}

Tensors NegativeLogLikelihood::gradient(const Node& node, const Tensors& dy) const {
  Tensors in;
  for (int i = 0; i < node.arity(); ++i) in.push_back(node.input(i));
  in.push_back(dy[0]);
  Tensors result = node.graph->add(NegativeLogLikelihoodBackward{*this}, in);
  result.resize(static_cast<size_t>(node.arity()));  // none for targets and weights
  return result;
}

void NegativeLogLikelihood::reference(const Views& v) const {
  double sum = 0;
  const double total =
      for_each_factor(*this, v, [&](int64_t i, double factor) { sum -= factor * v.in[0][i]; });
  v.out[0][0] = sum / total;
}

Types NegativeLogLikelihoodBackward::infer(const Types& in) const {
  require_inputs(name, in, forward.weighted ? 4 : 3);
  return like(in, 0);
}

void NegativeLogLikelihoodBackward::reference(const Views& v) const {
  const View &dy = v.in.back(), &dx = v.out[0];
  std::fill_n(dx.data, dx.numel(), 0.0);
  const double total =
      for_each_factor(forward, v, [&](int64_t i, double factor) { dx[i] = -factor; });
  for (int64_t i = 0; i < dx.numel(); ++i) dx[i] *= dy[0] / total;
}

}  // namespace fovea
