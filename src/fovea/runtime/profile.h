#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/timeline.h"

namespace fovea {

/// The kernel calls of one kind in a Timeline, summed.
struct ProfileRow {
  std::string name;    ///< of the op, or the path of the module
  std::string kernel;  ///< empty in a profile by module
  bool backward = false;
  int64_t calls = 0;
  double seconds = 0, flops = 0, bytes = 0;
};

/// By op and kernel, the most time first.
std::vector<ProfileRow> profile_by_kernel(const Timeline& timeline);
/// By module and direction, in the order in which modules first ran.
std::vector<ProfileRow> profile_by_module(const Timeline& timeline);

/// Seconds of all Spans of that name.
double span_seconds(const Timeline& timeline, std::string_view name);

}  // namespace fovea
