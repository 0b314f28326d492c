#include "fovea/tasks/average_precision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <utility>

#include "fovea/core/parallel.h"
#include "fovea/data/dataset.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::tasks {
namespace {

constexpr int recalls = 101;          // from 0 to 1
constexpr double recall_step = 0.01;  // multiplied, as NumPy's linspace does: 7 * 0.01 > 0.07
constexpr double small_side = 32, medium_side = 96;

/// An image's boxes of one class.
struct Part {
  std::vector<FoundBox> found;  ///< highest scores first
  std::vector<data::ClassBox> boxes;
  std::vector<double> areas;
};

/// The parts of each class, in the order of the images.
std::vector<std::vector<Part>> parts_of(const std::vector<FoundInImage>& images, int64_t classes,
                                        int64_t most) {
  std::vector<std::vector<Part>> all(static_cast<size_t>(classes));
  for (const FoundInImage& image : images) {
    std::map<int64_t, Part> parts;
    for (const FoundBox& found : image.found) parts[found.box.label].found.push_back(found);
    for (size_t i = 0; i < image.boxes.size(); ++i) {
      Part& part = parts[image.boxes[i].label];
      part.boxes.push_back(image.boxes[i]);
      part.areas.push_back(image.areas.empty() ? image.boxes[i].area() : image.areas[i]);
    }
    for (auto& [label, part] : parts) {
      if (label < 0 || label >= classes) continue;
      std::ranges::stable_sort(part.found, std::greater(), &FoundBox::score);
      part.found.resize(std::min(part.found.size(), static_cast<size_t>(most)));
      all[static_cast<size_t>(label)].push_back(std::move(part));
    }
  }
  return all;
}

/// Intersection over union; over the found box alone if the other is a region that does not count.
double overlap(const data::ClassBox& found, const data::ClassBox& box) {
  const double width = std::min(found.x2, box.x2) - std::max(found.x1, box.x1);
  const double height = std::min(found.y2, box.y2) - std::max(found.y1, box.y1);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (box.counts ? found.area() + box.area() - both : found.area());
}

/// What became of a found box.
enum class Verdict : uint8_t { right, wrong, ignored };

/// One image's boxes of a class, compared at one threshold after another.
class Matching {
 public:
  Matching(const Part& part, const PrecisionOptions& options) : part_(part), options_(options) {
    order_.resize(part.boxes.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::ranges::stable_sort(order_, {}, [&](size_t i) { return is_ignored(i); });
    overlaps_.reserve(part.found.size() * order_.size());
    for (const FoundBox& found : part.found) {
      for (const size_t i : order_) overlaps_.push_back(overlap(found.box, part.boxes[i]));
    }
  }

  int64_t targets() const {
    return std::ranges::count_if(order_, [&](size_t i) { return !is_ignored(i); });
  }

  /// Each found box takes, in the order of scores, the free box that it overlaps most. One that is
  /// ignored is taken only if no other fits.
  std::vector<Verdict> at(double threshold) const {
    std::vector<Verdict> verdicts;
    std::vector<bool> taken(order_.size());
    for (size_t d = 0; d < part_.found.size(); ++d) {
      double best = std::min(threshold, 1 - 1e-10);
      std::optional<size_t> match;
      for (size_t g = 0; g < order_.size(); ++g) {
        const size_t box = order_[g];
        if (taken[g] && part_.boxes[box].counts) continue;
        if (match && !is_ignored(order_[*match]) && is_ignored(box)) break;
        if (overlaps_[d * order_.size() + g] < best) continue;
        best = overlaps_[d * order_.size() + g];
        match = g;
      }
      if (match) taken[*match] = true;
      const bool ignored =
          match ? is_ignored(order_[*match]) : is_outside(part_.found[d].box.area());
      verdicts.push_back(ignored ? Verdict::ignored : match ? Verdict::right : Verdict::wrong);
    }
    return verdicts;
  }

 private:
  bool is_outside(double area) const {
    return area < options_.min_area || area > options_.max_area;
  }
  bool is_ignored(size_t box) const {
    return !part_.boxes[box].counts || is_outside(part_.areas[box]);
  }

  const Part& part_;
  const PrecisionOptions& options_;
  std::vector<size_t> order_;     ///< of the boxes: those that are ignored last
  std::vector<double> overlaps_;  ///< [found, order]
};

/// The area under the curve of precision over recall, for boxes in the order of their scores.
double area_under_curve(const std::vector<Verdict>& verdicts, int64_t targets) {
  std::vector<double> precision, recall;
  double right = 0, wrong = 0;
  for (const Verdict verdict : verdicts) {
    right += verdict == Verdict::right;
    wrong += verdict == Verdict::wrong;
    precision.push_back(right / (right + wrong + std::numeric_limits<double>::epsilon()));
    recall.push_back(right / static_cast<double>(targets));
  }
  for (size_t i = precision.size(); i-- > 1;)
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int r = 0; r < recalls; ++r) {
    const auto reached = std::ranges::lower_bound(recall, r * recall_step);
    if (reached == recall.end()) break;
    sum += precision[static_cast<size_t>(reached - recall.begin())];
  }
  return sum / recalls;
}

double average_precision(const std::vector<Part>& parts, const PrecisionOptions& options) {
  std::vector<Matching> matchings;
  std::vector<double> scores;
  int64_t targets = 0;
  for (const Part& part : parts) {
    targets += matchings.emplace_back(part, options).targets();
    for (const FoundBox& found : part.found) scores.push_back(found.score);
  }
  if (targets == 0) return std::numeric_limits<double>::quiet_NaN();
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return scores[i]; });
  double sum = 0;
  for (const double threshold : options.thresholds) {
    std::vector<Verdict> verdicts, sorted;
    for (const Matching& matching : matchings) {
      const std::vector<Verdict> own = matching.at(threshold);
      verdicts.insert(verdicts.end(), own.begin(), own.end());
    }
    for (const size_t i : order) sorted.push_back(verdicts[i]);
    sum += area_under_curve(sorted, targets);
  }
  return sum / static_cast<double>(options.thresholds.size());
}

