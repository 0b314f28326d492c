#include "fovea/core/spread.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "fovea/core/parallel.h"

namespace fovea {
namespace {

std::set<int> cpus_of_this_thread() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::set<int> cpus;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) cpus.insert(cpu);
  return cpus;
}

/// Skipped where threads stay with the system: on one CPU, and where the user places them.
class Spread : public testing::Test {
 protected:
  void SetUp() override {
    if (cpus.size() < 2) GTEST_SKIP() << "one CPU";
    if (std::getenv("OMP_PROC_BIND") != nullptr || std::getenv("GOMP_CPU_AFFINITY") != nullptr)
      GTEST_SKIP() << "OpenMP's threads are placed by the environment";
    if (granted_threads(team()) < team()) GTEST_SKIP() << "too few threads";
  }
  int team() const { return static_cast<int>(cpus.size()); }

  const std::set<int> cpus = cpus_of_this_thread();
};

TEST_F(Spread, EachMemberStaysOnACpuOfItsOwn) {
  for (const bool openmp : {false, true}) {
    const TeamScope team(this->team(), openmp);
    const SpreadTeam spread;
    ASSERT_TRUE(spread.active());
    std::mutex guard;
    std::map<std::thread::id, std::set<int>> seen;
    for (int i = 0; i < 50; ++i) {
      parallel_chunks(64, [&](int64_t, int) {
        std::this_thread::yield();
        const std::lock_guard lock(guard);
        seen[std::this_thread::get_id()] = cpus_of_this_thread();
      });
    }
    std::set<int> homes;
    for (const auto& [thread, of] : seen) {
      ASSERT_EQ(of.size(), 1u);
      EXPECT_TRUE(homes.insert(*of.begin()).second) << "two threads on CPU " << *of.begin();
    }
  }
  EXPECT_EQ(cpus_of_this_thread(), cpus) << "the caller's own CPUs were not restored";
}

TEST_F(Spread, LeavesSmallTeamsAndSecondTeamsAlone) {
  {
    const TeamScope team(1);
    EXPECT_FALSE(SpreadTeam().active());
  }
  const TeamScope team(this->team());
  EXPECT_FALSE(SpreadTeam(false).active());
  const SpreadTeam first;
  ASSERT_TRUE(first.active());
  EXPECT_FALSE(SpreadTeam().active());
  std::thread([&] {
    const TeamScope other(this->team());
    const SpreadTeam second;
    EXPECT_FALSE(second.active()) << "two callers on one CPU";
  }).join();
}

TEST_F(Spread, LeavesAThreadWhereItsProgramHasPutIt) {
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(*cpus.rbegin(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    const TeamScope team(this->team());
    EXPECT_FALSE(SpreadTeam().active());
    EXPECT_EQ(cpus_of_this_thread(), std::set<int>{*cpus.rbegin()});
  }).join();
}

}  // namespace
}  // namespace fovea
