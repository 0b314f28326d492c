#include "fovea/ops/fold.h"

#include <cmath>

#include "fovea/ops/rules.h"

namespace fovea {

Types FoldBatchNorm::infer(const Types& in) const {
  require_inputs(name, in, bias ? 6 : 5);
  return {in[0], in[1]};
}

Tensors FoldBatchNorm::gradient(const Node& node, const Tensors& dy) const {
  const auto given = [&](size_t output) {
    if (dy[output]) return dy[output];
    const Type& type = node.graph->value(node.outputs[output]).type;
    return node.graph->constant(Array::zeros(type.dtype, type.shape));
  };
  Tensors in{node.input(0), node.input(1), node.input(3), node.input(4), given(0), given(1)};
  if (bias) in.push_back(node.input(5));
  const Tensors back = node.graph->add(FoldBatchNormBackward{.eps = eps, .bias = bias}, in);
  Tensors result{back[0], back[1], back[2], {}, {}};
  if (bias) result.push_back(back[3]);
  return result;
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

Types FoldBatchNormBackward::infer(const Types& in) const {
  require_inputs(name, in, bias ? 7 : 6);
  const Type weight{in[0].dtype, in[0].shape}, vector{in[1].dtype, in[1].shape};
  Types out{weight, vector, vector};
  if (bias) out.push_back(vector);
  return out;
}

void FoldBatchNormBackward::reference(const Views& v) const {
  const View &w = v.in[0], &gamma = v.in[1], &mean = v.in[2], &var = v.in[3], &dw = v.in[4],
             &db = v.in[5];
  const int64_t outputs = gamma.numel(), each = outputs == 0 ? 0 : w.numel() / outputs;
  for (int64_t o = 0; o < outputs; ++o) {
    const double rstd = 1 / std::sqrt(var[o] + eps), scale = gamma[o] * rstd;
    double sum = ((bias ? v.in[6][o] : 0) - mean[o]) * db[o];
    for (int64_t i = o * each; i < (o + 1) * each; ++i) {
      v.out[0][i] = scale * dw[i];
      sum += w[i] * dw[i];
    }
    v.out[1][o] = rstd * sum;
    v.out[2][o] = db[o];
    if (bias) v.out[3][o] = scale * db[o];
  }
}

}  // namespace fovea
