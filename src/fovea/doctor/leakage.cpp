#include <fmt/format.h>

#include "fovea/data/check.h"
#include "fovea/doctor/check.h"

namespace fovea::doctor {
namespace {

constexpr int64_t most = 100'000;  // samples of a split that are read

std::shared_ptr<const data::Dataset> part(std::shared_ptr<const data::Dataset> split) {
  if (split->size() <= most) return split;
  std::vector<int64_t> first(most);
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
  return std::make_shared<data::Subset>(std::move(split), std::move(first));
}

}  // namespace

/// Samples that are both trained on and measured on.
Finding check_leakage(Patient& patient) {
  const train::Setup& setup = patient.setup();
  data::DataSets sets{"", part(setup.split.train), part(setup.sets.test)};
  if (setup.split.val->size() > 0) sets.val = part(setup.split.val);
  data::CheckOptions options{.distance = -1};
  options.stop = patient.stop;
  const data::Report report = data::check(sets, options);
  int64_t leaked = 0, measured_on = 0;
  std::string first;
  for (const auto& [split, count] : report.counts) measured_on += split == "train" ? 0 : count;
  for (const data::Duplicates& group : report.duplicates) {
    if (!group.across) continue;
    for (const data::SampleRef& sample : group.samples) leaked += sample.split != "train";
    if (!first.empty()) continue;
    first = fmt::format("{} {} is {} {}", group.samples.back().split, group.samples.back().name,
                        group.samples[0].split, group.samples[0].name);
  }
  const double share = static_cast<double>(leaked) / static_cast<double>(measured_on);
  const std::string text =
      fmt::format("{} of {} samples for validation and test are also in another split{}", leaked,
                  measured_on, first.empty() ? "" : fmt::format(": {}", first));
  constexpr double tolerable = 0.005;
  if (share < tolerable) return ok(text);
  return problem(text,
                 "data sets without duplicates: fovea data check lists them; groups that stay "
                 "together when validation is split off");
}

}  // namespace fovea::doctor
