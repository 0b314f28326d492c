#include "fovea/ops/epilogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea {

std::vector<EpilogueStep> Epilogue::steps() const {
  std::vector<EpilogueStep> steps;
  for (size_t i = 0; i < codes.size(); ++i) {
    EpilogueStep step{.activation = std::nullopt, .alpha = alphas[i]};
    if (codes[i] >= 0) step.activation = static_cast<UnaryKind>(codes[i]);
    steps.push_back(step);
  }
  return steps;
}

void Epilogue::append(const EpilogueStep& step) {
  codes.push_back(step.activation ? static_cast<int64_t>(*step.activation) : -1);
  alphas.push_back(step.alpha);
}

size_t Epilogue::residuals() const { return static_cast<size_t>(std::ranges::count(codes, -1)); }

void Epilogue::check(std::string_view op, const Types& in, const Type& y) const {
  const auto known = [](int64_t code) { return code >= -1 && code < unary_kinds; };
  require(alphas.size() == codes.size() && std::ranges::all_of(codes, known),
          fmt::format("{} has an unknown step in its epilogue", op));
  for (size_t i = in.size() - residuals(); i < in.size(); ++i) {
    require(in[i].shape == y.shape && in[i].dtype == y.dtype,
            fmt::format("{}'s residual and output have different types", op));
  }
}

void Epilogue::reference(const Views& v) const {
  const View& y = v.out[0];
  size_t next = v.in.size() - residuals();
  for (const EpilogueStep& step : steps()) {
    const View* residual = step.activation ? nullptr : &v.in[next++];
    for (int64_t i = 0; i < y.numel(); ++i) {
      y[i] = residual != nullptr ? y[i] + (*residual)[i]
                                 : unary_rule(*step.activation).f(y[i], step.alpha);
    }
  }
}

}  // namespace fovea
