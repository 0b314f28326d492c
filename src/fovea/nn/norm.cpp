#include "fovea/nn/norm.h"

#include "fovea/nn/init.h"
#include "fovea/ops/arithmetic.h"

namespace fovea::nn {

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, const Options& options)
    : Module(scope),
      weight(at("weight"), {channels}, init::constant(1)),
      bias(at("bias"), {channels}, init::constant(0)),
      running_mean(at("running_mean"), {channels}, init::constant(0)),
      running_var(at("running_var"), {channels}, init::constant(1)),
      num_batches_tracked(at("num_batches_tracked"), {}, init::constant(0), DType::i64),
      options_(options) {}

Tensor BatchNorm::forward(Tensor x) const {
  if (x.graph().frozen(weight.name()) && x.graph().frozen(bias.name())) {
    return batch_norm_eval(x, weight(x), bias(x), running_mean(x), running_var(x), options_.eps);
  }
  const Tensors results =
      batch_norm(x, weight(x), bias(x), running_mean(x), running_var(x), options_);
  if (x.graph().mode() == Mode::train) {
    running_mean.update(results[1]);
    running_var.update(results[2]);
    num_batches_tracked.update(increment(num_batches_tracked(x)));
  }
  return results[0];
}

LayerNorm::LayerNorm(const Scope& scope, const Shape& shape, double eps)
    : Module(scope),
      weight(at("weight"), shape, init::constant(1)),
      bias(at("bias"), shape, init::constant(0)),
      eps_(eps) {}

Tensor LayerNorm::forward(Tensor x) const {
  return layer_norm(x, weight(x), bias(x), weight.shape().rank(), eps_);
}

LayerNormChannels::LayerNormChannels(const Scope& scope, int64_t channels, double eps)
    : Module(scope),
      weight(at("weight"), {channels}, init::constant(1)),
      bias(at("bias"), {channels}, init::constant(0)),
      eps_(eps) {}

Tensor LayerNormChannels::forward(Tensor x) const {
  return layer_norm_channels(x, weight(x), bias(x), eps_);
}

GroupNorm::GroupNorm(const Scope& scope, int64_t groups, int64_t channels, const Options& options)
    : Module(scope), groups_(groups), options_(options) {
  if (!options.affine) return;
  weight.emplace(at("weight"), Shape{channels}, init::constant(1));
  bias.emplace(at("bias"), Shape{channels}, init::constant(0));
}

Tensor GroupNorm::forward(Tensor x) const {
  return group_norm(x, groups_, optional_value(weight, x), optional_value(bias, x), options_.eps);
}

InstanceNorm::InstanceNorm(const Scope& scope, int64_t channels, const Options& options)
    : Module(scope), options_(options) {
  if (!options.affine) return;
  weight.emplace(at("weight"), Shape{channels}, init::constant(1));
  bias.emplace(at("bias"), Shape{channels}, init::constant(0));
}

Tensor InstanceNorm::forward(Tensor x) const {
  return instance_norm(x, optional_value(weight, x), optional_value(bias, x), options_.eps);
}

GlobalResponseNorm::GlobalResponseNorm(const Scope& scope, int64_t channels, double eps)
    : Module(scope),
      weight(at("weight"), {channels}, init::constant(0)),
      bias(at("bias"), {channels}, init::constant(0)),
      eps_(eps) {}

Tensor GlobalResponseNorm::forward(Tensor x) const {
  return global_response_norm(x, weight(x), bias(x), eps_);
}

LayerScale::LayerScale(const Scope& scope, int64_t channels, double value)
    : Module(scope), gamma(at("gamma"), {channels}, init::constant(value)) {}

Tensor LayerScale::forward(Tensor x) const { return layer_scale(x, gamma(x)); }

}  // namespace fovea::nn