constexpr float is_target = -2;  // in the column of a found box's class: the row is of a target
constexpr float is_own = -1;     // in the column of the area: it is that of the box itself
constexpr size_t columns = 7;

/// f32[N, D + M, 7]: the found boxes, and the targets' rows with is_target; and the area of the
/// object.
Tensor rows_of(const Tensor& found, const Tensor& target) {
  const Tensor marks = slice(target, 2, 0, 1) * 0 + is_target;
  const Tensor rows =
      concat({found, concat({cast(target, found.dtype()), cast(marks, found.dtype())}, 2)}, 1);
  return concat({rows, slice(rows, 2, 5, 6) * 0 + is_own}, 2);
}

/// One of these rows.
struct Row {
  std::span<const float> values;

  bool is_of_target() const { return values[5] == is_target && values[4] != 0; }
  bool is_of_found() const { return values[5] >= 0; }
  data::ClassBox box() const {
    data::ClassBox box{.x1 = values[0], .y1 = values[1], .x2 = values[2], .y2 = values[3]};
    box.label = static_cast<int64_t>(is_of_target() ? std::abs(values[4]) - 1 : values[5]);
    box.counts = !is_of_target() || values[4] > 0;
    return box;
  }
  std::optional<double> area() const {
    return values[6] == is_own ? std::nullopt : std::optional<double>(values[6]);
  }
};

/// The rows of image `i`.
std::vector<Row> rows_in(const Array& rows, int64_t i) {
  const auto count = static_cast<size_t>(rows.dim(1));
  const auto own =
      rows.data<float>().subspan(static_cast<size_t>(i) * count * columns, count * columns);
  std::vector<Row> all;
  for (size_t r = 0; r < count; ++r) all.push_back({own.subspan(r * columns, columns)});
  return all;
}

