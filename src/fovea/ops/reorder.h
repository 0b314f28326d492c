#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// The same values in another layout: inserted by the layout pass between kernels that use
/// different ones.
struct Reorder {
  static constexpr std::string_view name = "reorder";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::convolution};

  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  void reference(const Views& v) const;
};

}  // namespace fovea
