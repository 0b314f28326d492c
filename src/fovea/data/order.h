#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// Which samples of a split an epoch visits, and in which order.
enum class Sampling {
  in_order,  ///< as the data set has them
  shuffled,  ///< each once; shard by shard if the data set has shards (see Dataset::shard)
  /// As many draws as there are samples, with replacement: a class that has samples, each equally
  /// likely, then one of its samples.
  balanced,
};

/// --sampling: "shuffled" or "balanced". Errors: usage for any other word.
Sampling parse_sampling(std::string_view text);

/// The orders of all epochs of a split; each depends on the split, the seed and the epoch only.
class SampleOrder {
 public:
  /// Errors: usage for balanced sampling when targets are not classes.
  SampleOrder(std::shared_ptr<const Dataset> dataset, Sampling sampling, uint64_t seed);

  /// The index of each sample, in the order of the epoch; as many as the split has samples.
  std::vector<int64_t> epoch(uint64_t number) const;

 private:
  std::vector<int64_t> balanced(uint64_t number) const;
  std::vector<int64_t> by_shards(uint64_t number) const;

  int64_t size_;
  Sampling sampling_;
  uint64_t seed_;
  /// The samples of each class for balanced sampling, or of each shard; those without are left out.
  std::vector<std::vector<int64_t>> groups_;
};

}  // namespace fovea::data
