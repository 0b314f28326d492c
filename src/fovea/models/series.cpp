#include "fovea/models/series.h"

#include "fovea/core/error.h"
#include "fovea/ops.h"

namespace fovea::models {

Argument masked() {
  return {.name = "masked",
          .type = ArgumentType::flag,
          .default_value = false,
          .help = "the last channel of series says which positions are not padding: 1, not 0"};
}

int64_t series_channels(const Config& config) {
  if (!config.choices.flag("masked")) return config.input[0];
  if (config.input[0] >= 2) return config.input[0] - 1;
  throw Error(ErrorKind::usage, "masked: the last channel is the mask, and there is no other")
      .with("input", to_string(config.input));
}

Series::Series(const Tensor& input, bool masked) : x(input) {
  if (!masked) return;
  const int64_t channels = input.dim(1) - 1;
  mask = slice(input, 1, channels, channels + 1);
  x = kept(slice(input, 1, 0, channels));
}

Tensor Series::kept(const Tensor& y) const { return mask ? y * mask : y; }

Tensor Series::mean(const Tensor& y) const {
  if (!mask) return flatten(global_avg_pool(y));
  return sum(y, {2}) / maximum(sum(mask, {2}), 1);
}

SeriesConvNorm::SeriesConvNorm(const nn::Scope& s, int64_t in, int64_t out, int64_t kernel,
                               bool bias)
    : Module(s),
      conv(at("conv"), in, out, {.kernel = kernel, .padding = "same", .bias = bias}),
      bn(at("bn"), out) {}

Tensor SeriesConvNorm::forward(const Tensor& x, const Tensor& mask) const {
  return nn::call(bn, conv(x), mask);
}

}  // namespace fovea::models
