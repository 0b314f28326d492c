#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/activation.h"

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
using SiLU = Function<silu>;
using Sigmoid = Function<sigmoid>;
using Tanh = Function<fovea::tanh>;

/// leaky_relu as a module.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(const Scope& scope, double slope = 0.01) : Module(scope), slope_(slope) {}
  Tensor forward(Tensor x) const override { return leaky_relu(x, slope_); }

 private:
  double slope_;
};

}  // namespace fovea::nn
