#include "fovea/ops/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"
#include "fovea/ops/likelihood.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// Row n of the targets as a distribution over K classes, smoothed.
std::vector<double> target_row(const View& targets, int64_t n, int64_t classes, double smoothing) {
  std::vector<double> row(static_cast<size_t>(classes), 0.0);
  if (targets.shape.rank() == 2) {
    std::copy_n(targets.data + n * classes, classes, row.begin());
  } else {
    const double label = targets[n];
    if (!(label >= 0 && label < static_cast<double>(classes))) {
      throw Error(ErrorKind::data,
                  fmt::format("cross_entropy: label {} of sample {} is not one of {} classes",
                              static_cast<int64_t>(label), n, classes))
          .with("try", fmt::format("labels from 0 to {}, or a net with more classes", classes - 1));
    }
    row[static_cast<size_t>(label)] = 1;
  }
  for (double& t : row) t = (1 - smoothing) * t + smoothing / static_cast<double>(classes);
  return row;
}

/// log(sum(exp(x))) of `count` numbers `stride` apart.
double log_sum_exp(const double* x, int64_t count, int64_t stride) {
  double largest = x[0], sum = 0;
  for (int64_t k = 1; k < count; ++k) largest = std::max(largest, x[k * stride]);
  for (int64_t k = 0; k < count; ++k) sum += std::exp(x[k * stride] - largest);
  return largest + std::log(sum);
}

/// Calls body(offset of the first, stride) for each line along axis 1.
template <class Body>
void for_each_line(const Shape& x, const Body& body) {
  const int64_t stride = x.slice(2).numel();
  if (x.numel() == 0) return;
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t i = 0; i < stride; ++i) body(n * x[1] * stride + i, stride);
  }
}

/// Any axis is axis 1 of a value whose axes before and after it are joined.
Tensor softmax_along(const Softmax& op, const Tensor& x, int axis) {
  if (axis == 1) return x.graph().add_one(op, {x});
  axis = checked_axis(op.name(), axis, x.type());
  const Shape joined{x.shape().slice(0, axis).numel(), x.dim(axis),
                     x.shape().slice(axis + 1).numel()};
  return reshape(x.graph().add_one(op, {reshape(x, joined)}), x.shape());
}

}  // namespace

Types SoftmaxCrossEntropy::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &logits = in[0], &targets = in[1];
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("cross_entropy: {}", what))
        .with("logits", to_string(logits, logits.rank() == 2 ? "NK" : ""))
        .with("targets", to_string(targets));
  };
  require_float("cross_entropy", "input", logits);
  if (logits.rank() != 2) {
    throw fail(fmt::format("logits have {}; N and K are expected", axis_count(logits.rank())));
  }
  if (logits.numel() == 0) throw fail("there are no elements to average");
  const bool labels = targets.dtype == DType::i64 && targets.shape == Shape{logits.dim(0)};
  const bool soft = targets.dtype == logits.dtype && targets.shape == logits.shape;
  if (!labels && !soft) {
    throw fail("targets do not fit the logits")
        .with("try", fmt::format("labels i64[{}], or soft targets {}", logits.dim(0),
                                 to_string(Type{logits.dtype, logits.shape})));
  }
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
    throw fail(
        fmt::format("label_smoothing is {}, must be from 0 to 1", format_number(label_smoothing)));
  }
  return {{logits.dtype, {}}};
}

Tensors SoftmaxCrossEntropy::gradient(const Node& node, const Tensors& dy) const {
  return {node.graph->add_one(SoftmaxCrossEntropyBackward{label_smoothing},
                              {node.input(0), node.input(1), dy[0]}),
          Tensor{}};
}

void SoftmaxCrossEntropy::reference(const Views& v) const {
  const View& x = v.in[0];
  const int64_t classes = x.dim(1);
  double loss = 0;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const std::vector<double> t = target_row(v.in[1], n, classes, label_smoothing);
    const double norm = log_sum_exp(x.data + n * classes, classes, 1);
    for (int64_t k = 0; k < classes; ++k) {
      const double weight = t[static_cast<size_t>(k)];
      if (weight != 0) loss -= weight * (x[n * classes + k] - norm);  // 0 * -inf is 0 here
    }
  }
  v.out[0][0] = loss / static_cast<double>(x.dim(0));
}

Types SoftmaxCrossEntropyBackward::infer(const Types& in) const {
  require_inputs(name, in, 3);
  return like(in, 0);
}

void SoftmaxCrossEntropyBackward::reference(const Views& v) const {
  const View &x = v.in[0], &dx = v.out[0];
  const int64_t classes = x.dim(1);
  const double scale = v.in[2][0] / static_cast<double>(x.dim(0));
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const std::vector<double> t = target_row(v.in[1], n, classes, label_smoothing);
    const double norm = log_sum_exp(x.data + n * classes, classes, 1);
    double total = 0;  // 1, unless soft targets are not a distribution
    for (double weight : t) total += weight;
    for (int64_t k = 0; k < classes; ++k) {
      const int64_t i = n * classes + k;
      dx[i] = scale * (std::exp(x[i] - norm) * total - t[static_cast<size_t>(k)]);
    }
  }
}

Types Softmax::infer(const Types& in) const {
  require_inputs(name(), in, 1);
  require_float(name(), "input", in[0]);
  if (in[0].rank() < 2) {
    throw Error(ErrorKind::usage, fmt::format("{}: the input has {}; at least N and K are expected",
                                              name(), axis_count(in[0].rank())))
        .with("input", to_string(in[0]));
  }
  return like(in, 0);
}

Tensors Softmax::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(SoftmaxBackward{log}, {node.output(0), dy[0]});
}

void Softmax::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  for_each_line(x.shape, [&](int64_t first, int64_t stride) {
    const double norm = log_sum_exp(x.data + first, x.dim(1), stride);
    for (int64_t k = 0; k < x.dim(1); ++k) {
      const int64_t i = first + k * stride;
      y[i] = log ? x[i] - norm : std::exp(x[i] - norm);
    }
  });
}

Types SoftmaxBackward::infer(const Types& in) const {
  require_inputs(name(), in, 2);
  return like(in, 0);
}

void SoftmaxBackward::reference(const Views& v) const {
  const View &y = v.in[0], &dy = v.in[1], &dx = v.out[0];
  for_each_line(y.shape, [&](int64_t first, int64_t stride) {
    double sum = 0;
    for (int64_t k = 0; k < y.dim(1); ++k) {
      const int64_t i = first + k * stride;
      sum += log ? dy[i] : dy[i] * y[i];
    }
    for (int64_t k = 0; k < y.dim(1); ++k) {
      const int64_t i = first + k * stride;
      dx[i] = log ? dy[i] - std::exp(y[i]) * sum : y[i] * (dy[i] - sum);
    }
  });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  const bool weighted = static_cast<bool>(options.class_weights);
  if (logits.rank() <= 2 && !weighted && !options.ignore_index) {
    return logits.graph().add_one(SoftmaxCrossEntropy{options.label_smoothing}, {logits, targets});
  }
  return logits.graph().add_one(
      NegativeLogLikelihood{options.label_smoothing, options.ignore_index, weighted},
      {log_softmax(logits), targets, options.class_weights});
}

Tensor softmax(const Tensor& x, int axis) { return softmax_along(Softmax{false}, x, axis); }
Tensor log_softmax(const Tensor& x, int axis) { return softmax_along(Softmax{true}, x, axis); }

}  // namespace fovea
