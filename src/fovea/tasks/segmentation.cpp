#include "fovea/tasks/segmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/classes.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

constexpr int64_t ignored = -1;  // the label of pixels whose class does not count
constexpr std::string_view cross_entropy_name = "cross-entropy", dice_name = "dice",
                           focal_name = "focal";

bool are_masks(const data::Targets& targets) {
  return data::is_mask(targets.type) && !targets.names.empty();
}

/// The masks [N, spatial, 1] of the pixels that `output` is of, in f32: 1 + the class, or 0.
Tensor stored_classes(const Tensor& output, const Tensor& masks) {
  Tensor stored = masks;
  for (int axis = 1; axis + 1 < output.rank() && output.rank() == masks.rank(); ++axis) {
    const int64_t wanted = output.dim(axis + 1), begin = (masks.dim(axis) - wanted) / 2;
    if (masks.dim(axis) > wanted) stored = slice(stored, axis, begin, begin + wanted);
  }
  const Shape places = stored.shape().slice(0, stored.rank() - 1);
  if (output.rank() == masks.rank() && places.slice(1) == output.shape().slice(2))
    return cast(reshape(stored, places), DType::f32);
  throw Error(ErrorKind::usage, "segment: the net does not give logits for the pixels of a mask")
      .with("output", to_string(output.type()))
      .with("masks", to_string(masks.type()))
      .with("try", "a net for segmentation, such as --model unet");
}

Tensor labels_of(const Tensor& stored) { return cast(stored - 1, DType::i64); }

/// 1 at the class of each pixel that counts: [N, K, spatial] of the logits' type.
Tensor one_hot_of(const Tensor& output, const Tensor& stored) {
  const int64_t classes = output.dim(1);
  return slice(one_hot(cast(stored, DType::i64), classes + 1, output.dtype()), 1, 1, classes + 1);
}

