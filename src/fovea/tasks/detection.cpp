#include "fovea/tasks/detection.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/boxes.h"
#include "fovea/draw/boxes.h"
#include "fovea/images/codec.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/average_precision.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

constexpr int64_t assumed_capacity = 100;  // of boxes, where only a net is known
constexpr double lowest_counted_score = 0.05;
constexpr double far_less_sure = 0.5;  // than of the surest box in a picture: a share of its score

bool fits_targets(const data::Targets& targets) {
  return data::is_boxes(targets.type) && !targets.names.empty();
}

/// The same boxes with the indices of classes in place of labels.
Tensor with_classes(const Tensor& found) {
  return concat({slice(found, 2, 0, 5), slice(found, 2, 5, 6) - 1}, 2);
}

/// "12.0 4.5 20.0 31.5": x, y, width, height.
std::string numbers_of(const BoxesPrediction::Found& box) {
  return fmt::format("{:.1f} {:.1f} {:.1f} {:.1f}", box.x1, box.y1, box.x2 - box.x1,
                     box.y2 - box.y1);
}

std::vector<double> sides_of(const BoxesPrediction::Found& box) {
  return {box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1};
}

/// Of all classes but the background: [N, K, A].
Tensor class_logits(const Tensor& output) {
  const Tensor all = said_boxes(output).logits;
  return slice(all, 1, 1, all.dim(1));
}

/// The intersection over union of boxes [N, 4, A] with the region: [N, 1, A].
Tensor overlap(const Tensor& boxes, const Region& region) {
  const auto side = [&](int64_t k) { return slice(boxes, 1, k, k + 1); };
  const Tensor x1 = side(0), y1 = side(1), x2 = side(2), y2 = side(3);
  const auto left = static_cast<double>(region.left), top = static_cast<double>(region.top);
  const auto right = static_cast<double>(region.right), bottom = static_cast<double>(region.bottom);
  const Tensor both =
      relu(minimum(x2, right) - maximum(x1, left)) * relu(minimum(y2, bottom) - maximum(y1, top));
  const Tensor either = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - both;
  return both / maximum(either, 1e-6);
}

}  // namespace

Entry detection_entry() {
  return {
      .name = std::string(Detection::id),
      .help = "boxes of objects: the net's own loss; map, map50, map75 as COCO's",
      .fits = fits_targets,
      .make = [](const data::Targets& targets,
                 const Arguments& chosen) { return std::make_unique<Detection>(targets, chosen); },
      .choices = Detection::choices(),
      .targets =
          [](int64_t outputs, std::vector<std::string> names) {
            // Class 0 is the background: the first name is that of class 1.
            names.insert(names.begin(), "background");
            names = numbered(std::move(names), std::max<int64_t>(outputs, 2));
            names.erase(names.begin());
            return data::box_targets(std::move(names), assumed_capacity);
          }};
}

std::vector<Argument> Detection::choices() {
  return {{.name = "score", .maximum = 1, .help = "only boxes with a score above this are kept"},
          {.name = "nms",
           .maximum = 1,
           .help = "a box is dropped if its intersection over union with one of the same class and "
                   "a higher score is above this"},
          {.name = "max_boxes",
           .type = ArgumentType::integer,
           .minimum = 1,
           .maximum = 10000,
           .help = "the largest number of boxes in an image"}};
}

Detection::Detection(data::Targets targets, const Arguments& chosen)
    : targets_(std::move(targets)) {
  if (!fits_targets(targets_)) {
    throw Error(ErrorKind::usage, "detect: targets must be boxes f32[M,5] with named classes")
        .with("found", to_string(targets_.type));
  }
  if (chosen.contains("score")) choice_.score = chosen.number("score");
  if (chosen.contains("nms")) choice_.nms = chosen.number("nms");
  if (chosen.contains("max_boxes")) choice_.max_boxes = chosen.integer("max_boxes");
}

