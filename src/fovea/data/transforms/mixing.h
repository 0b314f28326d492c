#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "fovea/data/transform.h"

// Tools for mixing the samples of a batch.
namespace fovea::data {

/// A draw of Beta(alpha, alpha).
double random_share(double alpha, Random& random);

/// For each of `count` samples its random partner.
std::vector<size_t> random_partners(int64_t count, Random& random);

/// The type of mixed targets: classes become f32[K], the share of each; numbers stay. Errors:
/// usage, naming `who`, for others.
Targets mixable(std::string_view who, const Targets& targets);

/// The batch's targets in the type of `mixable`, each share * itself + (1 - share) * its partner's.
Array mixed_targets(const Array& given, const Targets& targets, const std::vector<size_t>& partners,
                    float share);

/// Each row of `array` likewise: u8 (rounded) or f32.
Array mixed(const Array& array, const std::vector<size_t>& partners, float share);

}  // namespace fovea::data
