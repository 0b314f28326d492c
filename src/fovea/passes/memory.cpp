#include "fovea/passes/memory.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "fovea/core/array.h"

namespace fovea {
namespace {

/// Indices of blocks, in the order in which they are placed.
using Order = std::vector<size_t>;

/// Places blocks in that order, each at the lowest offset that is free during its lifetime. Returns
/// the arena's size.
size_t place(std::vector<Block>& blocks, const Order& order) {
  std::vector<const Block*> placed;  // by offset
  size_t total = 0;
  for (const size_t index : order) {
    Block& block = blocks[index];
    size_t offset = 0;
    for (const Block* other : placed) {
      if (other->last < block.first || block.last < other->first) continue;
      if (other->offset >= offset + block.bytes) break;  // the gap before it is large enough
      offset = std::max(offset, other->offset + other->bytes);
    }
    block.offset = offset;
    total = std::max(total, offset + block.bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &block,
                         [](const Block* a, const Block* b) { return a->offset < b->offset; }),
        &block);
  }
  return total;
}

size_t largest_live(const std::vector<Block>& blocks) {
  std::vector<std::pair<int, int64_t>> events;  // step, change in live bytes
  for (const Block& block : blocks) {
    events.emplace_back(block.first, static_cast<int64_t>(block.bytes));
    events.emplace_back(block.last + 1, -static_cast<int64_t>(block.bytes));
  }
  std::sort(events.begin(), events.end());  // within a step, ends come before beginnings
  int64_t live = 0, largest = 0;
  for (const auto& [step, change] : events) {
    live += change;
    largest = std::max(largest, live);
  }
  return static_cast<size_t>(largest);
}

/// The most bytes that are live at once during each block's lifetime.
std::vector<size_t> crowding(const std::vector<Block>& blocks) {
  int end = 0;
  for (const Block& block : blocks) end = std::max(end, block.last + 1);
  std::vector<size_t> live(static_cast<size_t>(end), 0), result;
  for (const Block& block : blocks) {
    for (int t = block.first; t <= block.last; ++t) live[static_cast<size_t>(t)] += block.bytes;
  }
  for (const Block& block : blocks)
    result.push_back(*std::max_element(live.begin() + block.first, live.begin() + block.last + 1));
  return result;
}

/// Moves the blocks at the end of the arena to the front of the order.
void promote(const std::vector<Block>& blocks, size_t total, Order& order) {
  std::stable_partition(order.begin(), order.end(),
                        [&](size_t i) { return blocks[i].offset + blocks[i].bytes == total; });
}

/// The greedy orders to try first.
std::vector<Order> greedy_orders(const std::vector<Block>& blocks) {
  const std::vector<size_t> crowded = crowding(blocks);
  const auto life = [&](size_t i) { return blocks[i].last - blocks[i].first; };
  const auto bytes = [&](size_t i) { return blocks[i].bytes; };
  std::vector<Order> result;
  const auto add = [&](const auto& key) {  // the largest key first
    Order order(blocks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return key(b) < key(a); });
    result.push_back(std::move(order));
  };
  add([&](size_t i) { return std::pair(bytes(i), life(i)); });
  add([&](size_t i) { return std::pair(life(i), bytes(i)); });
  add([&](size_t i) { return std::tuple(crowded[i], bytes(i), life(i)); });
  add([&](size_t i) { return std::tuple(crowded[i], life(i), bytes(i)); });
  add([&](size_t i) { return -blocks[i].first; });
  add([&](size_t i) { return blocks[i].last; });
  return result;
}

}  // namespace

MemoryPlan plan_memory(std::vector<Block>& blocks) {
  constexpr int rounds = 24;  // of promotion, for each greedy order
  for (Block& block : blocks) block.bytes = align_up(block.bytes);
  MemoryPlan plan{.lower_bound = largest_live(blocks)};
  std::vector<Block> best;
  const auto good = [&](size_t bytes) {
    return bytes <= plan.lower_bound + plan.lower_bound / 100;
  };
  for (Order& order : greedy_orders(blocks)) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<Block> attempt = blocks;
      const size_t bytes = place(attempt, order);
      if (best.empty() || bytes < plan.bytes) {
        plan.bytes = bytes;
        best = attempt;
      }
      if (good(plan.bytes)) break;
      promote(attempt, bytes, order);
    }
    if (good(plan.bytes)) break;
  }
  blocks = std::move(best);
  return plan;
}

}  // namespace fovea
