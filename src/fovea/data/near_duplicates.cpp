#include "fovea/data/near_duplicates.h"

#include <algorithm>
#include <bit>

#include "fovea/core/error.h"

namespace fovea::data {
namespace {

/// The pictures sorted by one part of their hashes.
class HashPart {
 public:
  HashPart(const std::vector<Likeness>& pictures, int begin, int end)
      : shift_(begin),
        mask_(end - begin == 64 ? ~uint64_t{0} : (uint64_t{1} << (end - begin)) - 1) {
    for (size_t i = 0; i < pictures.size(); ++i) sorted_.push_back({pictures[i].hash, i});
    std::ranges::sort(sorted_, {}, [&](const Entry& e) { return std::pair(key(e.hash), e.index); });
  }

  /// Calls action(index) for the later pictures than `i` that have its part of the hash and whose
  /// hashes differ from it in at most `distance` bits.
  template <class Action>
  void visit(uint64_t hash, size_t i, int distance, const Action& action) const {
    const auto place = [&](const Entry& e) { return std::pair(key(e.hash), e.index); };
    auto at = std::ranges::upper_bound(sorted_, std::pair(key(hash), i), {}, place);
    for (; at != sorted_.end() && key(at->hash) == key(hash); ++at) {
      if (std::popcount(at->hash ^ hash) <= distance) action(at->index);
    }
  }

 private:
  struct Entry {
    uint64_t hash;
    size_t index;
  };
  uint64_t key(uint64_t hash) const { return hash >> shift_ & mask_; }

  int shift_;
  uint64_t mask_;
  std::vector<Entry> sorted_;
};

}  // namespace

std::vector<std::vector<size_t>> near_duplicates(const std::vector<Likeness>& pictures,
                                                 int distance, double limit) {
  require(distance >= 0 && distance <= 8, "near duplicates: the distance is 0 to 8 bits");
  std::vector<HashPart> parts;
  for (int k = 0; k <= distance; ++k)
    parts.emplace_back(pictures, 64 * k / (distance + 1), 64 * (k + 1) / (distance + 1));
  std::vector<bool> taken(pictures.size());
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (taken[i]) continue;
    std::vector<size_t> group{i};
    for (const HashPart& part : parts) {
      part.visit(pictures[i].hash, i, distance, [&](size_t other) {
        if (taken[other] || correlation(pictures[i], pictures[other]) < limit) return;
        taken[other] = true;
        group.push_back(other);
      });
    }
    if (group.size() < 2) continue;
    std::ranges::sort(group);
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace fovea::data
