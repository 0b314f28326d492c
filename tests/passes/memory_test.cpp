#include <algorithm>

#include "fovea/passes/memory.h"

#include <gtest/gtest.h>

#include "fovea/core/random.h"

namespace fovea {
namespace {

TEST(PlanMemory, BlocksAliveTogetherNeverOverlap) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed, "blocks");
    std::vector<Block> blocks(random.below(40));
    for (Block& block : blocks) {
      block.bytes = random.below(random.below(4) == 0 ? 100000 : 500);
      block.first = static_cast<int>(random.below(20));
      block.last = block.first + static_cast<int>(random.below(8));
    }
    const std::vector<Block> asked = blocks;
    const MemoryPlan plan = plan_memory(blocks);
    ASSERT_EQ(blocks.size(), asked.size());
    size_t most = 0;
    for (int step = 0; step < 30; ++step) {
      size_t live = 0;
      for (const Block& b : blocks)
        if (b.first <= step && step <= b.last) live += b.bytes;
      most = std::max(most, live);
    }
    EXPECT_EQ(plan.lower_bound, most);
    EXPECT_GE(plan.bytes, plan.lower_bound);
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Block& a = blocks[i];
      EXPECT_EQ(a.first, asked[i].first);
      EXPECT_EQ(a.bytes, (asked[i].bytes + 63) / 64 * 64);
      EXPECT_EQ(a.offset % 64, 0u);
      EXPECT_LE(a.offset + a.bytes, plan.bytes);
      for (size_t j = 0; j < i; ++j) {
        const Block& b = blocks[j];
        const bool together = a.first <= b.last && b.first <= a.last;
        const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        EXPECT_FALSE(together && overlap) << seed << ": blocks " << i << " and " << j;
      }
    }
  }
}

TEST(PlanMemory, ConsecutiveBlocksShareMemory) {
  std::vector<Block> chain;
  for (int i = 0; i < 50; ++i) chain.push_back({.bytes = 640, .first = i, .last = i + 1});
  const MemoryPlan plan = plan_memory(chain);
  EXPECT_EQ(plan.bytes, 1280u);
  EXPECT_EQ(plan.lower_bound, 1280u);
}

TEST(PlanMemory, OfNoBlocksIsEmpty) {
  std::vector<Block> none;
  EXPECT_EQ(plan_memory(none).bytes, 0u);
}

}  // namespace
}  // namespace fovea
