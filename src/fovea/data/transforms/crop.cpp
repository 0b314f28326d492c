#include "fovea/data/transforms/crop.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

constexpr std::string_view modes[] = {"zeros", "reflect", "edge"};  // in PaddingMode's order

PaddingMode mode_named(std::string_view name) {
  return static_cast<PaddingMode>(std::ranges::find(modes, name) - std::begin(modes));
}

}  // namespace

TransformEntry crop_entry() {
  return {
      .choice = {.name = "crop",
                 .arguments = {{.name = "padding",
                                .type = ArgumentType::integer,
                                .default_value = int64_t{4},
                                .maximum = 1 << 20,
                                .help = "pixels added on each side"},
                               {.name = "mode",
                                .type = ArgumentType::word,
                                .default_value = std::string(modes[0]),
                                .words = {std::begin(modes), std::end(modes)},
                                .help =
                                    "what to add: black, a mirror image or repeated edge pixels"}},
                 .help = "pads the image and crops the original size at a random position"},
      .example = "crop:4:reflect",
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<RandomCrop>(a.integer("padding"), mode_named(a.word("mode")));
      }};
}

std::string RandomCrop::text() const {
  const std::string text = "crop:" + std::to_string(padding_);
  if (mode_ == PaddingMode::zeros) return text;
  return text + ":" + std::string(modes[static_cast<size_t>(mode_)]);
}

Type RandomCrop::output(const Type& input) const {
  require_image(text(), input);
  if (mode_ == PaddingMode::zeros && padding_ >= std::min(input.shape[0], input.shape[1])) {
    throw Error(ErrorKind::usage, fmt::format("{} could miss images of {}x{}", text(),
                                              input.shape[0], input.shape[1]))
        .with("try", fmt::format("a padding below {}, or crop:{}:reflect",
                                 std::min(input.shape[0], input.shape[1]), padding_));
  }
  return input;
}

void RandomCrop::operator()(Sample& sample, TransformContext& context) const {
  const auto offsets = static_cast<uint64_t>(2 * padding_ + 1);
  const int64_t down = static_cast<int64_t>(context.random.below(offsets)) - padding_;
  const int64_t right = static_cast<int64_t>(context.random.below(offsets)) - padding_;
  if (down == 0 && right == 0) return;
  crop(sample, -down, -right, sample.input.dim(0), sample.input.dim(1), mode_);
}

TransformEntry center_crop_entry() {
  return {.choice = {.name = "center-crop",
                     .arguments = {{.name = "size",
                                    .type = ArgumentType::integer,
                                    .minimum = 1,
                                    .maximum = 16384,
                                    .help = "side length in pixels"}},
                     .help = "crops the centre, which is then resized"},
          .example = "center-crop:20",
          .make = [](const Arguments& a) -> AnyTransform {
            return std::make_shared<CenterCrop>(a.integer("size"));
          }};
}

std::string CenterCrop::text() const { return "center-crop:" + std::to_string(size_); }

Type CenterCrop::output(const Type& input) const {
  require_image(text(), input);
  return {input.dtype, {size_, size_, input.shape[2]}};
}

void CenterCrop::operator()(Sample& sample, TransformContext&) const {
  const Array& image = sample.input;
  const auto offset = [&](int axis) {
    return int64_t{center_offset(static_cast<int>(image.dim(axis)), static_cast<int>(size_))};
  };
  crop(sample, offset(0), offset(1), size_, size_);
}

}  // namespace fovea::data
