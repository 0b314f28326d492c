#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace fovea {

/// Bytes of physical memory that this process holds now, and the most it has held so far; 0 where
/// the system does not say.
size_t resident_bytes();
size_t peak_resident_bytes();

/// How much memory this process can have in all, what it holds included.
struct MemoryLimits {
  size_t most;  ///< the machine's memory and swap, or the control group's limit where that is less
  size_t now;   ///< the same without what others hold now
};
MemoryLimits memory_limits();

/// Where the system says which control groups hold this process.
struct GroupFiles {
  std::filesystem::path root = "/sys/fs/cgroup", membership = "/proc/self/cgroup";
};

/// The folders of the control groups that hold this process and have `controller` ("cpu",
/// "memory"), from its own to the outermost: of version 2 and of version 1. Some may not exist: in
/// a container, membership names groups that are outside of it.
std::vector<std::filesystem::path> group_folders(std::string_view controller,
                                                 const GroupFiles& files = {});

/// The CPUs that the control groups grant this process, the smallest quota of them: 1.5 is one and
/// a half. None without a quota.
std::optional<double> cpu_quota(const GroupFiles& files = {});

}  // namespace fovea
