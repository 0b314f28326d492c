#include "fovea/ops/distance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/rules.h"

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

}  // namespace fovea
