#include "fovea/nn/norm.h"

#include "fovea/nn/init.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::nn {

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, const Options& options)
    : Module(scope),
      weight(affine("weight", channels, 1, options)),
      bias(affine("bias", channels, 0, options)),
      running_mean(at("running_mean"), {channels}, init::constant(0)),
      running_var(at("running_var"), {channels}, init::constant(1)),
      options_(options) {
  if (!options.frozen)
    num_batches_tracked.emplace(at("num_batches_tracked"), Shape{}, init::constant(0), DType::i64);
}

std::unique_ptr<Variable> BatchNorm::affine(std::string_view name, int64_t channels, double value,
                                            const Options& options) {
  if (!options.affine) return nullptr;
  const Scope scope = at(name);
  if (options.frozen)
    return std::make_unique<Buffer>(scope, Shape{channels}, init::constant(value));
  return std::make_unique<Parameter>(scope, Shape{channels}, init::constant(value));
}

Tensor BatchNorm::forward(Tensor x) const {
  const Tensor gamma = weight ? (*weight)(x) : Tensor(), beta = bias ? (*bias)(x) : Tensor();
  const Tensor mean = running_mean(x), var = running_var(x);
  if (x.graph().mode() == Mode::eval || frozen(x.graph())) {
    return batch_norm_eval(x, gamma, beta, mean, var, options_.eps);
  }
  // With a momentum of 1 the new statistics are the batch's own; the mean over all batches then
  // moves by its difference from them, divided by the number of batches.
  const Tensors results = batch_norm(
      x, gamma, beta, mean, var, {.eps = options_.eps, .momentum = options_.momentum.value_or(1)});
  const Tensor batches = increment((*num_batches_tracked)(x));
  const auto update = [&](const Buffer& buffer, const Tensor& old, const Tensor& batch) {
    buffer.update(options_.momentum ? batch : old + (batch - old) / cast(batches, old.dtype()));
  };
  update(running_mean, mean, results[1]);
  update(running_var, var, results[2]);
  num_batches_tracked->update(batches);
  return results[0];
}

bool BatchNorm::frozen(const Graph& graph) const {
  if (options_.frozen) return true;
  if (!weight) return graph.frozen(running_mean.name());
  return graph.frozen(weight->name()) && graph.frozen(bias->name());
}

LayerNorm::LayerNorm(const Scope& scope, const Shape& shape, const Options& options)
    : Module(scope), axes_(shape.rank()), eps_(options.eps) {
  if (!options.elementwise_affine) return;
  weight.emplace(at("weight"), shape, init::constant(1));
  if (options.bias) bias.emplace(at("bias"), shape, init::constant(0));
}

Tensor LayerNorm::forward(Tensor x) const {
  return layer_norm(x, optional_value(weight, x), optional_value(bias, x), axes_, eps_);
}

LayerNormChannels::LayerNormChannels(const Scope& scope, int64_t channels, const Options& options)
    : Module(scope), eps_(options.eps) {
  if (!options.elementwise_affine) return;
  weight.emplace(at("weight"), Shape{channels}, init::constant(1));
  if (options.bias) bias.emplace(at("bias"), Shape{channels}, init::constant(0));
}

Tensor LayerNormChannels::forward(Tensor x) const {
  return layer_norm_channels(x, optional_value(weight, x), optional_value(bias, x), eps_);
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
