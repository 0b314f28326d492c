#include "fovea/passes/memory.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "fovea/core/array.h"

namespace fovea {
namespace {

using Order = std::function<bool(const Block&, const Block&)>;

/// Places blocks in that order, each at the lowest offset that is free during its lifetime. Returns
/// the arena's size.
size_t place(std::vector<Block>& blocks, const Order& before) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return before(blocks[a], blocks[b]); });

  std::vector<const Block*> placed;  // by offset
  size_t total = 0;
  for (size_t index : order) {
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

}  // namespace

MemoryPlan plan_memory(std::vector<Block>& blocks) {
  for (Block& block : blocks) block.bytes = align_up(block.bytes);
  MemoryPlan plan{.lower_bound = largest_live(blocks)};

  const auto life = [](const Block& b) { return b.last - b.first; };
  const Order orders[] = {
      [&](const Block& a, const Block& b) {
        return std::pair(b.bytes, life(b)) < std::pair(a.bytes, life(a));
      },
      [&](const Block& a, const Block& b) {
        return std::pair(life(b), b.bytes) < std::pair(life(a), a.bytes);
      },
      [](const Block& a, const Block& b) { return a.first < b.first; },
      [](const Block& a, const Block& b) { return a.last > b.last; },
  };
  std::vector<Block> best;
  for (const Order& order : orders) {
    std::vector<Block> attempt = blocks;
    const size_t bytes = place(attempt, order);
    if (best.empty() || bytes < plan.bytes) {
      plan.bytes = bytes;
      best = std::move(attempt);
    }
    if (plan.bytes == plan.lower_bound) break;
  }
  blocks = std::move(best);
  return plan;
}

}  // namespace fovea