/// The axes of the pixels of `output` [N, K, spatial].
std::vector<int> pixel_axes(const Tensor& output) {
  std::vector<int> axes;
  for (int axis = 2; axis < output.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// One weight per class, as a constant of this shape and the logits' type.
Tensor constant_of(const std::vector<double>& weights, const Shape& shape, const Tensor& output) {
  return output.graph().constant(Array::of(weights, shape).astype(output.dtype()));
}

/// The mean over the pixels that count. A batch without any, such as one of crops of regions that
/// nobody labelled, has a loss of 0: the op's would be NaN, as in PyTorch.
Tensor counted_cross_entropy(const Tensor& output, const Tensor& stored,
                             CrossEntropyOptions options) {
  const Tensor any = minimum(sum(stored), 1);
  options.ignore_index = ignored;
  const Tensor loss = cross_entropy(output, labels_of(stored + (1 - any)), options);
  return loss * cast(any, loss.dtype());
}

Tensor focal(const Tensor& output, const Tensor& stored, const std::vector<double>& weights) {
  const Tensor log_p = log_softmax(output), miss = 1 - exp(log_p);
  Tensor counted = one_hot_of(output, stored);
  if (!weights.empty()) {
    Shape shape{1, output.dim(1)};
    for (int axis = 2; axis < output.rank(); ++axis) shape = shape.concat({1});
    counted = counted * constant_of(weights, shape, output);
  }
  // A batch without any pixel that counts has a loss of 0.
  return -sum(counted * miss * miss * log_p) / maximum(sum(counted), 1e-6);
}

Tensor dice(const Tensor& output, const Tensor& stored) {
  const Tensor mask = one_hot_of(output, stored);
  return dice_loss(softmax(output) * sum(mask, {1}, true), mask);
}

/// Of class k of a confusion matrix [K, K].
struct Overlap {
  double both = 0;  ///< in mask and prediction
  double mask = 0, prediction = 0;

  double either() const { return mask + prediction - both; }
  double iou() const { return both / either(); }
  double dice() const { return 2 * both / (mask + prediction); }
};

Overlap overlap_of(const Array& counts, int64_t k) {
  const int64_t classes = counts.dim(0);
  Overlap overlap{.both = counts.at(k * classes + k)};
  for (int64_t c = 0; c < classes; ++c) {
    overlap.mask += counts.at(k * classes + c);
    overlap.prediction += counts.at(c * classes + k);
  }
  return overlap;
}

/// The mean of `of(overlap)` over the classes that occur; NaN if there are none.
double mean_over_classes(const Array& counts, double (Overlap::*of)() const) {
  double sum = 0, classes = 0;
  for (int64_t k = 0; k < counts.dim(0); ++k) {
    const Overlap overlap = overlap_of(counts, k);
    if (overlap.either() == 0) continue;
    sum += (overlap.*of)();
    ++classes;
  }
  return sum / classes;
}

double pixel_accuracy(const Array& counts) {
  double right = 0, all = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    all += counts.at(i);
    if (i % (counts.dim(0) + 1) == 0) right += counts.at(i);
  }
  return right / all;
}

Table iou_table(const std::vector<std::string>& names, const Array& counts) {
  Table table{.name = "iou", .rows_are = "class", .columns = {"iou"}, .rows = {}};
  for (size_t k = 0; k < names.size(); ++k) {
    const Overlap overlap = overlap_of(counts, static_cast<int64_t>(k));
    if (overlap.either() > 0) table.rows.push_back({names[k], {overlap.iou()}});
  }
  return table;
}

Table confusion_of_counts(const std::vector<std::string>& names, const Array& counts) {
  Table table = confusion_table(names);
  for (size_t k = 0; k < names.size(); ++k) {
    for (size_t c = 0; c < names.size(); ++c)
      table.rows[k].second[c] = counts.at(static_cast<int64_t>(k * names.size() + c));
  }
  return table;
}

Tensor confusion(const Tensor& output, const Tensor& masks) {
  const Tensor logits = cast(output, DType::f32);
  return confusion_matrix(logits, labels_of(stored_classes(logits, masks)), ignored);
}

/// f64[2]: the sum of the pixels' cross-entropies, and how many pixels count.
Tensor loss_and_pixels(const Tensor& output, const Tensor& masks) {
  const Tensor logits = cast(output, DType::f32), stored = stored_classes(logits, masks);
  const Tensor pixels = sum(minimum(stored, 1));
  const Tensor loss = counted_cross_entropy(logits, stored, {});
  const auto entry = [](const Tensor& x) { return reshape(cast(x, DType::f64), {1}); };
  return concat({entry(loss) * entry(pixels), entry(pixels)}, 0);
}

/// How a class index is spread over a picture: the class at the centre of each of its pixels, or
/// 255 where the net saw nothing of it.
Image spread(const Image& classes, const ShownInput& shown) {
  Image image = Image::black(shown.picture.height, shown.picture.width, 1);
  // Pixels of the net's input around its output, on each side.
  const double rim_y = (shown.place.height - classes.height) / 2.0,
               rim_x = (shown.place.width - classes.width) / 2.0;
  for (int y = 0; y < image.height; ++y) {
    const double at_y =
        (y + 0.5 - shown.place.area.top) / shown.place.area.height * shown.place.height - rim_y;
    for (int x = 0; x < image.width; ++x) {
      const double at_x =
          (x + 0.5 - shown.place.area.left) / shown.place.area.width * shown.place.width - rim_x;
      const bool inside = at_y >= 0 && at_x >= 0 && at_y < classes.height && at_x < classes.width;
      *image.at(y, x) =
          inside ? *classes.at(static_cast<int>(at_y), static_cast<int>(at_x)) : uint8_t{255};
    }
  }
  return image;
}

}  // namespace

Entry segmentation_entry() {
  return {.name = std::string(Segmentation::id),
          .help = "a class for each pixel: cross-entropy; mean_iou, pixel_accuracy, dice",
          .fits = are_masks,
          .make = [](const data::Targets& targets,
                     const Arguments&) { return std::make_unique<Segmentation>(targets); },
          .targets =
              [](int64_t outputs, std::vector<std::string> names) {
                return data::mask_targets(numbered(std::move(names), outputs));
              }};
}

Segmentation::Segmentation(data::Targets targets) : targets_(std::move(targets)) {
  if (are_masks(targets_)) return;
  throw Error(ErrorKind::usage, "segment: targets must be masks u8[H,W,1] with named classes")
      .with("found", to_string(targets_.type));
}

