#include "fovea/nn/linear.h"

#include <fmt/format.h>

#include <cmath>

#include "fovea/core/error.h"
#include "fovea/nn/init.h"
#include "fovea/ops/linear.h"

namespace fovea::nn {
namespace {

Shape weight_shape(const Scope& scope, int64_t in, int64_t out) {
  if (in < 1 || out < 1) {
    throw Error(ErrorKind::usage,
                fmt::format("linear: {} input and {} output features; at least 1 of each is needed",
                            in, out))
        .at(scope.describe());
  }
  return {out, in};
}

}  // namespace

Linear::Linear(const Scope& scope, int64_t in_features, int64_t out_features,
               const Options& options)
    : Module(scope),
      weight(at("weight"), weight_shape(scope, in_features, out_features),
             init::kaiming_uniform()) {
  if (!options.bias) return;
  bias.emplace(at("bias"), Shape{out_features},
               init::uniform(1 / std::sqrt(static_cast<double>(in_features))));
}

Tensor Linear::forward(Tensor x) const { return linear(x, weight(x), optional_value(bias, x)); }

}  // namespace fovea::nn
