#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// The elements in reverse order along some axes.
struct Flip {
  std::vector<int> axes;

  static void fields(auto& op, auto&& visit) { visit("axes", op.axes); }

  static constexpr std::string_view name = "flip";
  static constexpr Traits traits{.precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// x in reverse order along each of these axes (negative ones count from the end). Errors: usage
/// when there is no such axis.
Tensor flip(const Tensor& x, const std::vector<int>& axes);

}  // namespace fovea
