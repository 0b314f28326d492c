#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Converts stored images, u8 or u16 [N, H, W, C], to a net's input: [N, C, H, W] of dtype `out`
/// with
///     y[n, c, h, w] = (x[n, h, w, c] / white - mean[c]) / std[c]
/// where `white` is the largest value of the input's dtype.
struct NormalizeImages {
  std::vector<float> mean, std;
  int64_t white = 255;
  DType out = DType::f32;

  static void fields(auto& op, auto&& visit) {
    visit("mean", op.mean);
    visit("std", op.std);
    visit("dtype", op.out);
    visit("white", op.white, int64_t{255});
  }

  static constexpr std::string_view name = "normalize_images";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The first op of a net: images u8 or u16 [N, H, W, C], mean and std of each channel on a scale of
/// 0 to 1; returns the graph's dtype. Errors: usage when the input is not such an image, mean or
/// std does not match the number of channels, or a std is not above 0.
Tensor normalize_images(const Tensor& images, const std::vector<float>& mean,
                        const std::vector<float>& std);

}  // namespace fovea
