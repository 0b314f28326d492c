#include "fovea/data/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <mutex>
#include <unordered_map>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/data/boxes.h"
#include "fovea/data/image_files.h"
#include "fovea/data/near_duplicates.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

struct Split {
  std::string name;
  std::shared_ptr<const Dataset> samples;
};

/// The splits with samples; one that stands for another is left out.
std::vector<Split> splits_of(const DataSets& sets) {
  std::vector<Split> splits{{"train", sets.train}};
  if (sets.val && sets.val != sets.test) splits.push_back({"val", sets.val});
  if (sets.test) splits.push_back({"test", sets.test});
  return splits;
}

/// What is kept of a sample that was read.
struct Facts {
  size_t split = 0;
  int64_t index = 0;
  uint64_t content = 0;  ///< a hash of its type and its bytes
  Shape shape;
  VoxelAxes axes{};
  bool readable = false, image = false;
  std::string problem;
  Likeness likeness;
  std::array<double, 3> sums{}, squares{};  ///< of each channel of an image, of 0 to 1
};

void add_statistics(const Array& image, Facts& facts) {
  const int64_t channels = image.dim(2);
  if (channels > 3) return;
  const double white = image.dtype() == DType::u16 ? 65535 : 255;
  const auto add = [&](const auto& samples) {
    std::array<uint64_t, 3> sums{}, squares{};
    for (size_t i = 0; i < samples.size(); i += static_cast<size_t>(channels)) {
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        const uint64_t value = samples[i + c];
        sums[c] += value;
        squares[c] += value * value;
      }
    }
    for (size_t c = 0; c < 3; ++c) {
      facts.sums[c] = static_cast<double>(sums[c]) / white;
      facts.squares[c] = static_cast<double>(squares[c]) / (white * white);
    }
  };
  if (image.dtype() == DType::u16) {
    add(image.data<uint16_t>());
  } else {
    add(image.data<uint8_t>());
  }
}

bool is_finite(const Array& values) {
  return values.dtype() != DType::f32 ||
         std::ranges::all_of(values.data<float>(), [](float x) { return std::isfinite(x); });
}

void examine(const Dataset& samples, Facts& facts, bool near) {
  Array input;
  try {
    input = samples.sample(facts.index).input;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    facts.problem = error.headline();
    const std::string named = samples.name(facts.index) + ": ";  // which the reader is told anyway
    if (facts.problem.starts_with(named)) facts.problem.erase(0, named.size());
    return;
  }
  facts.shape = input.shape();
  if (!is_finite(input)) {
    facts.problem = "holds numbers that are not finite";
    return;
  }
  facts.readable = true;
  facts.axes = samples.voxel_axes(facts.index);
  const std::string_view bytes(reinterpret_cast<const char*>(input.raw()), input.bytes());
  facts.content = hash(bytes) ^ hash(describe(input));
  facts.image = is_image({input.dtype(), input.shape()});
  if (!facts.image) return;
  add_statistics(input, facts);
  const int64_t channels = input.dim(2);
  if (near && (channels == 1 || channels >= 3) && channels <= 4)
    facts.likeness = likeness(to_8_bits(to_picture(input)));
}

/// The format that a file's beginning has and the suffixes of that format; none if it is not known
/// or cannot be read.
struct Format {
  std::string_view name;
  std::vector<std::string_view> suffixes;
};

