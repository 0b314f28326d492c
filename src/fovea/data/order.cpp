#include "fovea/data/order.h"

#include <fmt/format.h>

#include <map>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

/// Samples that wait while a shard is read: far more than neighbours in a shard that belong
/// together, yet a window of a file that the system reads ahead.
constexpr size_t shuffle_window = 8192;

template <class Key>
std::vector<std::vector<int64_t>> grouped_by(int64_t size, const Key& key) {
  std::map<int64_t, std::vector<int64_t>> groups;
  for (int64_t i = 0; i < size; ++i) groups[key(i)].push_back(i);
  std::vector<std::vector<int64_t>> result;
  for (auto& [value, samples] : groups) result.push_back(std::move(samples));
  return result;
}

}  // namespace

Sampling parse_sampling(std::string_view text) {
  if (text == "shuffled") return Sampling::shuffled;
  if (text == "balanced") return Sampling::balanced;
  throw Error(ErrorKind::usage,
              fmt::format("--sampling: \"{}\" is neither shuffled nor balanced", printable(text)));
}

SampleOrder::SampleOrder(std::shared_ptr<const Dataset> dataset, Sampling sampling, uint64_t seed)
    : size_(dataset->size()), sampling_(sampling), seed_(seed) {
  if (sampling == Sampling::balanced) {
    if (dataset->targets().type != class_targets({}).type) {
      throw Error(ErrorKind::usage, "--sampling balanced needs classes")
          .with("targets", to_string(dataset->targets().type))
          .with("try", "--sampling shuffled");
    }
    groups_ = grouped_by(size_, [&](int64_t i) { return class_of(*dataset, i); });
  } else if (sampling == Sampling::shuffled && size_ > 0 && dataset->shard(0)) {
    groups_ = grouped_by(size_, [&](int64_t i) { return dataset->shard(i).value_or(0); });
  }
}

std::vector<int64_t> SampleOrder::epoch(uint64_t number) const {
  if (sampling_ == Sampling::balanced) return balanced(number);
  if (!groups_.empty()) return by_shards(number);
  if (sampling_ == Sampling::shuffled) return permutation(size_, seed_, "shuffle", number);
  std::vector<int64_t> order(static_cast<size_t>(size_));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

std::vector<int64_t> SampleOrder::balanced(uint64_t number) const {
  std::vector<int64_t> order(static_cast<size_t>(size_));
  Random random(seed_, "balanced sampling", number);
  for (int64_t& i : order) {
    const std::vector<int64_t>& samples = groups_[random.below(groups_.size())];
    i = samples[random.below(samples.size())];
  }
  return order;
}

/// The shards in random order; what is read from them passes through a window, from which samples
/// are drawn at random.
std::vector<int64_t> SampleOrder::by_shards(uint64_t number) const {
  std::vector<int64_t> order, window;
  order.reserve(static_cast<size_t>(size_));
  Random random(seed_, "shuffle window", number);
  for (const int64_t shard : permutation(std::ssize(groups_), seed_, "shards", number)) {
    for (const int64_t i : groups_[static_cast<size_t>(shard)]) {
      if (window.size() < shuffle_window) {
        window.push_back(i);
        continue;
      }
      int64_t& drawn = window[random.below(window.size())];
      order.push_back(drawn);
      drawn = i;
    }
  }
  for (size_t i = window.size(); i > 1; --i) std::swap(window[i - 1], window[random.below(i)]);
  order.insert(order.end(), window.begin(), window.end());
  return order;
}

}  // namespace fovea::data
