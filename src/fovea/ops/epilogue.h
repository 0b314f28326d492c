#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "fovea/graph/graph.h"
#include "fovea/ops/activation.h"

namespace fovea {

/// One elementwise op that follows a product in the same pass over its output: an activation or,
/// without one, the addition of a residual.
struct EpilogueStep {
  std::optional<UnaryKind> activation;
  double alpha = 0;  ///< of the activation
};

/// The steps that follow a convolution or a linear layer. Each residual is a value of the output's
/// type; they are the last inputs, in order. Only passes set an epilogue, after gradients are
/// taken.
struct Epilogue {
  std::vector<int64_t> codes = {};  ///< a UnaryKind, or -1 for a residual
  std::vector<double> alphas = {};  ///< one for each

  static void fields(auto& epilogue, auto&& visit) {
    visit("epilogue", epilogue.codes, std::vector<int64_t>{});
    visit("alphas", epilogue.alphas, std::vector<double>(epilogue.codes.size(), 0));
  }

  bool empty() const { return codes.empty(); }
  size_t size() const { return codes.size(); }
  std::vector<EpilogueStep> steps() const;
  void append(const EpilogueStep& step);
  size_t residuals() const;

  /// Errors: internal when a step is unknown, or a residual of `op` is not of type y.
  void check(std::string_view op, const Types& in, const Type& y) const;
  /// Applies the steps to y.
  void reference(const Views& v) const;
};

}  // namespace fovea