std::vector<std::string> Segmentation::losses() const {
  return {std::string(cross_entropy_name), std::string(dice_name), std::string(focal_name)};
}

Tensor Segmentation::loss(const Tensor& output, const Tensor& target,
                          const LossOptions& options) const {
  const Tensor stored = stored_classes(output, target);
  Tensor weights;
  if (!options.class_weights.empty())
    weights = constant_of(options.class_weights, {outputs()}, output);
  const std::vector<std::string> terms =
      options.losses.empty() ? std::vector{std::string(cross_entropy_name)} : options.losses;
  Tensor all;
  for (const std::string& term : terms) {
    const Tensor one = term == dice_name ? dice(output, stored)
                       : term == focal_name
                           ? focal(output, stored, options.class_weights)
                           : counted_cross_entropy(output, stored,
                                                   {.label_smoothing = options.label_smoothing,
                                                    .class_weights = weights});
    all = all ? all + one : one;
  }
  return all;
}

std::vector<double> Segmentation::balanced_weights(const data::Dataset& samples) const {
  std::vector<double> counts(static_cast<size_t>(outputs()));
  for (int64_t i = 0; i < samples.size(); ++i) {
    const Array mask = samples.target(i);
    for (const uint8_t stored : mask.data<uint8_t>()) {
      if (stored > 0) ++counts[stored - size_t{1}];
    }
  }
  double all = 0, present = 0;
  for (const double count : counts) {
    all += count;
    present += count > 0;
  }
  for (double& count : counts) count = count == 0 ? 0 : all / (present * count);
  return counts;
}

std::vector<Metric> Segmentation::metrics() const {
  const auto number = [](auto of) {
    return [of](const Array& counts, int64_t) -> std::optional<double> { return of(counts); };
  };
  return {{.name = "mean_iou",
           .sum = confusion,
           .value = number([](const Array& m) { return mean_over_classes(m, &Overlap::iou); }),
           .table = [names = targets_.names](const Array& counts,
                                             int64_t) { return iou_table(names, counts); }},
          {.name = "pixel_accuracy", .sum = confusion, .value = number(pixel_accuracy)},
          {.name = "dice",
           .in_training = false,
           .sum = confusion,
           .value = number([](const Array& m) { return mean_over_classes(m, &Overlap::dice); })},
          {.name = "loss",
           .better = Better::smaller,
           .in_training = false,
           .sum = loss_and_pixels,
           .value = number([](const Array& sums) { return sums.at(0) / sums.at(1); })},
          {.name = "confusion",
           .in_training = false,
           .sum = confusion,
           .table = [names = targets_.names](const Array& counts, int64_t) {
             return confusion_of_counts(names, counts);
           }}};
}

Tensor Segmentation::explained(const Tensor& output, const std::optional<Region>& region) const {
  const Tensor logits = cast(output, DType::f32);
  if (!region) {
    const Shape places = logits.shape().slice(2);
    const Tensor predicted =
        one_hot(reshape(argmax(logits), logits.shape().slice(0, 1).concat(places)), logits.dim(1),
                DType::f32);
    const std::vector<int> axes = pixel_axes(logits);
    const Tensor pixels = sum(predicted, axes, true), some = minimum(pixels, 1);
    const Tensor weights =
        predicted / maximum(pixels, 1) + (1 - some) * (1.0 / static_cast<double>(places.numel()));
    return sum(logits * weights, axes);
  }
  if (logits.rank() != 4) {
    throw Error(ErrorKind::usage, "explain: places are of images, not of volumes")
        .with("output", to_string(output.type()));
  }
  const int64_t height = logits.dim(2), width = logits.dim(3);
  const Region& r = *region;
  if (r.top < 0 || r.left < 0 || r.bottom > height || r.right > width || r.top >= r.bottom ||
      r.left >= r.right) {
    throw Error(ErrorKind::usage, "explain: the net predicts nothing for this place")
        .with("place", fmt::format("rows {} to {}, columns {} to {} of its output", r.top,
                                   r.bottom - 1, r.left, r.right - 1))
        .with("output", to_string(output.type()));
  }
  return mean(slice(slice(logits, 2, r.top, r.bottom), 3, r.left, r.right), {2, 3});
}

