#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "fovea/runtime/state.h"

namespace fovea::optim {

/// What one update needs to know.
struct Update {
  /// Learning rate, 0 or more: to be given.
  double lr = std::numeric_limits<double>::quiet_NaN();
  double gradient_scale = 1;  ///< multiplies every gradient first (clipping)
  /// What `lr` is multiplied by for a parameter of this name; empty: 1 for all.
  std::function<double(std::string_view parameter)> lr_scale = {};
};

/// The second half of a training step: moves each parameter of a State by its gradient ("grad:" +
/// name, see autodiff.h). It keeps nothing itself: moments and counts of updates are State arrays,
/// so a checkpoint of the State holds everything.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Makes the moments of every parameter known to the State, starting at zero. Once, before the
  /// first update.
  virtual void declare(State& state) const = 0;
  /// Parameters without a gradient stay exactly as they are, and so do their moments. Denormals are
  /// zero meanwhile: moments that fade vanish. Errors: usage when `lr` is missing, negative or not
  /// finite, or when moments were not declared.
  void update(State& state, const Update& update) const;
  /// The text that `parse` reads back: "sgd:0.9".
  virtual std::string text() const = 0;

 protected:
  /// Moves one parameter by `gradient` times `gradient_scale`, at the rate `lr`.
  virtual void step(State& state, const std::string& parameter, const Array& gradient, double lr,
                    double gradient_scale) const = 0;
};

/// Which parameters weight decay pulls on.
enum class Decay : uint8_t {
  all,      ///< every parameter, as PyTorch does
  weights,  ///< only arrays of two axes and more: not norms' scales and shifts, not biases
};

/// Stochastic gradient descent (Sutskever et al. 2013), as PyTorch's SGD:
///     g = grad + weight_decay p;   b = momentum b + g;   p -= lr (nesterov ? g + momentum b : b)
struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2, added to the gradient
  Decay decay = Decay::all;
};
std::unique_ptr<Optimizer> sgd(const SgdOptions& options);

/// AdamW (Loshchilov & Hutter 2019), as PyTorch's: decay is decoupled from the gradient,
///     p -= lr weight_decay p;   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///     p -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
/// where t counts the updates of that parameter: one that was frozen at first starts at 1.
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;
  Decay decay = Decay::all;
};
std::unique_ptr<Optimizer> adamw(const AdamWOptions& options);

/// Reads the text of --optimizer, `sgd[:MOMENTUM]`, `nesterov[:MOMENTUM]` (momentum 0.9 by default)
/// or `adamw`, and of
/// --weight-decay, `X` or `X:weights` (norms and biases are left alone). Errors: usage, listing
/// what there is.
std::unique_ptr<Optimizer> parse(std::string_view optimizer, std::string_view weight_decay);

/// The norm of all gradients together, sqrt(sum of squares); the same bits for every number of
/// threads. Not finite where a gradient is not: worth a look before each update, since one NaN that
/// reaches the weights cannot be undone.
double gradient_norm(State& state);

/// What to scale gradients by so that their norm is at most `max_norm`: min(1, max_norm / (norm +
/// 1e-6)), PyTorch's clip_grad_norm_; NaN for a norm that is NaN.
double clip_scale(double norm, double max_norm);

}  // namespace fovea::optim
