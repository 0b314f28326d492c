#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Converts stored images, u8[N, H, W, C], to a net's input: [N, C, H, W] of dtype `out` with
///     y[n, c, h, w] = (x[n, h, w, c] / 255 - mean[c]) / std[c]
struct NormalizeImages {
  std::vector<float> mean, std;
  DType out = DType::f32;

  static void fields(auto& op, auto&& visit) {
    visit("mean", op.mean);
    visit("std", op.std);
    visit("dtype", op.out);
  }

  static constexpr std::string_view name = "normalize_images";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The first op of a net: images u8[N, H, W, C], mean and std of each channel on a scale of 0 to 1;
/// returns the graph's dtype. Errors: usage when the input is not a u8 image, mean or std does not
/// match the number of channels, or a std is not above 0.
Tensor normalize_images(const Tensor& images, const std::vector<float>& mean,
                        const std::vector<float>& std);

}  // namespace fovea
