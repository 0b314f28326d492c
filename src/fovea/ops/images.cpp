#include "fovea/ops/images.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/ops/rules.h"

namespace fovea {
namespace {

std::string list_text(const std::vector<float>& values) {
  std::string text;
  for (float v : values) text += (text.empty() ? "" : ",") + format_number(v);
  return text;
}

int64_t white_of(DType dtype) { return dtype == DType::u16 ? 65535 : 255; }

}  // namespace

Types NormalizeImages::infer(const Types& in) const {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("normalize_images: {}", what))
        .with("input", to_string(x, x.rank() == 4 ? "NHWC" : ""));
  };
  if (!is_pixel(x.dtype) || x.rank() != 4) {
    throw fail(fmt::format("the input is {} with {}; u8 or u16 with N, H, W, C is expected",
                           fovea::name(x.dtype), axis_count(x.rank())));
  }
  const auto channels = static_cast<size_t>(x.dim(3));
  if (mean.size() != channels || std.size() != channels) {
    throw fail(fmt::format("images have {}, mean has {} and std {}",
                           counted(static_cast<int64_t>(channels), "channel"), mean.size(),
                           std.size()))
        .with("try", fmt::format("one number per channel, or images converted to {}",
                                 counted(std::ssize(mean), "channel")));
  }
  if (!std::all_of(std.begin(), std.end(), [](float s) { return s > 0; })) {
    throw fail(fmt::format("std is {}, must be above 0", list_text(std)));
  }
  if (white != white_of(x.dtype)) {
    throw fail(
        fmt::format("white is {}, but {} for {}", white, white_of(x.dtype), fovea::name(x.dtype)));
  }
  return {{out, {x.dim(0), x.dim(3), x.dim(1), x.dim(2)}}};
}

void NormalizeImages::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  const int64_t channels = y.dim(1), plane = y.shape.slice(2).numel();
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t n = i / (channels * plane), c = i / plane % channels, p = i % plane;
    const auto at = static_cast<size_t>(c);
    y[i] = (x[(n * plane + p) * channels + c] / static_cast<double>(white) - mean[at]) / std[at];
  }
}

Tensor normalize_images(const Tensor& images, const std::vector<float>& mean,
                        const std::vector<float>& std) {
  return images.graph().add_one(
      NormalizeImages{mean, std, white_of(images.dtype()), images.graph().dtype()}, {images});
}

}  // namespace fovea
