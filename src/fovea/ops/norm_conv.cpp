#include "fovea/ops/norm_conv.h"

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Without mean, scale and beta, which begin at `mean` and are checked.
Types without_vectors(std::string_view op, const Types& in, size_t mean) {
  require_inputs(op, in, mean + 3);
  const Type& x = in[0];
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
  return conv().infer(without_vectors(name, in, mean_input()));
}
void NormConv::reference(const Views& v) const { normalise_then(norm(), mean_input(), conv(), v); }
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
