#pragma once

#include <vector>

#include "fovea/images/likeness.h"

namespace fovea::data {

/// Groups of pictures that look alike: the index of one, and those of later ones that look like it
/// and are in no other group. Their hashes differ in at most `distance` bits, 0 to 8, and their
/// correlation is at least `correlation`. In order of the first pictures. Hashes are compared only
/// where they agree in one of distance + 1 parts, as pairs that close must.
std::vector<std::vector<size_t>> near_duplicates(const std::vector<Likeness>& pictures,
                                                 int distance, double correlation);

}  // namespace fovea::data
