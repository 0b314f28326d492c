#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// How many bytes several caches may hold together.
class CacheLimit {
 public:
  explicit CacheLimit(int64_t bytes) : left_(bytes) {}
  /// Whether that many bytes are left; if so they are taken.
  bool take(int64_t bytes);
  /// From now on at most `bytes` more.
  void lower(int64_t bytes);

 private:
  std::atomic<int64_t> left_;
};

/// A split whose samples stay in memory once they have been read, as far as the limit allows: the
/// first ones that are asked for, and never more than one copy of each. Samples are the same as
/// without it.
class Cached : public DatasetView {
 public:
  /// `size`: as which inputs are read and kept, see Dataset::scaled_sample.
  Cached(std::shared_ptr<const Dataset> dataset, std::shared_ptr<CacheLimit> limit,
         MinimumSize size = {});

  Sample sample(int64_t i) const override { return scaled_sample(i, {}); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override;
  int64_t held_bytes() const override;

 private:
  std::shared_ptr<CacheLimit> limit_;
  MinimumSize minimum_;
  mutable std::mutex guard_;
  mutable std::vector<std::optional<Sample>> samples_;  ///< none: not read yet, or no room
  mutable int64_t held_ = 0;
};

}  // namespace fovea::data
