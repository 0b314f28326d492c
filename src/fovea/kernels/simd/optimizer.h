#pragma once

#include <cstdint>

namespace fovea::simd {

/// The parameter updates of optim/, over whole arrays at once: each array is read and written once,
/// on all threads. Element by element, so the bits do not depend on the number of threads.

/// g = grad_scale grad + weight_decay p;  b = momentum b + g;  p -= lr (nesterov ? g + momentum b :
/// b)
struct SgdStep {
  double lr = 0, momentum = 0, weight_decay = 0;
  bool nesterov = false;
  double grad_scale = 1;
};
/// `buffer` is the b of each element, or null without momentum.
void sgd_update(float* param, const float* grad, float* buffer, int64_t n, const SgdStep& step);
void sgd_update(double* param, const double* grad, double* buffer, int64_t n, const SgdStep& step);

/// p -= lr weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
/// p -= lr / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  int64_t step = 1;
  double grad_scale = 1;
};
void adamw_update(float* param, const float* grad, float* m, float* v, int64_t n,
                  const AdamWStep& step);
void adamw_update(double* param, const double* grad, double* m, double* v, int64_t n,
                  const AdamWStep& step);

/// Sum of squares, chunks of 4096 in f32 vectors and then in float64, in order: the same bits for
/// any number of threads (not for every instruction set).
double sum_of_squares(const float* data, int64_t n);
double sum_of_squares(const double* data, int64_t n);

}  // namespace fovea::simd
