#include "fovea/data/transform.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

ChoiceTable<TransformEntry>& transform_table() {
  static ChoiceTable<TransformEntry> all(
      "transform", {crop_entry(),      center_crop_entry(),   random_resized_crop_entry(),
                    letterbox_entry(), scale_jitter_entry(),  mosaic_entry(),
                    flip_entry(),      vertical_flip_entry(), rotation_entry(),
                    affine_entry(),    perspective_entry(),   color_jitter_entry(),
                    grayscale_entry(), gaussian_blur_entry(), sharpness_entry(),
                    posterize_entry(), solarize_entry(),      autocontrast_entry(),
                    equalize_entry(),  invert_entry(),        erasing_entry(),
                    cutout_entry(),    spec_augment_entry(),  time_shift_entry(),
                    time_crop_entry(), rand_augment_entry(),  trivial_augment_entry(),
                    mixup_entry(),     cutmix_entry(),        noise_entry()});
  return all;
}

}  // namespace

bool chooses_stretch(const Transform& step) {
  Random probe(0, "probe");
  return step.stretch(probe).has_value();
}

MinimumSize Transform::minimum_size(const MinimumSize&) const { return {}; }

TransformContext::TransformContext(uint64_t seed, std::string_view place, int64_t epoch_number,
                                   int64_t samples, int64_t sample)
    : random(seed, place,
             static_cast<uint64_t>(epoch_number) * static_cast<uint64_t>(samples) +
                 static_cast<uint64_t>(sample)),
      lasting(seed, std::string(place) + " in every epoch", static_cast<uint64_t>(sample)),
      epoch(epoch_number) {}

const std::vector<TransformEntry>& transforms() { return transform_table().rows(); }

void add_transform(TransformEntry entry) {
  const std::string& name = entry.choice.name;
  if (name == "none" || name == "standard" || name == "resize") {
    throw Error(ErrorKind::usage, fmt::format("transform \"{}\": the name is taken", name));
  }
  transform_table().add(std::move(entry));
}

AnyTransform make_transform(const ChoiceText& text) {
  const auto [entry, arguments] = transform_table().read(text);
  return entry.make(arguments);
}

void require_image(std::string_view who, const Type& input) {
  if (is_image(input)) return;
  throw Error(ErrorKind::usage, fmt::format("{} needs images u8 or u16 [H, W, C]", who))
      .with("found", to_string(input))
      .with("try", "--augment none, or one of those that mix batches");
}

void require_colors(std::string_view who, const Type& input) {
  require_image(who, input);
  if (input.shape[2] == 1 || input.shape[2] == 3) return;
  throw Error(ErrorKind::usage, fmt::format("{} is for images of 1 or 3 channels", who))
      .with("found", to_string(input));
}

}  // namespace fovea::data
