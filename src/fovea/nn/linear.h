#pragma once

#include <optional>

#include "fovea/nn/module.h"

namespace fovea::nn {

struct LinearOptions {
  bool bias = true;
};

/// y = x weight^T + bias over the last axis: x [..., in] gives [..., out]; weight [out, in], bias
/// [out]. Both are initialised uniformly in +-1 / sqrt(in), as in PyTorch.
class Linear : public Module {
 public:
  using Options = LinearOptions;

  /// Errors: usage when a feature count is below 1.
  Linear(const Scope& scope, int64_t in_features, int64_t out_features,
         const Options& options = {});
  Tensor forward(Tensor x) const override;

  Parameter weight;
  std::optional<Parameter> bias;
};

}  // namespace fovea::nn
