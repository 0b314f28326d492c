#pragma once

#include <string>

#include "fovea/nn/module.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/upsample.h"

namespace fovea::nn {

/// A pooling function of fovea/ops/pool.h as a module over `Axes` spatial axes, x [N, C, spatial]:
/// `MaxPool2d(at("pool"), {.kernel = 3, .stride = 2})`, or just a size. Errors, when traced: those
/// of the function; usage when x has a different number of axes.
template <int Axes, Tensor (*F)(const Tensor&, const PoolOptions&)>
class WindowPool : public Module {
 public:
  using Options = PoolOptions;
  WindowPool(const Scope& scope, const Options& options) : Module(scope), options_(options) {}
  WindowPool(const Scope& scope, int64_t size) : WindowPool(scope, Options{.kernel = size}) {}
  Tensor forward(Tensor x) const override {
    const char* name = F == max_pool ? "max_pool" : "avg_pool";
    require_spatial(name + std::to_string(Axes) + "d", x, Axes);
    return F(x, options_);
  }

 private:
  Options options_;
};

using MaxPool1d = WindowPool<1, max_pool>;
using MaxPool2d = WindowPool<2, max_pool>;
using MaxPool3d = WindowPool<3, max_pool>;
using AvgPool1d = WindowPool<1, avg_pool>;
using AvgPool2d = WindowPool<2, avg_pool>;
using AvgPool3d = WindowPool<3, avg_pool>;

/// The same for pooling to a given size; `AdaptiveAvgPool2d(at("avgpool"), 1)` pools globally.
template <int Axes, Tensor (*F)(const Tensor&, const Dims&)>
class AdaptivePool : public Module {
 public:
  AdaptivePool(const Scope& scope, const Dims& output) : Module(scope), output_(output) {}
  Tensor forward(Tensor x) const override {
    const char* name = F == adaptive_max_pool ? "adaptive_max_pool" : "adaptive_avg_pool";
    require_spatial(name + std::to_string(Axes) + "d", x, Axes);
    return F(x, output_);
  }

 private:
  Dims output_;
};

using AdaptiveAvgPool1d = AdaptivePool<1, adaptive_avg_pool>;
using AdaptiveAvgPool2d = AdaptivePool<2, adaptive_avg_pool>;
using AdaptiveAvgPool3d = AdaptivePool<3, adaptive_avg_pool>;
using AdaptiveMaxPool1d = AdaptivePool<1, adaptive_max_pool>;
using AdaptiveMaxPool2d = AdaptivePool<2, adaptive_max_pool>;
using AdaptiveMaxPool3d = AdaptivePool<3, adaptive_max_pool>;

/// Each spatial size times `scale`, one number per axis or one for all: fovea::upsample as a
/// module, over 1 to 3 spatial axes.
class Upsample : public Module {
 public:
  using Options = UpsampleOptions;
  Upsample(const Scope& scope, const Factors& scale, const Options& options = {})
      : Module(scope), scale_(scale), options_(options) {}
  Tensor forward(Tensor x) const override { return upsample(x, scale_, options_); }

 private:
  Factors scale_;
  Options options_;
};

}  // namespace fovea::nn
