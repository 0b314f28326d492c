#include "fovea/runtime/profile.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

namespace fovea {
namespace {

/// Sums the kernel calls that `key` gives equal rows, in the order of their first.
std::vector<ProfileRow> summed(const Timeline& timeline,
                               const std::function<ProfileRow(const KernelWork&)>& key) {
  std::vector<ProfileRow> rows;
  std::map<std::tuple<std::string, std::string, bool>, size_t> places;
  for (const Timeline::Event& event : timeline.events) {
    if (!event.work) continue;
    ProfileRow row = key(*event.work);
    const auto [place, first] =
        places.emplace(std::tuple(row.name, row.kernel, row.backward), rows.size());
    if (first) rows.push_back(std::move(row));
    ProfileRow& sum = rows[place->second];
    ++sum.calls;
    sum.seconds += event.seconds;
    sum.flops += event.work->flops;
    sum.bytes += event.work->bytes;
  }
  return rows;
}

}  // namespace

std::vector<ProfileRow> profile_by_kernel(const Timeline& timeline) {
  std::vector<ProfileRow> rows = summed(timeline, [](const KernelWork& work) {
    return ProfileRow{.name = work.op, .kernel = work.kernel};
  });
  std::ranges::stable_sort(rows, std::greater<>(), &ProfileRow::seconds);
  return rows;
}

std::vector<ProfileRow> profile_by_module(const Timeline& timeline) {
  return summed(timeline, [](const KernelWork& work) {
    return ProfileRow{.name = work.module, .kernel = {}, .backward = work.backward};
  });
}

double span_seconds(const Timeline& timeline, std::string_view name) {
  double seconds = 0;
  for (const Timeline::Event& event : timeline.events) {
    if (event.name == name) seconds += event.seconds;
  }
  return seconds;
}

}  // namespace fovea
