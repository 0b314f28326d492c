#pragma once

#include "fovea/kernels/kernel.h"
#include "fovea/ops/norm.h"

namespace fovea::simd {

/// Nothing if kernels of norms have this activation.
std::optional<Refusal> unless_known(const NormEpilogue& epilogue);

/// Whether the activation takes no longer than to read or write a value: none, or a relu.
bool is_cheap(const NormEpilogue& epilogue);

/// Pools need adjacent channels. Nothing if x has them, or there is no pool; else what `make`
/// offers for channels-last values, with reorders.
std::optional<Offer> in_channels_last(const Problem& problem, const NormEpilogue& epilogue,
                                      Offer (*make)(const Problem&));

/// Of BatchNorm and its gradient with a pool: no plain ones. Without one, LayoutRule decides.
std::vector<Layouts> batch_norm_layouts(const Problem& problem);

}  // namespace fovea::simd
