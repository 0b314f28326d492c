#include "fovea/ops/distance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

void require_pair(std::string_view op, const Type& x, const Type& target) {
  require_float(op, "input", x);
  if (x.dtype == target.dtype && x.shape == target.shape) return;
  throw Error(ErrorKind::usage, fmt::format("{}: input and target differ", op))
      .with("input", to_string(x))
      .with("target", to_string(target))
      .with("try", "reshape() or cast() on one of them");
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    case Reduction::none:
      break;
  }
  return losses;
}

Tensor absolute(const Tensor& x) { return relu(x) + relu(-x); }

Tensor binary_losses(const Tensor& logits, const Tensor& targets) {
  return logits.graph().add_one(BinaryCrossEntropy{}, {logits, targets});
}

/// x [N, C, spatial] with each pixel as the mean of the window around it along every axis, weighted
/// by a Gaussian; only where windows lie inside.
Tensor blurred(const Tensor& x, const SsimOptions& options) {
  Tensor y = x;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const int64_t side = std::min(options.window, (x.dim(axis) - 1) / 2 * 2 + 1);
    std::vector<double> weights;
    double all = 0;
    for (int64_t i = 0; i < side; ++i) {
      const double off = static_cast<double>(i - side / 2) / options.sigma;
      weights.push_back(std::exp(-off * off / 2));
      all += weights.back();
    }
    Array kernel(DType::f64, {x.dim(1), side});
    for (int64_t i = 0; i < kernel.numel(); ++i)
      kernel.set(i, weights[static_cast<size_t>(i % side)] / all);
    Shape shape{x.dim(1), 1};
    for (int a = 2; a < x.rank(); ++a) shape = shape.concat({a == axis ? side : 1});
    const Tensor weight = x.graph().constant(kernel.astype(x.dtype()).reshaped(shape));
    y = conv(y, weight, {}, {.groups = x.dim(1)});
  }
  return y;
}

}  // namespace

Types BinaryCrossEntropy::infer(const Types& in) const {
  require_inputs(name, in, 2);
  require_pair(name, in[0], in[1]);
  return like(in, 0);
}

Tensors BinaryCrossEntropy::gradient(const Node& node, const Tensors& dy) const {
  const Tensor x = node.input(0), t = node.input(1);
  return {dy[0] * (sigmoid(x) - t), -(dy[0] * x)};
}

void BinaryCrossEntropy::reference(const Views& v) const {
  const View &x = v.in[0], &t = v.in[1];
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double size = std::abs(x[i]), miss = x[i] > 0 ? 1 - t[i] : t[i];
    v.out[0][i] = size * miss + std::log1p(std::exp(-size));
  }
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  require_pair("mse_loss", x.type(), target.type());
  const Tensor d = x - target;
  return reduced(d * d, reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction) {
  require_pair("smooth_l1_loss", x.type(), target.type());
  if (!(beta >= 0)) {
    throw Error(ErrorKind::usage,
                fmt::format("smooth_l1_loss: beta is {}, must be at least 0", format_number(beta)));
  }
  const Tensor d = absolute(x - target);
  if (beta == 0) return reduced(d, reduction);
  // With m = min(d, beta) both branches are m (d - m / 2) / beta.
  const Tensor m = d - relu(d - beta);
  return reduced(m * (d - m * 0.5) / beta, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction) {
  return reduced(binary_losses(logits, targets), reduction);
}

Tensor focal_loss(const Tensor& logits, const Tensor& targets, const FocalOptions& options) {
  require_pair("focal_loss", logits.type(), targets.type());
  // For targets 0 and 1, log(1 - q) is minus the loss of the opposite target.
  const Tensor losses = binary_losses(logits, targets);
  const Tensor opposite = binary_losses(logits, 1.0 - targets);
  const Tensor weight = targets * (2 * options.alpha - 1) + (1 - options.alpha);
  return reduced(weight * exp(opposite * -options.gamma) * losses, options.reduction);
}

Tensor dice_loss(const Tensor& probabilities, const Tensor& targets, double smooth) {
  require_pair("dice_loss", probabilities.type(), targets.type());
  checked_axis("dice_loss", 1, probabilities.type());
  std::vector<int> pixels;
  for (int i = 2; i < probabilities.rank(); ++i) pixels.push_back(i);
  const Tensor both = sum(probabilities * targets, pixels);
  const Tensor either = sum(probabilities, pixels) + sum(targets, pixels);
  return mean(1.0 - (both * 2.0 + smooth) / (either + smooth));
}

Tensor kl_div(const Tensor& log_p, const Tensor& log_q) {
  require_pair("kl_div", log_p.type(), log_q.type());
  checked_axis("kl_div", 0, log_p.type());
  return sum(exp(log_q) * (log_q - log_p)) / static_cast<double>(log_p.dim(0));
}

Tensor ssim(const Tensor& x, const Tensor& y, const SsimOptions& options) {
  require_pair("ssim", x.type(), y.type());
  if (x.rank() < 3 || x.rank() > 5) {
    throw Error(ErrorKind::usage,
                "ssim: values [N, C, spatial] with 1 to 3 spatial axes are needed")
        .with("found", to_string(x.type()));
  }
  if (!(options.range > 0) || !(options.sigma > 0) || options.window < 1 || options.window % 2 == 0)
    throw Error(ErrorKind::usage,
                "ssim: range and sigma must be above 0, and the window an odd number")
        .with("found", fmt::format("range {}, sigma {}, window {}", format_number(options.range),
                                   format_number(options.sigma), options.window));
  const double c1 = std::pow(0.01 * options.range, 2), c2 = std::pow(0.03 * options.range, 2);
  const int64_t c = x.dim(1);
  const Tensors means =
      split(blurred(concat({x, y, x * x, y * y, x * y}, 1), options), {c, c, c, c, c}, 1);
  const Tensor &mx = means[0], &my = means[1];
  const Tensor xx = mx * mx, yy = my * my, xy = mx * my;
  const Tensor luminance = (2.0 * xy + c1) / (xx + yy + c1);
  const Tensor structure = (2.0 * (means[4] - xy) + c2) / (means[2] - xx + (means[3] - yy) + c2);
  std::vector<int> axes;
  for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
  return mean(luminance * structure, axes);
}

}  // namespace fovea
