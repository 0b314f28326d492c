#include "profile.h"

#include <fmt/format.h>

#include "fovea/runtime/profile.h"

namespace fovea::cli {
namespace {

double total_seconds(const std::vector<ProfileRow>& rows) {
  double seconds = 0;
  for (const ProfileRow& row : rows) seconds += row.seconds;
  return seconds;
}

/// ms per run, share of the time, GFLOP/s and its share of the peak, GB/s. An op whose FLOPs are
/// not counted has none.
std::vector<std::string> numbers(const ProfileRow& row, double all, int64_t runs,
                                 const Peak& peak) {
  const double rate = row.flops / row.seconds;
  const bool counted = row.flops > 0 && row.seconds > 0;
  return {fmt::format("{:.3f}", 1e3 * row.seconds / static_cast<double>(runs)),
          fmt::format("{:.1f}%", 100 * row.seconds / all),
          counted ? fmt::format("{:.1f}", 1e-9 * rate) : "",
          counted ? fmt::format("{:.0f}%", 100 * rate / peak.flops) : "",
          row.seconds > 0 ? fmt::format("{:.1f}", 1e-9 * row.bytes / row.seconds) : ""};
}

Json to_json(const ProfileRow& row, int64_t runs, const Peak& peak) {
  const auto count = static_cast<double>(runs);
  Json document{{"name", row.name}};
  if (row.kernel.empty()) {
    document["backward"] = row.backward;
  } else {
    document["kernel"] = row.kernel;
  }
  document["calls"] = row.calls / runs;
  document["ms"] = 1e3 * row.seconds / count;
  document["gflops"] = row.seconds > 0 ? 1e-9 * row.flops / row.seconds : 0;
  document["share_of_peak"] = row.seconds > 0 ? row.flops / row.seconds / peak.flops : 0;
  document["gigabytes_per_second"] = row.seconds > 0 ? 1e-9 * row.bytes / row.seconds : 0;
  return document;
}

Json to_json(const std::vector<ProfileRow>& rows, int64_t runs, const Peak& peak) {
  Json list = Json::array();
  for (const ProfileRow& row : rows) list.push_back(to_json(row, runs, peak));
  return list;
}

}  // namespace

std::string profile_text(const Timeline& timeline, int64_t runs, const Peak& peak) {
  const std::vector<ProfileRow> kernels = profile_by_kernel(timeline),
                                modules = profile_by_module(timeline);
  const double all = total_seconds(kernels);
  std::string text =
      fmt::format("peak         {:.0f} GFLOP/s in f32, {:.1f} GB/s from memory, measured now\n\n",
                  1e-9 * peak.flops, 1e-9 * peak.bytes);
  const auto append = [](std::vector<std::string> row, const std::vector<std::string>& more) {
    row.insert(row.end(), more.begin(), more.end());
    return row;
  };
  std::vector<std::vector<std::string>> rows;
  for (const ProfileRow& row : kernels) {
    rows.push_back(append({row.name, row.kernel, std::to_string(row.calls / runs)},
                          numbers(row, all, runs, peak)));
  }
  text += table({"op", "kernel", "calls", "ms", "share", "GFLOP/s", "of peak", "GB/s"}, rows,
                "llrrrrrr");
  rows.clear();
  for (const ProfileRow& row : modules) {
    rows.push_back(
        append({row.name.empty() ? "(none)" : row.name, row.backward ? "backward" : "forward"},
               numbers(row, all, runs, peak)));
  }
  return text + "\n" +
         table({"module", "pass", "ms", "share", "GFLOP/s", "of peak", "GB/s"}, rows, "llrrrrr");
}

Json profile_json(const Timeline& timeline, int64_t runs, const Peak& peak) {
  return {{"runs", runs},
          {"peak", {{"gflops", 1e-9 * peak.flops}, {"gigabytes_per_second", 1e-9 * peak.bytes}}},
          {"kernels", to_json(profile_by_kernel(timeline), runs, peak)},
          {"modules", to_json(profile_by_module(timeline), runs, peak)}};
}

}  // namespace fovea::cli
