#include "fovea/ops/fold.h"

#include <fmt/format.h>

#include <cmath>

#include "fovea/ops/rules.h"

namespace fovea {

Types FoldBatchNorm::infer(const Types& in) const {
  require(in.size() == (bias ? 6u : 5u), fmt::format("fold_batchnorm has {} inputs", in.size()));
  return {in[0], in[1]};
}

void FoldBatchNorm::reference(const Views& v) const {
  const View &w = v.in[0], &gamma = v.in[1], &beta = v.in[2], &mean = v.in[3], &var = v.in[4];
  const int64_t outputs = gamma.numel(), each = outputs == 0 ? 0 : w.numel() / outputs;
  for (int64_t o = 0; o < outputs; ++o) {
    const double scale = gamma[o] / std::sqrt(var[o] + eps);
    for (int64_t i = o * each; i < (o + 1) * each; ++i) v.out[0][i] = scale * w[i];
    v.out[1][o] = beta[o] + scale * ((bias ? v.in[5][o] : 0) - mean[o]);
  }
}

}  // namespace fovea
