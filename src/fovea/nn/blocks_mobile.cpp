#include "fovea/nn/blocks_mobile.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::nn {
namespace {

int64_t at_least_one(const Scope& scope, const std::string& what, int64_t value) {
  if (value >= 1) return value;
  throw Error(ErrorKind::usage, fmt::format("{}={} must be at least 1", what, value))
      .at(scope.describe());
}

}  // namespace

SqueezeExcite::SqueezeExcite(const Scope& scope, int64_t channels, int64_t reduction)
    : Module(scope), excitation(at("excitation")) {
  const int64_t divisor = at_least_one(scope, "squeeze_excite: reduction", reduction);
  const int64_t hidden = std::max<int64_t>(channels / divisor, 1);
  excitation.add<Linear>(channels, hidden, LinearOptions{.bias = false});
  excitation.add<ReLU>();
  excitation.add<Linear>(hidden, channels, LinearOptions{.bias = false});
  excitation.add<Sigmoid>();
}

Tensor SqueezeExcite::forward(Tensor x) const {
  const Tensor scale = excitation(flatten(global_avg_pool(x)));
  return x * reshape(scale, {x.dim(0), x.dim(1), 1, 1});
}

MBConv::MBConv(const Scope& scope, int64_t in, int64_t out, const Options& options)
    : Module(scope),
      skip_(options.stride == 1 && in == out),
      conv(at("conv")),
      se(at("se"), in * at_least_one(scope, "mbconv: expansion", options.expansion),
         options.reduction),
      project(at("project")) {
  const int64_t hidden = in * options.expansion;
  if (options.expansion != 1) {
    conv.add<Conv2d>(in, hidden, ConvOptions{.kernel = 1, .bias = false});
    conv.add<BatchNorm2d>(hidden);
    conv.add<ReLU6>();
  }
  conv.add<Conv2d>(
      hidden, hidden,
      ConvOptions{
          .kernel = 3, .stride = options.stride, .padding = 1, .groups = hidden, .bias = false});
  conv.add<BatchNorm2d>(hidden);
  conv.add<ReLU6>();
  project.add<Conv2d>(hidden, out, ConvOptions{.kernel = 1, .bias = false});
  project.add<BatchNorm2d>(out);
}

Tensor MBConv::forward(Tensor x) const {
  const Tensor y = project(se(conv(x)));
  return skip_ ? y + x : y;
}

}  // namespace fovea::nn
