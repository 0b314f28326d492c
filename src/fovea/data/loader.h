#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "fovea/core/array.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/dataset.h"
#include "fovea/data/order.h"

namespace fovea::data {

struct LoaderOptions {
  int64_t batch = 128;     ///< samples per batch, at least 1
  bool drop_last = false;  ///< leave out the last batch of an epoch if it has fewer samples
  Sampling sampling = Sampling::in_order;  ///< from (seed, epoch)
  uint64_t seed = 0;
  int workers = 0;  ///< threads that load ahead, up to 256; 0 loads inside next() alone
  /// Random numbers come from (seed, epoch, sample, place): the steps of one place, before or after
  /// resizing, draw in order (see TransformContext).
  /// Its transforms of batches are for the training step: there are none here.
  Augmentation augment = {};
  /// Between augment.before and augment.after: resizes images for the net. May be null if no step
  /// frames.
  std::shared_ptr<const Transform> resize = {};
  int prefetch = 2;  ///< batches that each worker may load ahead, at least 1
};

/// The size that images may be decoded at for the steps up to resizing; {}: their own.
MinimumSize minimum_of(const LoaderOptions& options);

/// Loads a data set batch by batch, epoch by epoch; the last batch of an epoch holds the remaining
/// samples, or is left out with `drop_last` if it is smaller than `batch`. Batches, their order and
/// their bytes depend on the data set, batch, sampling, seed, augment and the epoch, never on
/// workers or prefetch. The samples of a batch are shared out among the workers and, while it
/// waits, the caller of next(). At most workers * prefetch batches wait in memory, and a batch's
/// buffer is reused once no handle refers to it. For one consumer: must not be called from several
/// threads at once.
///
///     LoaderOptions options{.batch = 128, .sampling = Sampling::shuffled, .workers = 1};
///     Loader loader(sets.train, options);
///     for (int64_t epoch = 0; epoch < 10; ++epoch) {
///       loader.start(epoch);
///       while (auto batch = loader.next()) train(*batch);
///     }
class Loader {
 public:
  /// Errors: usage for options out of range, transforms that do not fit the samples (a crop that
  /// could miss the images) or are for batches, or inputs that differ in size.
  Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Batches of an epoch: ceil(size / batch); floor(size / batch) with drop_last.
  int64_t batches() const;

  /// The types of one input and of one target in a batch.
  const Type& input() const { return input_; }
  const Type& target() const { return target_; }

  /// Begins epoch `epoch` (0 or more) at batch `first_batch`, as if earlier ones had been taken; at
  /// any time, dropping the rest of another epoch. Where it has got there already, what was loaded
  /// ahead is kept: an early call lets the workers begin early. Errors: usage when first_batch is
  /// not in [0, batches()]; memory when no thread can be created.
  void start(int64_t epoch, int64_t first_batch = 0);

  /// The next batch, or none at the end of the epoch. An exception in a worker is thrown here, when
  /// its batch's turn comes, and ends the epoch. Errors: usage before the first start.
  std::optional<Batch> next();

 private:
  class Pool;
  class Epoch;
  class Team;

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  SampleOrder order_;
  MinimumSize minimum_;                 ///< that images may be decoded at
  const Transform* stretch_ = nullptr;  ///< which says what is read of recordings, if any does
  std::optional<Type> resized_;         ///< what options_.resize makes, if any
  Type input_, target_;
  std::shared_ptr<Pool> pool_;
  std::unique_ptr<const Epoch> epoch_;
  std::unique_ptr<Team> team_;  // reads *epoch_: ends before it
  int64_t position_ = 0;
};

}  // namespace fovea::data
