#pragma once

#include "fovea/nn/init.h"
#include "fovea/nn/module.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/loss.h"

namespace fovea::nn {

/// A function of one Tensor as a module, for Sequential.
template <Tensor (*F)(const Tensor&)>
class Function : public Module {
 public:
  explicit Function(const Scope& scope) : Module(scope) {}
  Tensor forward(Tensor x) const override { return F(x); }
};

using ReLU = Function<relu>;
using ReLU6 = Function<relu6>;
using GELU = Function<gelu>;
using GELUTanh = Function<gelu_tanh>;
using SiLU = Function<silu>;
using Mish = Function<mish>;
using Sigmoid = Function<sigmoid>;
using Tanh = Function<fovea::tanh>;
using Hardsigmoid = Function<hardsigmoid>;
using Hardswish = Function<hardswish>;

/// leaky_relu as a module.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(const Scope& scope, double slope = 0.01) : Module(scope), slope_(slope) {}
  Tensor forward(Tensor x) const override { return leaky_relu(x, slope_); }

 private:
  double slope_;
};

/// elu as a module.
class ELU : public Module {
 public:
  explicit ELU(const Scope& scope, double alpha = 1) : Module(scope), alpha_(alpha) {}
  Tensor forward(Tensor x) const override { return elu(x, alpha_); }

 private:
  double alpha_;
};

/// A leaky relu whose slope below 0 is learned (He et al. 2015): one slope, or one per channel of x
/// [N, C, ...]; `weight` [1] or [channels] starts at `slope`.
class PReLU : public Module {
 public:
  explicit PReLU(const Scope& scope, int64_t channels = 1, double slope = 0.25)
      : Module(scope), weight(at("weight"), {channels}, init::constant(slope)) {}
  Tensor forward(Tensor x) const override { return prelu(x, weight(x)); }

  Parameter weight;
};

/// softmax along an axis as a module.
class Softmax : public Module {
 public:
  explicit Softmax(const Scope& scope, int axis = 1) : Module(scope), axis_(axis) {}
  Tensor forward(Tensor x) const override { return softmax(x, axis_); }

 private:
  int axis_;
};

/// log_softmax along an axis as a module.
class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(const Scope& scope, int axis = 1) : Module(scope), axis_(axis) {}
  Tensor forward(Tensor x) const override { return log_softmax(x, axis_); }

 private:
  int axis_;
};

}  // namespace fovea::nn
