#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Bytes of physical memory that this process holds now, and its peak so far; 0 where the system
/// does not report it.
size_t resident_bytes();
size_t peak_resident_bytes();

/// How much memory this process can use in total, including what it already holds.
struct MemoryLimits {
  size_t total;      ///< the machine's memory and swap, or the control group's limit if lower
  size_t available;  ///< the same, less what other processes hold now
};
MemoryLimits memory_limits();

/// The files that tell which control groups contain this process.
struct GroupFiles {
  std::filesystem::path root = "/sys/fs/cgroup", membership = "/proc/self/cgroup";
};

/// The folders of the control groups, of versions 2 and 1, that contain this process and have
/// `controller` ("cpu", "memory"), innermost first. Some may not exist: in a container, membership
/// names groups outside it.
std::vector<std::filesystem::path> group_folders(std::string_view controller,
                                                 const GroupFiles& files = {});

/// The number of CPUs granted by the control groups' smallest quota: 1.5 is one and a half. None
/// without a quota.
std::optional<double> cpu_quota(const GroupFiles& files = {});

/// The name of the CPU, such as "AMD EPYC 9B14"; "unknown" where the system does not say.
std::string cpu_model();

/// The folder for what Fovea can obtain again: $XDG_CACHE_HOME/fovea if that is an absolute path,
/// else ~/.cache/fovea. It may not exist yet.
std::filesystem::path cache_folder();

}  // namespace fovea
