#include "fovea/core/process.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace fovea {
namespace {

constexpr size_t unlimited = std::numeric_limits<size_t>::max();

/// The number behind `key` in a file of lines "key number"; some are in kB.
size_t value_of(const std::filesystem::path& path, const std::string& key, size_t unit = 1) {
  std::ifstream file(path);
  std::string name;
  size_t value = 0;
  for (std::string rest; file >> name >> value; std::getline(file, rest)) {
    if (name == key) return value * unit;
  }
  return 0;
}

/// /proc/self/status has lines with words, too.
size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size())) * 1024;  // it is in kB
  }
  return 0;
}

/// The only number of a file; none where it says "max" or is not there.
std::optional<size_t> number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  size_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// Lowers `limits` to those of the control groups that hold this process, the inner and the outer.
/// What a group holds of files can be had when it is needed.
void apply_groups(MemoryLimits& limits, size_t own) {
  const std::filesystem::path root = "/sys/fs/cgroup";
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool second = line.starts_with("0::"), first = line.find(":memory:") != std::string::npos;
    if (!second && !first) continue;
    const std::filesystem::path top = second ? root : root / "memory";
    std::filesystem::path group = line.substr(line.rfind(':') + 1);
    for (;; group = group.parent_path()) {
      const std::filesystem::path folder = top / group.relative_path();
      const auto most = number_in(folder / (second ? "memory.max" : "memory.limit_in_bytes"));
      const auto used = number_in(folder / (second ? "memory.current" : "memory.usage_in_bytes"));
      if (most && used) {
        const size_t files =
            value_of(folder / "memory.stat", second ? "inactive_file" : "total_inactive_file");
        const size_t others = *used > files + own ? *used - files - own : 0;
        limits.most = std::min(limits.most, *most);
        limits.now = std::min(limits.now, *most > others ? *most - others : 0);
      }
      if (!group.has_relative_path()) break;
    }
  }
}

}  // namespace

size_t resident_bytes() { return status_bytes("VmRSS:"); }

// Not getrusage: its maximum includes what the process that started this one had.
size_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

MemoryLimits memory_limits() {
  const auto machine = [](const char* key) { return value_of("/proc/meminfo", key, 1024); };
  const size_t own = resident_bytes(), total = machine("MemTotal:");
  if (total == 0) return {unlimited, unlimited};
  MemoryLimits limits{.most = total + machine("SwapTotal:"), .now = machine("MemAvailable:") + own};
  apply_groups(limits, own);
  return limits;
}

}  // namespace fovea