/// Writes boxes as they are in their pictures, and the areas of objects there.
void place_in_pictures(Array& rows, const data::Dataset& samples, int64_t first) {
  for (int64_t i = 0; i < rows.dim(0); ++i) {
    const std::optional<data::BoxedPicture> picture = samples.boxed_picture(first + i);
    if (!picture) continue;
    const InputPlace& place = picture->place;
    size_t target = 0;
    int64_t at = i * rows.dim(1) * static_cast<int64_t>(columns);
    for (const Row& row : rows_in(rows, i)) {
      const bool of_target = row.is_of_target();
      if (of_target || row.is_of_found()) {
        const data::ClassBox box = row.box();
        rows.set(at, place.picture_x(box.x1));
        rows.set(at + 1, place.picture_y(box.y1));
        rows.set(at + 2, place.picture_x(box.x2));
        rows.set(at + 3, place.picture_y(box.y2));
        if (of_target && target < picture->areas.size()) rows.set(at + 6, picture->areas[target++]);
      }
      at += columns;
    }
  }
}

std::vector<FoundInImage> images_of(const Array& rows) {
  std::vector<FoundInImage> images(static_cast<size_t>(rows.dim(0)));
  for (int64_t i = 0; i < rows.dim(0); ++i) {
    FoundInImage& image = images[static_cast<size_t>(i)];
    for (const Row& row : rows_in(rows, i)) {
      if (row.is_of_target()) {
        image.boxes.push_back(row.box());
        image.areas.push_back(row.area().value_or(row.box().area()));
      } else if (row.is_of_found()) {
        image.found.push_back({row.box(), row.values[4]});
      }
    }
  }
  return images;
}

}  // namespace

std::vector<double> PrecisionOptions::coco_thresholds() {
  std::vector<double> thresholds;
  constexpr double first = 0.5, last = 0.95;  // likewise as linspace
  for (int i = 0; i < 9; ++i) thresholds.push_back(first + (last - first) / 9 * i);
  thresholds.push_back(last);
  return thresholds;
}

std::vector<double> average_precisions(const std::vector<FoundInImage>& images, int64_t classes,
                                       const PrecisionOptions& options) {
  const auto parts = parts_of(images, classes, options.most);
  std::vector<double> precisions(parts.size());
  parallel_for(classes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const auto at = static_cast<size_t>(k);
      precisions[at] = average_precision(parts[at], options);
    }
  });
  return precisions;
}

std::optional<double> mean_precision(const std::vector<double>& precisions) {
  double sum = 0, count = 0;
  for (const double precision : precisions) {
    if (std::isnan(precision)) continue;
    sum += precision;
    ++count;
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

std::vector<Metric> precision_metrics(
    const std::vector<std::string>& classes,
    const std::function<Tensor(const Tensor&, const Tensor&)>& found) {
  const auto value = [count = std::ssize(classes)](const PrecisionOptions& options) {
    return [count, options](const Array& rows, int64_t) {
      return mean_precision(average_precisions(images_of(rows), count, options));
    };
  };
  std::vector<Metric> metrics{
      {.name = "map",
       .in_training = false,
       .value = value({}),
       .table =
           [classes](const Array& rows, int64_t) {
             const auto precisions = average_precisions(images_of(rows), std::ssize(classes));
             Table table{.name = "ap", .rows_are = "class", .columns = {"ap"}, .rows = {}};
             for (size_t k = 0; k < classes.size(); ++k) {
               if (!std::isnan(precisions[k])) table.rows.push_back({classes[k], {precisions[k]}});
             }
             return table;
           },
       .rows = [found](const Tensor& output,
                       const Tensor& target) { return rows_of(found(output, target), target); },
       .complete = place_in_pictures}};
  constexpr double small = small_side * small_side, medium = medium_side * medium_side;
  const std::vector<std::pair<std::string, PrecisionOptions>> others{
      {"map50", {.thresholds = {0.5}}},
      {"map75", {.thresholds = {0.75}}},
      {"map_small", {.max_area = small}},
      {"map_medium", {.min_area = small, .max_area = medium}},
      {"map_large", {.min_area = medium}}};
  for (const auto& [name, options] : others)
    metrics.push_back({.name = name, .in_training = false, .value = value(options), .of = "map"});
  return metrics;
}

}  // namespace fovea::tasks
