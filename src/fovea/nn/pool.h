#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/pool.h"

namespace fovea::nn {

/// max_pool2d as a module: `MaxPool2d(at("pool"), {.kernel = 3, .stride = 2})`, or just a size.
class MaxPool2d : public Module {
 public:
  using Options = PoolOptions;
  MaxPool2d(const Scope& scope, const Options& options) : Module(scope), options_(options) {}
  MaxPool2d(const Scope& scope, int64_t size) : MaxPool2d(scope, Options{.kernel = size}) {}
  Tensor forward(Tensor x) const override { return max_pool2d(x, options_); }

 private:
  Options options_;
};

/// avg_pool2d as a module.
class AvgPool2d : public Module {
 public:
  using Options = PoolOptions;
  AvgPool2d(const Scope& scope, const Options& options) : Module(scope), options_(options) {}
  AvgPool2d(const Scope& scope, int64_t size) : AvgPool2d(scope, Options{.kernel = size}) {}
  Tensor forward(Tensor x) const override { return avg_pool2d(x, options_); }

 private:
  Options options_;
};

/// adaptive_avg_pool2d as a module: `AdaptiveAvgPool2d(at("avgpool"), 1)` is the global mean.
class AdaptiveAvgPool2d : public Module {
 public:
  AdaptiveAvgPool2d(const Scope& scope, const Dims& output) : Module(scope), output_(output) {}
  Tensor forward(Tensor x) const override { return adaptive_avg_pool2d(x, output_); }

 private:
  Dims output_;
};

}  // namespace fovea::nn
