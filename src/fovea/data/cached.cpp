#include "fovea/data/cached.h"

namespace fovea::data {
bool CacheLimit::take(int64_t bytes) {
  int64_t left = left_;
  while (left >= bytes) {
    if (left_.compare_exchange_weak(left, left - bytes)) return true;
  }
  return false;
}

void CacheLimit::lower(int64_t bytes) {
  int64_t left = left_;
  while (left > bytes && !left_.compare_exchange_weak(left, bytes)) {
  }
}

Cached::Cached(std::shared_ptr<const Dataset> dataset, std::shared_ptr<CacheLimit> limit,
               MinimumSize size)
    : DatasetView(std::move(dataset)),
      limit_(std::move(limit)),
      minimum_(size),
      samples_(static_cast<size_t>(dataset_->size())) {}

Sample Cached::scaled_sample(int64_t i, const MinimumSize& minimum) const {
  if (minimum != minimum_) return dataset_->scaled_sample(i, minimum);
  std::optional<Sample>& slot = samples_[static_cast<size_t>(i)];
  {
    const std::lock_guard lock(guard_);
    if (slot) return *slot;
  }
  Sample sample = dataset_->scaled_sample(i, minimum_);
  const auto bytes = static_cast<int64_t>(sample.input.bytes() + sample.target.bytes());
  const std::lock_guard lock(guard_);
  if (!slot && limit_->take(bytes)) {
    slot = sample;
    held_ += bytes;
  }
  return sample;
}

int64_t Cached::held_bytes() const {
  const std::lock_guard lock(guard_);
  return dataset_->held_bytes() + held_;
}

}  // namespace fovea::data