Tensor Segmentation::explained_probabilities(const Tensor& numbers) const {
  return softmax(numbers);
}

Tensor Segmentation::decoded(const Tensor& output) const {
  return argmax(cast(output, DType::f32));
}

std::unique_ptr<Prediction> Segmentation::predict(const Array& decoded, int64_t i, int64_t) const {
  auto prediction = std::make_unique<MaskPrediction>();
  const Shape places = decoded.shape().slice(1);
  const int64_t count = places.numel();
  prediction->mask = Array(DType::u8, places);
  const std::span<uint8_t> mask = prediction->mask.data<uint8_t>();
  std::vector<int64_t> pixels(static_cast<size_t>(outputs()));
  for (int64_t p = 0; p < count; ++p) {
    const auto k = static_cast<size_t>(decoded.data<int64_t>()[static_cast<size_t>(i * count + p)]);
    mask[static_cast<size_t>(p)] = static_cast<uint8_t>(k);
    ++pixels[k];
  }
  for (size_t k = 0; k < pixels.size(); ++k) {
    prediction->shares.emplace_back(targets_.names[k],
                                    static_cast<double>(pixels[k]) / static_cast<double>(count));
  }
  return prediction;
}

Cells Segmentation::scored(const Array& decoded, const Array& targets, int64_t i) const {
  const Shape predicted = decoded.shape().slice(1), masks = targets.shape().slice(1);
  int64_t right = 0, all = 0;
  for (int64_t p = 0; p < predicted.numel(); ++p) {
    int64_t rest = p, place = 0, stride = 1;  // of the pixel in the mask, whose centre is predicted
    for (int axis = predicted.rank() - 1; axis >= 0; --axis) {
      const int64_t before = (masks[axis] - predicted[axis]) / 2;
      place += (before + rest % predicted[axis]) * stride;
      rest /= predicted[axis];
      stride *= masks[axis];
    }
    const double stored = targets.at(i * masks.numel() + place);
    if (stored == 0) continue;
    ++all;
    right += decoded.at(i * predicted.numel() + p) == stored - 1;
  }
  Cells cells{
      {"pixel_accuracy",
       all == 0 ? "" : format_number(static_cast<double>(right) / static_cast<double>(all))}};
  for (auto& cell : predict(decoded, i, outputs())->cells()) cells.push_back(std::move(cell));
  return cells;
}

std::string MaskPrediction::text() const {
  Numbers shown = shares;
  std::erase_if(shown, [](const auto& share) { return share.second == 0; });
  std::ranges::stable_sort(shown, std::greater(), &std::pair<std::string, double>::second);
  return probability_text(shown);
}

Json MaskPrediction::json() const { return numbers_json("classes", "share", shares); }

Cells MaskPrediction::cells() const {
  Cells cells;
  for (const auto& [name, share] : shares) cells.emplace_back(name, format_number(share));
  return cells;
}

std::vector<std::pair<std::string, Array>> MaskPrediction::arrays() const {
  if (mask.shape().rank() == 2) return {};
  return {{"mask", mask}};
}

std::vector<PredictedPicture> MaskPrediction::pictures(const ShownInput& shown) const {
  if (mask.shape().rank() == 3) {
    Array stored = mask.clone();
    for (uint8_t& k : stored.data<uint8_t>()) ++k;
    return {{"overlay", png_bytes(data::volume_overlay(shown.picture, stored,
                                                       static_cast<int>(shares.size())))}};
  }
  Image classes = Image::black(static_cast<int>(mask.dim(0)), static_cast<int>(mask.dim(1)), 1);
  std::ranges::copy(mask.data<uint8_t>(), classes.pixels.begin());
  const Image spread_classes = spread(classes, shown);
  std::vector<PaletteColor> colors = draw::class_colors(static_cast<int>(shares.size()));
  const Image overlay = draw::class_overlay(shown.picture, spread_classes, colors);
  colors.resize(256, {224, 224, 192});  // of 255, what the net did not see
  return {{"mask", palette_png_bytes(spread_classes, colors)}, {"overlay", png_bytes(overlay)}};
}

}  // namespace fovea::tasks
