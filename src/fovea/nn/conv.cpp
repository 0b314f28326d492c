#include "fovea/nn/conv.h"

#include <cmath>

#include "fovea/core/error.h"
#include "fovea/nn/init.h"
#include "fovea/ops/conv.h"

namespace fovea::nn {
namespace {

Shape weight_shape(const Scope& scope, int axes, int64_t in, int64_t out, const ConvOptions& o) {
  const std::string op = "conv" + std::to_string(axes) + "d: ";
  if (in < 1 || out < 1) {
    throw Error(ErrorKind::usage, op + std::to_string(in) + " input and " + std::to_string(out) +
                                      " output channels, at least 1 of each is needed")
        .with("at", scope.describe());
  }
  if (o.groups < 1 || in % o.groups != 0 || out % o.groups != 0) {
    throw Error(ErrorKind::usage, op + "groups=" + std::to_string(o.groups) + " does not divide " +
                                      std::to_string(in) + " input and " + std::to_string(out) +
                                      " output channels")
        .with("at", scope.describe());
  }
  return Shape{out, in / o.groups}.concat(Shape(o.kernel.expand(axes, op, "kernel")));
}

}  // namespace

template <int Axes>
Conv<Axes>::Conv(const Scope& scope, int64_t in_channels, int64_t out_channels,
                 const Options& options)
    : Module(scope),
      weight(at("weight"), weight_shape(scope, Axes, in_channels, out_channels, options),
             init::kaiming_uniform()),
      options_(options) {
  if (!options.bias) return;
  const double fan_in = static_cast<double>(weight.shape().slice(1).numel());
  bias.emplace(at("bias"), Shape{out_channels}, init::uniform(1 / std::sqrt(fan_in)));
}

template <int Axes>
Tensor Conv<Axes>::forward(Tensor x) const {
  return conv(x, weight(x), bias ? (*bias)(x) : Tensor(),
              {.stride = options_.stride,
               .padding = options_.padding,
               .dilation = options_.dilation,
               .groups = options_.groups});
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

}  // namespace fovea::nn
