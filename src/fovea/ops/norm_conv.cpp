#include "fovea/ops/norm_conv.h"

#include <algorithm>

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Without mean, scale and beta, which begin at `mean` and are checked.
Types without_vectors(std::string_view op, const Types& in, size_t mean) {
  require_inputs(op, in, mean + 3);
  const Type& x = in[0];
  require_image(op, x);
  constexpr std::string_view names[] = {"mean", "scale", "beta"};
  for (size_t i = 0; i < 3; ++i)
    require_type(op, names[i], in[mean + i], {accumulate_dtype(x.dtype), {x.dim(1)}}, x);
  return {in.begin(), in.begin() + static_cast<std::ptrdiff_t>(mean)};
}

/// The reference of `op` on what the norm makes of the first input.
template <class Product>
void normalise_then(const BatchNormAgain& norm, size_t mean, const Product& op, const Views& v) {
  const View& x = v.in[0];
  std::vector<double> values(static_cast<size_t>(x.numel()));
  const View normalised{values.data(), x.shape};
  norm.reference({.in = {x, v.in[mean], v.in[mean + 1], v.in[mean + 2]}, .out = {normalised}});
  Views own{.in = {v.in.begin(), v.in.begin() + static_cast<std::ptrdiff_t>(mean)}, .out = v.out};
  own.in[0] = normalised;
  op.reference(own);
}

}  // namespace

Types NormConv::infer(const Types& in) const {
  require(normalises || !activation, "norm_conv: an activation without a norm");
  if (!normalises) require_inputs(name, in, mean_input());
  Types out = conv().infer(normalises ? without_vectors(name, in, mean_input()) : in);
  if (moments) out.resize(3, {accumulate_dtype(out[0].dtype), {out[0].dim(1)}});
  return out;
}

void NormConv::reference(const Views& v) const {
  if (normalises) {
    normalise_then(norm(), mean_input(), conv(), v);
  } else {
    conv().reference(v);
  }
  if (!moments) return;
  const View& y = v.out[0];
  const int64_t plane = y.shape.slice(2).numel(), channels = y.dim(1);
  const double count = static_cast<double>(y.dim(0) * plane);
  const auto average = [&](const View& to, const auto& value) {
    std::fill_n(to.data, channels, 0.0);
    for (int64_t i = 0; i < y.numel(); ++i) {
      const int64_t c = i / plane % channels;
      to[c] += value(i, c) / count;
    }
  };
  average(v.out[1], [&](int64_t i, int64_t) { return y[i]; });
  average(v.out[2], [&](int64_t i, int64_t c) {
    const double d = y[i] - v.out[1][c];
    return d * d;
  });
}

double NormConv::flops(const Types& in, const Types& out) const { return conv().flops(in, out); }

Types NormConvBackwardWeights::infer(const Types& in) const {
  return gradient_op().infer(without_vectors(name, in, mean_input()));
}
void NormConvBackwardWeights::reference(const Views& v) const {
  normalise_then(norm(), mean_input(), gradient_op(), v);
}
double NormConvBackwardWeights::flops(const Types& in, const Types& out) const {
  return gradient_op().flops(in, out);
}

}  // namespace fovea
