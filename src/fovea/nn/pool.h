#pragma once

#include <string>

#include "fovea/nn/module.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/upsample.h"

namespace fovea::nn {

/// The pooling functions of fovea/ops/pool.h as modules over `Axes` spatial axes: x [N, C,
/// spatial]. Errors, when traced: as of the function; usage when x has another number of axes.

/// `MaxPool2d(at("pool"), {.kernel = 3, .stride = 2})`, or just a size.
template <int Axes>
class MaxPool : public Module {
 public:
  using Options = PoolOptions;
  MaxPool(const Scope& scope, const Options& options) : Module(scope), options_(options) {}
  MaxPool(const Scope& scope, int64_t size) : MaxPool(scope, Options{.kernel = size}) {}
  Tensor forward(Tensor x) const override {
    require_spatial("max_pool" + std::to_string(Axes) + "d", x, Axes);
    return max_pool(x, options_);
  }

 private:
  Options options_;
};

using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;

template <int Axes>
class AvgPool : public Module {
 public:
  using Options = PoolOptions;
  AvgPool(const Scope& scope, const Options& options) : Module(scope), options_(options) {}
  AvgPool(const Scope& scope, int64_t size) : AvgPool(scope, Options{.kernel = size}) {}
  Tensor forward(Tensor x) const override {
    require_spatial("avg_pool" + std::to_string(Axes) + "d", x, Axes);
    return avg_pool(x, options_);
  }

 private:
  Options options_;
};

using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;

/// `AdaptiveAvgPool2d(at("avgpool"), 1)` is the global mean.
template <int Axes>
class AdaptiveAvgPool : public Module {
 public:
  AdaptiveAvgPool(const Scope& scope, const Dims& output) : Module(scope), output_(output) {}
  Tensor forward(Tensor x) const override {
    require_spatial("adaptive_avg_pool" + std::to_string(Axes) + "d", x, Axes);
    return adaptive_avg_pool(x, output_);
  }

 private:
  Dims output_;
};

using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

/// `AdaptiveMaxPool2d(at("maxpool"), 1)` is the global maximum.
template <int Axes>
class AdaptiveMaxPool : public Module {
 public:
  AdaptiveMaxPool(const Scope& scope, const Dims& output) : Module(scope), output_(output) {}
  Tensor forward(Tensor x) const override {
    require_spatial("adaptive_max_pool" + std::to_string(Axes) + "d", x, Axes);
    return adaptive_max_pool(x, output_);
  }

 private:
  Dims output_;
};

using AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
using AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
using AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

/// Each spatial size times `scale`, one number an axis or one for all: fovea::upsample as a module,
/// over 1 to 3 spatial axes.
class Upsample : public Module {
 public:
  using Options = UpsampleOptions;
  Upsample(const Scope& scope, const Dims& scale, const Options& options = {})
      : Module(scope), scale_(scale), options_(options) {}
  Tensor forward(Tensor x) const override { return upsample(x, scale_, options_); }

 private:
  Dims scale_;
  Options options_;
};

}  // namespace fovea::nn
