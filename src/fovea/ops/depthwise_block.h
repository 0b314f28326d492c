#pragma once

#include "fovea/ops/conv.h"

namespace fovea {

/// A depthwise convolution with the convolutions of single pixels before and after it, one of which
/// may be missing, as in MobileNetV2's inverted residual (Sandler et al. 2018, arXiv 1801.04381,
/// figure 4d): one op, so that the many channels between them need not leave the caches. Only
/// the pass `fuse_depthwise` makes it, for inference.
///
/// Inputs: x [N, C, H, W], weight and bias of each convolution in their order, and what the last
/// epilogue adds; the others add nothing. All f32.
struct DepthwiseBlock {
  bool expands = false;        ///< a convolution of single pixels comes first
  bool projects = false;       ///< one comes last
  ConvGeometry geometry = {};  ///< of the depthwise one
  Shape kernel = {};           ///< of the depthwise one
  Epilogue expanded = {}, filtered = {}, projected = {};  ///< what follows each convolution

  static void fields(auto& op, auto&& visit) {
    const auto epilogue = [&](std::string_view codes, std::string_view alphas, auto& e) {
      visit(codes, e.codes, std::vector<int64_t>{});
      visit(alphas, e.alphas, std::vector<double>(e.codes.size(), 0));
    };
    visit("expands", op.expands, false);
    visit("projects", op.projects, false);
    visit.per_axis("kernel", op.kernel);
    ConvGeometry::fields(op.geometry, visit);
    epilogue("expanded", "expanded_alphas", op.expanded);
    epilogue("filtered", "filtered_alphas", op.filtered);
    epilogue("projected", "projected_alphas", op.projected);
  }

  static constexpr std::string_view name = "depthwise_block";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::convolution};

  /// Its convolutions in order: weight i is input 1 + 2 i, its bias follows.
  std::vector<Conv> convolutions() const;

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

}  // namespace fovea