std::optional<Format> format_of(const std::string& file) {
  if (is_stream(file)) return std::nullopt;  // opening a pipe would wait for who writes to it
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(12, 0);
  if (!stream.read(bytes.data(), std::ssize(bytes))) return std::nullopt;
  if (bytes.starts_with("\x89PNG")) return Format{"PNG", {".png"}};
  if (bytes.starts_with("\xff\xd8\xff")) return Format{"JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}};
  if (bytes.starts_with("RIFF") && bytes.substr(8) == "WEBP") return Format{"WebP", {".webp"}};
  return std::nullopt;
}

/// "" if the name of a file says its format, or is not that of an image.
std::string wrong_suffix(const std::string& name) {
  if (!is_image_name(name)) return "";
  const std::optional<Format> format = format_of(name);
  if (!format) return "";
  const std::string suffix = lower(std::filesystem::path(name).extension().string());
  if (std::ranges::count(format->suffixes, suffix) > 0) return "";
  return fmt::format("is a {} file", format->name);
}

class Checker {
 public:
  Checker(const DataSets& sets, const CheckOptions& options)
      : sets_(sets), options_(options), splits_(splits_of(sets)) {}

  Report run() {
    read();
    for (const Facts& facts : facts_) {
      if (!facts.problem.empty()) report_.broken.push_back({ref(facts), facts.problem});
    }
    find_duplicates();
    count_classes();
    measure_sizes();
    measure_voxels();
    measure_channels();
    return std::move(report_);
  }

 private:
  SampleRef ref(const Facts& facts) const {
    const Split& split = splits_[facts.split];
    SampleRef sample{split.name, facts.index, split.samples->name(facts.index), ""};
    if (has_classes()) {
      const auto label = static_cast<size_t>(class_of(*split.samples, facts.index));
      sample.label = split.samples->targets().names[label];
    }
    return sample;
  }
  bool has_classes() const { return sets_.targets().type == class_targets({}).type; }

  void read() {
    for (size_t s = 0; s < splits_.size(); ++s) {
      report_.counts[splits_[s].name] = splits_[s].samples->size();
      for (int64_t i = 0; i < splits_[s].samples->size(); ++i) {
        facts_.emplace_back();
        facts_.back().split = s;
        facts_.back().index = i;
      }
    }
    std::mutex guard;
    int64_t done = 0;
    const int64_t all = std::ssize(facts_);
    parallel_for(all, 16, [&](int64_t begin, int64_t end) {
      std::vector<SampleProblem> misnamed;
      for (int64_t i = begin; i < end && !options_.stop.stop_requested(); ++i) {
        Facts& facts = facts_[static_cast<size_t>(i)];
        const Dataset& samples = *splits_[facts.split].samples;
        examine(samples, facts, options_.distance >= 0);
        if (const std::string what = wrong_suffix(samples.name(facts.index)); !what.empty())
          misnamed.push_back({ref(facts), what});
      }
      const std::lock_guard lock(guard);
      for (SampleProblem& problem : misnamed) report_.wrong_suffix.push_back(std::move(problem));
      done += end - begin;
      if (options_.progress) options_.progress(done, all);
    });
    std::ranges::sort(report_.wrong_suffix, {}, [](const SampleProblem& p) {
      return std::pair(p.sample.split != "train", p.sample.name);
    });
  }

  /// Adds a group of duplicates, given as places in facts_.
  void add_group(const std::vector<size_t>& members, bool exact) {
    Duplicates group{.exact = exact, .across = false, .labels_differ = false, .samples = {}};
    for (const size_t i : members) group.samples.push_back(ref(facts_[i]));
    for (const SampleRef& sample : group.samples) {
      group.across |= sample.split != group.samples[0].split;
      group.labels_differ |= sample.label != group.samples[0].label;
    }
    report_.duplicates.push_back(std::move(group));
  }

  void find_duplicates() {
    std::unordered_map<uint64_t, std::vector<size_t>> by_content;
    std::vector<size_t> firsts;
    for (size_t i = 0; i < facts_.size(); ++i) {
      if (!facts_[i].readable) continue;
      std::vector<size_t>& group = by_content[facts_[i].content];
      if (group.empty()) firsts.push_back(i);
      group.push_back(i);
    }
    for (const size_t first : firsts) {
      const std::vector<size_t>& group = by_content[facts_[first].content];
      if (group.size() > 1) add_group(group, true);
    }
    if (options_.distance >= 0) find_near(firsts);
    std::ranges::stable_sort(report_.duplicates, {}, [](const Duplicates& group) {
      return std::pair(!group.across, !group.exact);
    });
  }

  void find_near(const std::vector<size_t>& firsts) {
    std::vector<size_t> images;
    std::vector<Likeness> likenesses;
    for (const size_t i : firsts) {
      if (!facts_[i].image) continue;
      images.push_back(i);
      likenesses.push_back(facts_[i].likeness);
    }
    for (std::vector<size_t> group :
         near_duplicates(likenesses, options_.distance, options_.correlation)) {
      for (size_t& member : group) member = images[member];
      add_group(group, false);
    }
  }

  void count_classes() {
    report_.counts_boxes = is_boxes(sets_.targets().type);
    if (!has_classes() && !report_.counts_boxes) return;
    for (const std::string& name : sets_.targets().names) {
      report_.classes.emplace_back(name, std::map<std::string, int64_t>());
      for (const Split& split : splits_) report_.classes.back().second[split.name] = 0;
    }
    for (const Facts& facts : facts_) {
      const Split& split = splits_[facts.split];
      const auto count = [&](int64_t label) {
        ++report_.classes[static_cast<size_t>(label)].second[split.name];
      };
      if (report_.counts_boxes) {
        if (facts.readable) count_boxes(facts, count);
      } else {
        count(class_of(*split.samples, facts.index));
      }
    }
  }

  template <class Count>
  void count_boxes(const Facts& facts, const Count& count) {
    const std::vector<ClassBox> boxes = boxes_of(splits_[facts.split].samples->target(facts.index));
    for (size_t i = 0; i < boxes.size(); ++i) {
      count(boxes[i].label);
      const auto first = boxes.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(boxes.begin(), first, boxes[i]) == first) continue;
      report_.repeated_boxes.push_back(
          {ref(facts), fmt::format("the same box twice: {} at {:.6g}, {:.6g}",
                                   sets_.targets().names[static_cast<size_t>(boxes[i].label)],
                                   boxes[i].x1, boxes[i].y1)});
    }
  }

  void measure_sizes() {
    std::vector<double> areas;
    for (const Facts& facts : facts_) {
      if (!facts.readable) continue;
      const auto same = std::ranges::find(report_.sizes, facts.shape, &SizeCount::shape);
      if (same != report_.sizes.end()) {
        ++same->count;
      } else {
        report_.sizes.push_back({facts.shape, 1});
      }
      if (facts.image) areas.push_back(static_cast<double>(facts.shape[0] * facts.shape[1]));
    }
    std::ranges::stable_sort(report_.sizes, std::greater<>(), &SizeCount::count);
    if (report_.sizes.size() < 2 || areas.empty()) return;
    const auto middle = areas.begin() + std::ssize(areas) / 2;
    std::ranges::nth_element(areas, middle);
    for (const Facts& facts : facts_) {
      if (!facts.readable || !facts.image) continue;
      const auto height = static_cast<double>(facts.shape[0]);
      const auto width = static_cast<double>(facts.shape[1]);
      constexpr double much = 10, long_side = 4;
      std::string what;
      if (height * width > much * *middle) what = "more than ten times as large as the others";
      if (height * width * much < *middle) what = "less than a tenth as large as the others";
      if (std::max(height, width) > long_side * std::min(height, width))
        what = "more than four times as long as wide";
      if (what.empty()) continue;
      report_.odd_sizes.push_back(
          {ref(facts), fmt::format("{}x{}, {}", facts.shape[0], facts.shape[1], what)});
    }
  }

  /// "1.5 x 0.9 x 0.9 mm".
  static std::string text(const std::array<double, 3>& spacing) {
    return fmt::format("{:.4g} x {:.4g} x {:.4g} mm", spacing[0], spacing[1], spacing[2]);
  }
  static bool alike(const std::array<double, 3>& a, const std::array<double, 3>& b) {
    return std::ranges::equal(
        a, b, [](double x, double y) { return std::abs(x - y) <= 0.01 * std::max(x, y); });
  }

  void measure_voxels() {
    for (const Facts& facts : facts_) {
      if (!facts.readable) continue;
      ++report_.orientations[facts.axes.code()];
      const std::array<double, 3> spacing = facts.axes.turned_spacing();
      if (spacing == std::array<double, 3>{}) continue;
      const auto same = std::ranges::find_if(report_.spacings, [&](const SpacingCount& other) {
        return alike(other.spacing, spacing);
      });
      if (same != report_.spacings.end()) {
        ++same->count;
      } else {
        report_.spacings.push_back({spacing, 1});
      }
    }
    std::ranges::stable_sort(report_.spacings, std::greater<>(), &SpacingCount::count);
    const bool oriented = report_.orientations.size() > 1;
    if (!oriented && report_.orientations.contains("")) report_.orientations.clear();
    for (const Facts& facts : facts_) {
      if (!facts.readable) continue;
      const std::array<double, 3> spacing = facts.axes.turned_spacing();
      if (report_.spacings.size() > 1 && spacing != std::array<double, 3>{} &&
          !alike(spacing, report_.spacings[0].spacing)) {
        report_.odd_spacings.push_back({ref(facts), text(spacing)});
      }
      if (oriented && !facts.axes.known)
        report_.unoriented.push_back(
            {ref(facts), "does not say how its axes lie, and is not turned"});
    }
  }

  void measure_channels() {
    std::array<double, 3> sums{}, squares{};
    double pixels = 0;
    int64_t channels = 0;
    for (const Facts& facts : facts_) {
      if (facts.split != 0 || !facts.readable || !facts.image || facts.shape[2] > 3) continue;
      channels = std::max(channels, facts.shape[2]);
      pixels += static_cast<double>(facts.shape[0] * facts.shape[1]);
      for (size_t c = 0; c < 3; ++c) {
        sums[c] += facts.sums[c];
        squares[c] += facts.squares[c];
      }
    }
    if (pixels == 0) return;
    ChannelStats statistics;
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
      const double mean = sums[c] / pixels;
      statistics.mean.push_back(mean);
      statistics.std.push_back(std::sqrt(std::max(0.0, squares[c] / pixels - mean * mean)));
    }
    report_.statistics = std::move(statistics);
  }

  const DataSets& sets_;
  const CheckOptions& options_;
  std::vector<Split> splits_;
  std::vector<Facts> facts_;
  Report report_;
};

}  // namespace

std::optional<double> Report::imbalance() const {
  if (classes.empty()) return std::nullopt;
  int64_t smallest = std::numeric_limits<int64_t>::max(), largest = 0;
  for (const auto& [name, by_split] : classes) {
    const auto found = by_split.find("train");
    const int64_t count = found == by_split.end() ? 0 : found->second;
    smallest = std::min(smallest, count);
    largest = std::max(largest, count);
  }
  if (smallest == 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(largest) / static_cast<double>(smallest);
}

Report check(const DataSets& sets, const CheckOptions& options) {
  return Checker(sets, options).run();
}

}  // namespace fovea::data
