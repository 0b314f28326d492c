#include <fmt/format.h>

#include <cmath>

#include "fovea/doctor/check.h"

namespace fovea::doctor {
namespace {

constexpr int64_t reach = 3;  // places that labels may be off

/// Blocks of neighbours in the order of the data set, all over it.
std::shared_ptr<const data::Dataset> blocks(const train::Setup& setup, int64_t& length) {
  constexpr int64_t count = 30;
  const auto& train = setup.sets.train;
  length = std::min<int64_t>(50, train->size() / count);
  std::vector<int64_t> places;
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < length; ++i)
      places.push_back(b * (train->size() - length) / (count - 1) + i);
  }
  return setup.prepared(std::make_shared<data::Subset>(train, std::move(places)));
}

}  // namespace

/// Whether labels fit better to the samples a few places before or after their own. Where samples
/// that look alike have equal labels, they still have when all labels are moved by the same amount,
/// if it is looked for that many places away.
Finding check_label_order(Patient& patient) {
  if (!patient.classes) return skipped("targets are not classes");
  int64_t length = 0;
  constexpr int64_t fewest = 10;
  if (patient.setup().sets.train->size() < 30 * fewest) return skipped("too few samples");
  const auto samples = blocks(patient.setup(), length);
  const std::vector<int64_t> labels = labels_of(*samples);
  const double chance = chance_of_equal(labels);
  const std::vector<size_t> others = nearest(*samples, reach);
  const auto agreement = [&](int64_t shift) {
    double agree = 0, all = 0;
    for (int64_t i = 0; i < std::ssize(labels); ++i) {
      const auto k = static_cast<int64_t>(others[static_cast<size_t>(i)]);
      const auto inside = [&](int64_t at) {
        return at % length + shift >= 0 && at % length + shift < length;
      };
      if (!inside(i) || !inside(k)) continue;
      ++all;
      agree += labels[static_cast<size_t>(i + shift)] == labels[static_cast<size_t>(k + shift)];
    }
    return std::pair(agree, std::max(all, 1.0));
  };
  const auto [own, count] = agreement(0);
  const std::string text = fmt::format(
      "labels fit their own samples: {:.1f}% of the most similar ones agree", 100 * own / count);
  constexpr double clear = 5;
  for (int64_t distance = 1; distance <= reach; ++distance) {
    for (const int64_t shift : {distance, -distance}) {
      const auto [moved, n] = agreement(shift);
      if (deviations(moved, n, std::max(chance, own / count)) < clear) continue;
      return problem(
          fmt::format("labels fit better to samples {} places {}: {:.1f}% of the most similar ones "
                      "agree, of their own {:.1f}%",
                      distance, shift > 0 ? "before" : "after", 100 * moved / n, 100 * own / count),
          "the file of labels: a header or a sample too many or too few moves all that follow");
    }
  }
  return ok(text);
}

}  // namespace fovea::doctor
