#include <fmt/format.h>

#include <algorithm>

#include "fovea/doctor/check.h"

namespace fovea::doctor {

/// Whether the labels say anything: one class for nearly all samples teaches nothing else.
Finding check_label_balance(Patient& patient) {
  if (!patient.classes) return skipped("targets are not classes");
  const std::vector<int64_t> labels = labels_of(*patient.setup().split.train);
  const std::vector<std::string>& names = patient.setup().sets.targets().names;
  std::vector<int64_t> counts(names.size());
  for (const int64_t label : labels) ++counts[static_cast<size_t>(label)];
  const auto largest = std::ranges::max_element(counts);
  const double share = static_cast<double>(*largest) / static_cast<double>(labels.size());
  const std::string text =
      fmt::format("{} classes have samples; the largest, {}, has {:.1f}%",
                  counts.size() - static_cast<size_t>(std::ranges::count(counts, 0)),
                  names[static_cast<size_t>(largest - counts.begin())], 100 * share);
  constexpr double nearly_all = 0.9;
  if (share < nearly_all) return ok(text);
  return problem(text,
                 "the file or column of labels: nearly all are the same; for rare classes "
                 "--class-weights balanced or --sampling balanced");
}

}  // namespace fovea::doctor
