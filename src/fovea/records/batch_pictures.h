#pragma once

#include "fovea/records/record.h"
#include "fovea/train/trainer.h"

namespace fovea::records {

/// How many of the first batches are kept as pictures, and how many samples of each.
constexpr int64_t kept_batches = 3, kept_samples = 16;

/// Pictures of the batch in training (see Trainer::batch), in the first epoch, as files in the
/// run's folder; none if its inputs are not pictures. What is mixed in the training step is mixed
/// here in the same way.
std::optional<BatchPictures> save_batch(train::Trainer& trainer);

}  // namespace fovea::records
