#pragma once

#include <cstdint>

namespace fovea {

/// The arithmetic of optimisers on flat arrays of n elements, in parallel; element i depends on
/// elements i only, so results do not depend on the number of threads. f32 runs on vectors, each
/// step rounded to f32; f64 is for checks. Arrays may have any alignment and must not overlap.

/// Stochastic gradient descent in PyTorch's order of steps:
///     g = grad_scale * grad + weight_decay * param                      (L2)
///     buffer = g at the first step, then momentum * buffer + (1 - dampening) * g
///     param -= lr * (nesterov ? g + momentum * buffer : buffer)
/// Without momentum, param -= lr * g.
struct SgdStep {
  double lr = 0;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  double dampening = 0;
  bool first_step = false;  ///< the buffer's contents do not count yet
  double grad_scale = 1;    ///< multiplies the gradient: clipping, loss scaling
};

/// `buffer` may be null when momentum is 0, and is then not used.
void sgd_update(float* param, const float* grad, float* buffer, int64_t n, const SgdStep& step);
void sgd_update(double* param, const double* grad, double* buffer, int64_t n, const SgdStep& step);

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), PyTorch's form:
///     g = grad_scale * grad;  param *= 1 - lr * weight_decay
///     m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
///     param -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
struct AdamWStep {
  double lr = 0;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  int64_t step = 1;  ///< counts from 1; m and v are 0 before the first
  double grad_scale = 1;
};

void adamw_update(float* param, const float* grad, float* m, float* v, int64_t n,
                  const AdamWStep& step);
void adamw_update(double* param, const double* grad, double* m, double* v, int64_t n,
                  const AdamWStep& step);

/// The sum of data[i]^2, squared and added in double by fixed chunks in a fixed order: the same
/// bits on any number of threads. NaN and infinities go through.
double sum_of_squares(const float* data, int64_t n);
double sum_of_squares(const double* data, int64_t n);

}  // namespace fovea