bool Detection::takes(const Tensor& output) const {
  return said_boxes(output).logits.dim(1) == outputs();
}

Tensor Detection::loss(const Tensor& output, const Tensor& target,
                       const LossOptions& options) const {
  if (options.label_smoothing != 0) {
    throw Error(ErrorKind::usage, "detect: the losses of boxes take no label smoothing")
        .with("found", fmt::format("label_smoothing {}", format_number(options.label_smoothing)));
  }
  return detection_loss(output, target);
}

std::vector<Metric> Detection::metrics() const {
  std::vector<Metric> all =
      precision_metrics(targets_.names, [choice = choice_](const Tensor& output, const Tensor&) {
        // A precision is a mean over recalls: a threshold made for showing boxes would cut it off.
        BoxChoice counted = choice;
        if (!counted.score)
          counted.score = std::min(said_boxes(output).head.score, lowest_counted_score);
        return with_classes(found_boxes(output, counted));
      });
  all.push_back({.name = "loss",
                 .better = Better::smaller,
                 .in_training = false,
                 .sum = [](const Tensor& output, const Tensor& target) {
                   return cast(detection_loss(output, target), DType::f64) *
                          static_cast<double>(output.dim(0));
                 }});
  return all;
}

Tensor Detection::explained(const Tensor& output, const std::optional<Region>& region) const {
  const Tensor logits = class_logits(output);
  if (!region) return cast(max(logits, {2}), DType::f32);
  const Tensor fit = overlap(anchor_boxes(output), *region);
  const int64_t n = fit.dim(0), count = fit.dim(2);
  const Tensor best = argmax(reshape(fit, {n, count}));
  const Tensor chosen = reshape(one_hot(best, count, logits.dtype()), {n, 1, count});
  return cast(sum(logits * chosen, {2}), DType::f32);
}

std::optional<ExplainedLevels> Detection::explained_levels(
    const Tensor& output, const std::optional<Region>& region) const {
  const SaidBoxes said = said_boxes(output);
  std::vector<Tensors> predictions = predictions_of_levels(said);
  if (predictions.size() < 2) return std::nullopt;
  const Tensor logits = class_logits(output);
  const Tensor fit = region ? overlap(anchor_boxes(output), *region) : logits;
  Tensors best;  // of each level
  int64_t begin = 0;
  for (const int64_t count : said.head.levels) {
    best.push_back(max(slice(fit, 2, begin, begin + count), {2}, true));
    begin += count;
  }
  const Tensor level = argmax(permute(concat(best, 2), {0, 2, 1}));  // [N, 1] or [N, K]
  const Tensor all = broadcast_to(cast(level, DType::f32), {logits.dim(0), logits.dim(1)});
  return ExplainedLevels{std::move(predictions), cast(all, DType::i64)};
}

Tensor Detection::explained_probabilities(const Tensor& numbers) const { return sigmoid(numbers); }

Tensor Detection::decoded(const Tensor& output) const { return found_boxes(output, choice_); }

std::unique_ptr<Prediction> Detection::predict(const Array& decoded, int64_t i, int64_t) const {
  auto prediction = std::make_unique<BoxesPrediction>();
  prediction->names = targets_.names;
  prediction->ids = targets_.ids;
  const int64_t most = decoded.dim(1);
  for (int64_t d = 0; d < most; ++d) {
    const int64_t row = (i * most + d) * 6;
    const auto label = static_cast<int64_t>(decoded.at(row + 5));
    if (label < 0) break;
    prediction->boxes.push_back({.label = label,
                                 .score = decoded.at(row + 4),
                                 .x1 = decoded.at(row),
                                 .y1 = decoded.at(row + 1),
                                 .x2 = decoded.at(row + 2),
                                 .y2 = decoded.at(row + 3)});
  }
  return prediction;
}

