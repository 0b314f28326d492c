#include "fovea/core/process.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "fovea/core/text.h"

namespace fovea {
namespace {

constexpr size_t unlimited = std::numeric_limits<size_t>::max();

/// The number after `key` in a file of lines "key number"; some are in kB.
size_t value_of(const std::filesystem::path& path, const std::string& key, size_t unit = 1) {
  std::ifstream file(path);
  std::string name;
  size_t value = 0;
  for (std::string rest; file >> name >> value; std::getline(file, rest)) {
    if (name == key) return value * unit;
  }
  return 0;
}

/// As value_of, but lines of /proc/self/status also hold words.
size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size())) * 1024;  // given in kB
  }
  return 0;
}

/// The number in a file; none when it says "max" or does not exist.
std::optional<size_t> number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  size_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// Lowers `limits` to those of the control groups of this process. A group's file cache counts as
/// available, since the kernel reclaims it on demand.
void apply_groups(MemoryLimits& limits, size_t own) {
  struct Names {
    const char *limit, *used, *files;
  };
  constexpr Names versions[] = {
      {"memory.max", "memory.current", "inactive_file"},
      {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}};
  for (const std::filesystem::path& folder : group_folders("memory")) {
    for (const Names& names : versions) {
      const auto limit = number_in(folder / names.limit), used = number_in(folder / names.used);
      if (!limit || !used) continue;
      const size_t files = value_of(folder / "memory.stat", names.files);
      const size_t others = *used > files + own ? *used - files - own : 0;
      limits.total = std::min(limits.total, *limit);
      limits.available = std::min(limits.available, *limit > others ? *limit - others : 0);
    }
  }
}

/// CPUs granted by one control group: "QUOTA PERIOD" in one file in version 2, in two files in
/// version 1, where a quota of -1 means none.
std::optional<double> quota_of(const std::filesystem::path& folder) {
  double quota = 0, period = 0;
  if (!(std::ifstream(folder / "cpu.max") >> quota >> period)) {
    std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
    std::ifstream(folder / "cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0)) return std::nullopt;
  return quota / period;
}

}  // namespace

size_t resident_bytes() { return status_bytes("VmRSS:"); }

// Not getrusage: its maximum includes that of the parent process.
size_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

MemoryLimits memory_limits() {
  const auto machine = [](const char* key) { return value_of("/proc/meminfo", key, 1024); };
  const size_t own = resident_bytes(), total = machine("MemTotal:");
  if (total == 0) return {unlimited, unlimited};
  MemoryLimits limits{.total = total + machine("SwapTotal:"),
                      .available = machine("MemAvailable:") + own};
  apply_groups(limits, own);
  return limits;
}

std::vector<std::filesystem::path> group_folders(std::string_view controller,
                                                 const GroupFiles& files) {
  std::vector<std::filesystem::path> folders;
  const auto add = [&](const std::filesystem::path& top, std::filesystem::path group) {
    for (; group.has_relative_path(); group = group.parent_path()) {
      folders.push_back(top / group.relative_path());
    }
  };
  const std::filesystem::path first_version = files.root / controller;
  std::ifstream membership(files.membership);
  for (std::string line; std::getline(membership, line);) {  // id:controllers:group
    const size_t colon = line.find(':'), second = line.find(':', colon + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(colon + 1, second - colon - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      add(files.root, group);
    } else if (std::ranges::count(split(controllers, ','), controller) > 0) {
      add(first_version, group);
    }
  }
  folders.push_back(files.root);
  folders.push_back(first_version);
  return folders;
}

std::optional<double> cpu_quota(const GroupFiles& files) {
  std::optional<double> smallest;
  for (const std::filesystem::path& folder : group_folders("cpu", files)) {
    const std::optional<double> quota = quota_of(folder);
    if (quota) smallest = std::min(smallest.value_or(*quota), *quota);
  }
  return smallest;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::filesystem::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::filesystem::path(cache) / "fovea";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "") / ".cache" / "fovea";
}

}  // namespace fovea
