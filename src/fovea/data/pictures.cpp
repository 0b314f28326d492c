#include "fovea/data/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "fovea/core/text.h"
#include "fovea/data/boxes.h"
#include "fovea/data/volume.h"
#include "fovea/draw/boxes.h"
#include "fovea/draw/classes.h"
#include "fovea/draw/curve.h"
#include "fovea/draw/heat.h"
#include "fovea/images/resize.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

constexpr int64_t most_words = 4;

/// "background 80% bag 15%".
std::string mask_text(const Array& mask, const std::vector<std::string>& names) {
  std::vector<std::pair<double, std::string>> shares;
  for (size_t k = 0; k < names.size(); ++k) shares.emplace_back(0, names[k]);
  for (const uint8_t stored : mask.data<uint8_t>()) {
    if (stored > 0 && stored <= names.size()) ++shares[stored - size_t{1}].first;
  }
  std::ranges::stable_sort(shares, std::greater(), &std::pair<double, std::string>::first);
  std::vector<std::string> words;
  for (const auto& [pixels, name] : shares) {
    if (pixels == 0 || std::ssize(words) == most_words) break;
    words.push_back(
        fmt::format("{} {:.0f}%", name, 100 * pixels / static_cast<double>(mask.numel())));
  }
  return join(words, " ");
}

/// "bag x2, coat", the most frequent first; "no boxes".
std::string boxes_text(const Array& target, const std::vector<std::string>& names) {
  std::map<int64_t, int64_t> counts;
  for (const ClassBox& box : boxes_of(target)) ++counts[box.label];
  std::vector<std::pair<int64_t, std::string>> classes;
  for (const auto& [label, count] : counts)
    classes.emplace_back(count, names[static_cast<size_t>(label)]);
  std::ranges::stable_sort(classes, std::greater(), &std::pair<int64_t, std::string>::first);
  std::vector<std::string> words;
  for (const auto& [count, name] : classes) {
    if (std::ssize(words) == most_words) break;
    words.push_back(count == 1 ? name : fmt::format("{} x{}", name, count));
  }
  return words.empty() ? "no boxes" : join(words);
}

/// A picture with the boxes of a target.
Image boxes_picture(const Image& picture, const Array& target,
                    const std::vector<std::string>& names) {
  constexpr int readable = 200;  // pixels
  std::vector<draw::DrawnBox> drawn;
  for (const ClassBox& box : boxes_of(target)) {
    drawn.push_back({.box = {box.y1, box.x1, box.height(), box.width()},
                     .label = box.label,
                     .text = names[static_cast<size_t>(box.label)],
                     .dashed = !box.counts});
  }
  return draw::box_picture(picture, drawn, readable);
}

}  // namespace

Image volume_overlay(const Image& picture, const Array& mask, int classes) {
  const Array slices = middle_slices(mask.astype(DType::f32).reshaped(mask.shape().slice(0, 3)), 0);
  Image shown = Image::black(static_cast<int>(slices.dim(0)), static_cast<int>(slices.dim(1)), 1);
  for (int64_t i = 0; i < slices.numel();
       ++i)  // what does not count becomes 255, which is no class
    shown.pixels[static_cast<size_t>(i)] = static_cast<uint8_t>(static_cast<int>(slices.at(i)) - 1);
  return draw::class_overlay(picture, resize(shown, picture.height, picture.width, Filter::nearest),
                             draw::class_colors(classes));
}

Image numbers_picture(const Array& values, const Array* map) {
  const Shape& shape = values.shape();
  if (shape.rank() == 2) return draw::curve_image(values, map);
  if (shape.rank() == 4) return volume_picture(values, map);
  const Image picture = draw::input_image(values, draw::min_max(values.data<float>()));
  return map == nullptr ? picture : draw::overlay(picture, *map, {0, 1});
}

Image input_picture(const Array& input, const Modality* modality) {
  if (modality == nullptr && input.dtype() == DType::f32) return numbers_picture(input);
  return modality != nullptr ? modality->picture(input) : to_rgb(to_8_bits(to_picture(input)));
}

Image sample_picture(const Array& input, const Array& target, const Targets& targets,
                     const Modality* modality) {
  if (modality != nullptr) {
    const Image picture = modality->picture(input);
    return is_mask(targets.type)
               ? volume_overlay(picture, target, static_cast<int>(targets.names.size()))
               : picture;
  }
  Image picture = to_8_bits(to_picture(input));
  if (is_boxes(targets.type)) return boxes_picture(picture, target, targets.names);
  if (!is_mask(targets.type)) return picture;
  Image classes = Image::black(picture.height, picture.width, 1);
  // What does not count, 0, becomes 255, which is no class.
  std::ranges::transform(target.data<uint8_t>(), classes.pixels.begin(),
                         [](uint8_t stored) { return static_cast<uint8_t>(stored - 1); });
  return draw::class_overlay(picture, classes,
                             draw::class_colors(static_cast<int>(targets.names.size())));
}

std::string target_text(const Array& target, const Targets& targets) {
  const auto name = [&](int64_t i) { return targets.names[static_cast<size_t>(i)]; };
  if (is_mask(targets.type)) return mask_text(target, targets.names);
  if (is_boxes(targets.type)) return boxes_text(target, targets.names);
  const bool classes = targets.type == class_targets({}).type;
  if (classes && target.numel() == 1) return name(static_cast<int64_t>(target.at(0)));
  std::vector<std::string> words;
  for (int64_t i = 0; i < target.numel() && std::ssize(words) < most_words; ++i) {
    const double value = target.at(i);
    if (!classes && targets.task != "multilabel") {
      words.push_back(fmt::format("{:.3g}", value));
    } else if (value > 0.005 && i < std::ssize(targets.names)) {
      words.push_back(value > 0.995 ? name(i) : fmt::format("{} {:.0f}%", name(i), 100 * value));
    }
  }
  return join(words, " ");
}

}  // namespace fovea::data
