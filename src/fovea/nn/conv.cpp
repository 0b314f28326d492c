#include "fovea/nn/conv.h"

#include <fmt/format.h>

#include <cmath>

#include "fovea/core/error.h"
#include "fovea/nn/init.h"
#include "fovea/ops/conv.h"

namespace fovea::nn {
namespace {

/// Checks what the weight's shape alone cannot tell; `op` is "conv2d".
void require_channels(const Scope& scope, const std::string& op, int64_t in, int64_t out,
                      int64_t groups) {
  if (in < 1 || out < 1) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: {} input and {} output channels; at least 1 of each is needed", op,
                            in, out))
        .at(scope.describe());
  }
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: groups={} does not divide {} input and {} output channels", op,
                            groups, in, out))
        .at(scope.describe());
  }
}

/// [O, I/groups, kernel], or, transposed, [I, O/groups, kernel].
Shape weight_shape(const Scope& scope, int axes, int64_t in, int64_t out, const Dims& kernel,
                   int64_t groups, bool transposed) {
  const std::string op = fmt::format("{}{}d", (transposed ? "conv_transpose" : "conv"), axes);
  require_channels(scope, op, in, out, groups);
  const Shape channels = transposed ? Shape{in, out / groups} : Shape{out, in / groups};
  return channels.concat(Shape(kernel.expand(axes, op, "kernel")));
}

/// As in PyTorch: uniform in +-1 / sqrt(fan_in), fan_in being the size of one row of the weight.
Initializer bias_initializer(const Parameter& weight) {
  return init::uniform(1 / std::sqrt(static_cast<double>(weight.shape().slice(1).numel())));
}

}  // namespace

template <int Axes>
Conv<Axes>::Conv(const Scope& scope, int64_t in_channels, int64_t out_channels,
                 const Options& options)
    : Module(scope),
      weight(at("weight"),
             weight_shape(scope, Axes, in_channels, out_channels, options.kernel, options.groups,
                          false),
             init::kaiming_uniform()),
      options_(options) {
  if (options.bias) bias.emplace(at("bias"), Shape{out_channels}, bias_initializer(weight));
}

template <int Axes>
Tensor Conv<Axes>::forward(Tensor x) const {
  return conv(x, weight(x), optional_value(bias, x),
              {.stride = options_.stride,
               .padding = options_.padding,
               .dilation = options_.dilation,
               .groups = options_.groups,
               .padding_mode = options_.padding_mode,
               .padding_value = options_.padding_value});
}

template <int Axes>
ConvTranspose<Axes>::ConvTranspose(const Scope& scope, int64_t in_channels, int64_t out_channels,
                                   const Options& options)
    : Module(scope),
      weight(at("weight"),
             weight_shape(scope, Axes, in_channels, out_channels, options.kernel, options.groups,
                          true),
             init::kaiming_uniform()),
      options_(options) {
  if (options.bias) bias.emplace(at("bias"), Shape{out_channels}, bias_initializer(weight));
}

template <int Axes>
Tensor ConvTranspose<Axes>::forward(Tensor x) const {
  return conv_transpose(x, weight(x), optional_value(bias, x),
                        {.stride = options_.stride,
                         .padding = options_.padding,
                         .output_padding = options_.output_padding,
                         .dilation = options_.dilation,
                         .groups = options_.groups});
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

}  // namespace fovea::nn