Cells Detection::scored(const Array& decoded, const Array& targets, int64_t i) const {
  int64_t boxes = 0;
  for (int64_t m = 0; m < targets.dim(1); ++m)
    boxes += targets.at((i * targets.dim(1) + m) * 5 + 4) > 0;
  Cells cells{{"boxes", std::to_string(boxes)}};
  for (auto& cell : predict(decoded, i, 0)->cells()) cells.push_back(std::move(cell));
  return cells;
}

const std::string& BoxesPrediction::name_of(const Found& box) const {
  static const std::string background = "background";
  return box.label == 0 ? background : names[static_cast<size_t>(box.label - 1)];
}

std::string BoxesPrediction::text() const {
  if (boxes.empty()) return "  none\n";
  size_t width = 0;
  for (const Found& box : boxes) width = std::max(width, name_of(box).size());
  std::string text;
  for (const Found& box : boxes) {
    text += fmt::format("  {:<{}}  {:6.2f}%  {}\n", name_of(box), width, 100 * box.score,
                        numbers_of(box));
  }
  return text;
}

Json BoxesPrediction::json() const {
  Json list = Json::array();
  for (const Found& box : boxes)
    list.push_back({{"class", name_of(box)}, {"score", box.score}, {"box", sides_of(box)}});
  return {{"boxes", list}};
}

Cells BoxesPrediction::cells() const {
  std::vector<std::string> all;
  for (const Found& box : boxes)
    all.push_back(fmt::format("{} {:.4f} {}", name_of(box), box.score, numbers_of(box)));
  return {{"found", std::to_string(boxes.size())}, {"prediction", join(all, ";")}};
}

void BoxesPrediction::place(const InputPlace& place) {
  for (Found& box : boxes) {
    box.x1 = place.picture_x(box.x1);
    box.x2 = place.picture_x(box.x2);
    box.y1 = place.picture_y(box.y1);
    box.y2 = place.picture_y(box.y2);
  }
}

std::vector<PredictedPicture> BoxesPrediction::pictures(const ShownInput& shown) const {
  double least = 0;
  for (const Found& box : boxes) least = std::max(least, far_less_sure * box.score);
  std::vector<draw::DrawnBox> drawn;
  for (const Found& box : boxes) {
    if (shown.only_surest && box.score < least) continue;
    drawn.push_back({.box = {box.y1, box.x1, box.y2 - box.y1, box.x2 - box.x1},
                     .label = box.label - 1,
                     .text = fmt::format("{} {:.0f}%", name_of(box), 100 * box.score)});
  }
  std::ranges::reverse(drawn);  // the surest on top
  const std::string note = drawn.size() == boxes.size() ? ""
                                                        : fmt::format("the surest {} of {} boxes",
                                                                      drawn.size(), boxes.size());
  return {{"boxes", png_bytes(draw::box_picture(shown.picture, drawn)), note}};
}

std::vector<std::pair<std::string, Array>> BoxesPrediction::arrays() const {
  const auto count = std::ssize(boxes);
  Array corners(DType::f32, {count, 4}), scores(DType::f32, {count}), labels(DType::i64, {count});
  for (int64_t i = 0; i < count; ++i) {
    const Found& box = boxes[static_cast<size_t>(i)];
    const double sides[] = {box.x1, box.y1, box.x2, box.y2};
    for (int64_t k = 0; k < 4; ++k) corners.set(4 * i + k, sides[k]);
    scores.set(i, box.score);
    labels.set(i, static_cast<double>(box.label));
  }
  return {{"boxes", corners}, {"scores", scores}, {"labels", labels}};
}

std::optional<Json> BoxesPrediction::coco(int64_t image) const {
  Json list = Json::array();
  for (const Found& box : boxes) {
    const bool known = box.label > 0 && !ids.empty();
    list.push_back({{"image_id", image},
                    {"category_id", known ? ids[static_cast<size_t>(box.label - 1)] : box.label},
                    {"bbox", sides_of(box)},
                    {"score", box.score}});
  }
  return list;
}

}  // namespace fovea::tasks
