#include "fovea/core/parallel.h"

#include <gtest/gtest.h>
#ifndef FOVEA_STD_THREADS
#include <omp.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "error_text.h"
#include "fovea/core/process.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

TEST(Parallel, AContainersCpuQuotaIsRespectedInEitherVersionOfControlGroups) {
  TemporaryFolder folder;
  const GroupFiles files{.root = folder / "groups", .membership = folder / "membership"};
  const auto set = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories((files.root / name).parent_path());
    put(files.root / name, text);
  };
  put(files.membership, "4:cpu,cpuacct:/outer/inner\n3:memory:/else\n0::/box/own\n");
  EXPECT_EQ(cpu_quota(files), std::nullopt);
  set("cpu/cpu.cfs_quota_us", "-1\n");
  set("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(files), std::nullopt);
  set("cpu/cpu.cfs_quota_us", "350000\n");
  EXPECT_EQ(cpu_quota(files), 3.5);
  set("cpu/outer/cpu.cfs_quota_us", "300000\n");
  set("cpu/outer/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(files), 3);
  set("box/own/cpu.max", "max 100000\n");
  set("box/cpu.max", "250000 100000\n");
  EXPECT_EQ(cpu_quota(files), 2.5);
  set("box/own/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(files), 0.5);
  set("memory/else/cpu.max", "1 100000\n");  // of another controller
  EXPECT_EQ(cpu_quota(files), 0.5);
}

/// The chunks that parallel_for makes, in order.
std::vector<std::pair<int64_t, int64_t>> chunks_of(int64_t n, int64_t grain) {
  std::mutex guard;
  std::vector<std::pair<int64_t, int64_t>> chunks;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(guard);
    chunks.emplace_back(begin, end);
  });
  std::ranges::sort(chunks);
  return chunks;
}

TEST(Parallel, ChunksAreTheSameWhoeverTakesThem) {
  for (const bool openmp : {false, true}) {
    const TeamScope team(3, openmp);
    const auto chunks = chunks_of(1000, 7);
    EXPECT_EQ(chunks.size(), 24u);  // eight for each thread
    int64_t end = 0;
    for (const auto& [from, to] : chunks) {
      EXPECT_EQ(from, end);
      EXPECT_EQ(from % 7, 0);
      end = to;
    }
    EXPECT_EQ(end, 1000);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(chunks_of(1000, 7), chunks);
    EXPECT_EQ(chunks_of(20, 7).size(), 3u);
  }
}

TEST(Parallel, AThreadThatIsHeldUpCostsOnlyTheChunkThatItTook) {
  const TeamScope team(2);
  std::atomic<int> done = 0;
  parallel_chunks(16, [&](int64_t chunk, int) {
    if (chunk == 8) {  // the first of the other thread's half, or taken from it at the end
      while (done < 15) std::this_thread::yield();
    }
    ++done;
  });
  EXPECT_EQ(done, 16);
}

TEST(Parallel, ConcurrentChunksHaveScratchMemoryOfTheirOwn) {
  const TeamScope team(4);
  std::array<std::atomic<int>, 4> users{};
  for (int i = 0; i < 50; ++i) {
    parallel_chunks(64, [&](int64_t, int slot) {
      const auto at = static_cast<size_t>(slot);
      EXPECT_EQ(++users.at(at), 1);
      std::this_thread::yield();
      --users.at(at);
    });
  }
}

TEST(Parallel, SeveralThreadsMayStartWorkAtOnce) {
  std::vector<std::jthread> callers;
  std::atomic<int64_t> sum = 0;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      const TeamScope team(2);
      for (int k = 0; k < 50; ++k)
        parallel_for(100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  }
  callers.clear();
  EXPECT_EQ(sum, 4 * 50 * 100);
}

TEST(Parallel, TheFirstErrorOfAChunkReachesTheCaller) {
  const TeamScope team(2);
  for (int i = 0; i < 20; ++i) {
    EXPECT_THROW(parallel_for(100, 1, [](int64_t, int64_t) { throw std::runtime_error("x"); }),
                 std::runtime_error);
  }
}

#ifndef FOVEA_STD_THREADS
TEST(Parallel, ATeamSmallerThanRequestedIsKnownBeforeKernelsWaitForIt) {
  EXPECT_EQ(granted_threads(3), 3);
  const int levels = omp_get_max_active_levels();
  omp_set_max_active_levels(0);
  EXPECT_EQ(granted_threads(3), 1);
  EXPECT_EQ(threads(), 1);
  expect_error(ErrorKind::usage, "threads: a team of 3 is needed, but only 1 can be started",
               [] { const TeamScope team(3); });
  omp_set_max_active_levels(levels);
  EXPECT_EQ(granted_threads(3), 3);
#pragma omp parallel num_threads(2)
#pragma omp single
  EXPECT_EQ(granted_threads(3), 1);  // a caller's own parallel region
}

TEST(Parallel, TeamsAreCompleteEvenIfOpenMpMayShrinkThem) {
  const int dynamic = omp_get_dynamic();
  omp_set_dynamic(1);
  {
    const TeamScope team(3, true);
    std::atomic<int> count = 0;
    on_each_thread([&] { ++count; });
    EXPECT_EQ(count, 3);
    EXPECT_EQ(omp_get_dynamic(), 0);
  }
  EXPECT_EQ(omp_get_dynamic(), 1);
  omp_set_dynamic(dynamic);
}
#endif

}  // namespace
}  // namespace fovea
