#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)), element by element, without overflow. Inputs:
/// x and t of one float type and shape.
struct BinaryCrossEntropy {
  static constexpr std::string_view name = "binary_cross_entropy_with_logits";
  static constexpr Traits traits{.elementwise = true, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// How the losses of all elements are combined.
enum class Reduction : uint8_t {
  mean,  ///< their mean, a scalar
  sum,   ///< their sum, a scalar
  none,  ///< not combined: the input's shape
};

/// Losses of predictions and targets of one float type and one shape: they never broadcast. Errors:
/// usage when types or shapes differ.

/// (x - target)^2.
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// With d = |x - target|: d^2 / (2 beta) where d < beta, else d - beta / 2; d itself if beta is 0.
/// Errors: also usage when beta is negative.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1,
                      Reduction reduction = Reduction::mean);

/// -t log p - (1 - t) log(1 - p), p = sigmoid(logits), targets t in [0, 1]. Never overflows.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction = Reduction::mean);

struct FocalOptions {
  double alpha = 0.25;  ///< weight of targets 1; those of targets 0 get 1 - alpha
  double gamma = 2;     ///< how strongly well-classified elements are down-weighted; 0: not at all
  Reduction reduction = Reduction::mean;
};
/// Binary focal loss (Lin et al. 2017): binary cross-entropy times (1 - q)^gamma, q the predicted
/// probability of the target, which is 0 or 1.
Tensor focal_loss(const Tensor& logits, const Tensor& targets, const FocalOptions& options = {});

/// The mean over N and C of 1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), sums over the
/// pixels of p and t [N, C, spatial]: p probabilities, t 0 or 1. Errors: also usage when there is
/// no axis 1.
Tensor dice_loss(const Tensor& probabilities, const Tensor& targets, double smooth = 1);

/// The mean over N of the sum of q (log q - log p), both given as logarithms (see log_softmax): p
/// the prediction, q the target. Errors: also usage for scalars.
Tensor kl_div(const Tensor& log_p, const Tensor& log_q);

struct SsimOptions {
  double range = 1;     ///< between the smallest and the largest value that there may be
  int64_t window = 11;  ///< pixels along each axis, odd; at most what the smaller side allows
  double sigma = 1.5;   ///< of the Gaussian in the window
};
/// Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from
/// error visibility to structural similarity", K1 = 0.01, K2 = 0.03) of x and y [N, C, spatial]: 1
/// for equal ones; the mean over the windows that lie inside and the channels of each sample, [N].
/// Errors: also usage when there are no spatial axes or more than 3, or an option is out of range.
Tensor ssim(const Tensor& x, const Tensor& y, const SsimOptions& options = {});

}  // namespace fovea
