#include "fovea/kernels/simd/norm_rules.h"

#include "fovea/kernels/converted.h"

namespace fovea::simd {
namespace {

/// The layouts of a problem whose images have this one.
Layouts with_images(const Problem& problem, Layout layout) {
  const auto of = [&](const Types& types) {
    std::vector<Layout> result;
    for (const Type& type : types)
      result.push_back(type.rank() == problem.in[0].rank() ? layout : Layout::plain);
    return result;
  };
  return {of(problem.in), of(problem.out)};
}

}  // namespace

std::optional<Refusal> unless_known(const NormEpilogue& epilogue) {
  if (!epilogue.activation || follows_norm(*epilogue.activation)) return std::nullopt;
  return Refusal{"an activation that does not follow norms"};
}

bool is_cheap(const NormEpilogue& epilogue) {
  return !epilogue.activation || epilogue.activation == UnaryKind::relu ||
         epilogue.activation == UnaryKind::relu6;
}

std::optional<Offer> in_channels_last(const Problem& problem, const NormEpilogue& epilogue,
                                      Offer (*make)(const Problem&)) {
  if (epilogue.pool == 0 || problem.in[0].layout != Layout::plain) return std::nullopt;
  const Problem other = in_layouts(problem, with_images(problem, Layout::channels_last));
  Offer offer = make(other);
  if (std::holds_alternative<Refusal>(offer)) return offer;
  return converted(std::get<std::unique_ptr<Kernel>>(std::move(offer)), problem, other);
}

std::vector<Layouts> batch_norm_layouts(const Problem& problem) {
  const auto* forward = problem.op.as<BatchNorm>();
  const NormEpilogue& epilogue =
      forward != nullptr ? forward->epilogue : problem.op.get<BatchNormBackward>().epilogue;
  if (epilogue.pool == 0) return {};
  const Layout layout = problem.in[0].layout;
  return {with_images(problem, layout == Layout::plain ? Layout::channels_last : layout)};
}

}  // namespace fovea::simd
