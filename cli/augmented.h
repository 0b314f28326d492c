#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/images/image.h"

namespace fovea::cli {

/// All samples, as one training batch of that epoch, as pictures after the transforms of `augment`
/// (see data::Augmentation::parse), those of batches included. Images of different sizes become
/// 112x112. Errors: usage when the inputs are not pictures of 8 bits, or a transform does not fit.
std::vector<Image> augmented(const std::shared_ptr<const data::Dataset>& samples,
                             const std::string& augment, uint64_t seed, int64_t epoch);

}  // namespace fovea::cli
