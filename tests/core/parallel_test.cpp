#include "fovea/core/parallel.h"

#include <gtest/gtest.h>
#ifndef FOVEA_STD_THREADS
#include <omp.h>
#endif

#include <atomic>
#include <filesystem>

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
    const TeamScope team(3);
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
