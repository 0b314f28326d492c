#include "fovea/nn/norm.h"

#include "fovea/nn/init.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/rules.h"
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
  update(results[1], results[2]);
  return results[0];
}

Tensor BatchNorm::forward(const Tensor& x, const Tensor& mask) const {
  if (!mask || x.graph().mode() == Mode::eval || frozen(x.graph())) return forward(x);
  const Tensor count = maximum(sum(mask, {0, 2}, true), 1);  // [1, 1, 1]
  const Tensor mean = sum(x * mask, {0, 2}, true) / count;   // [1, C, 1]
  const Tensor centered = (x - mean) * mask;
  const Tensor var = sum(centered * centered, {0, 2}, true) / count;
  Tensor y = centered / sqrt(var + options_.eps);
  if (weight) y = y * per_channel((*weight)(x), x) + per_channel((*bias)(x), x);
  const double momentum = options_.momentum.value_or(1);
  const auto moved = [&](const Buffer& buffer, const Tensor& batch) {
    const Tensor old = buffer(x);
    return (1 - momentum) * old + momentum * cast(reshape(batch, old.shape()), old.dtype());
  };
  update(moved(running_mean, mean),
         moved(running_var, var * (count / maximum(count - 1, 1))));  // unbiased
  return y;
}

/// After a batch: `mean` and `var` are the new running statistics or, without a momentum, those of
/// the batch.
void BatchNorm::update(const Tensor& mean, const Tensor& var) const {
  const Tensor batches = increment((*num_batches_tracked)(mean));
  const auto replace = [&](const Buffer& buffer, const Tensor& batch) {
    const Tensor old = buffer(batch);
    buffer.update(options_.momentum ? batch : old + (batch - old) / cast(batches, old.dtype()));
  };
  replace(running_mean, mean);
  replace(running_var, var);
  num_batches_tracked->update(batches);
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
