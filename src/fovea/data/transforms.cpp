#include "fovea/data/transforms.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

constexpr int64_t max_pad = 1 << 20;

Error augment_error(std::string headline) {
  return Error(ErrorKind::usage, "--augment: " + std::move(headline))
      .with("known", "none, standard (crop:4,flip:0.5), or a comma list of crop[:PAD], flip[:P]");
}

/// The whole of `text` as a number in [low, high], or nothing.
template <class T>
std::optional<T> number(std::string_view text, T low, T high) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= low && value <= high)) return std::nullopt;
  return value;
}

Augmentation::Step parse_step(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const bool has_value = colon != std::string::npos;
  const std::string value = has_value ? text.substr(colon + 1) : "";
  if (name == "crop") {
    const auto pad = has_value ? number<int64_t>(value, 0, max_pad) : RandomCrop{}.pad;
    if (!pad) throw augment_error("crop:PAD takes pixels, 0 or more, not \"" + value + "\"");
    return RandomCrop{*pad};
  }
  if (name == "flip") {
    const auto p = has_value ? number<double>(value, 0, 1) : RandomFlip{}.p;
    if (!p) throw augment_error("flip:P takes a probability, 0 to 1, not \"" + value + "\"");
    return RandomFlip{*p};
  }
  if (text == "none" || text == "standard") {
    throw augment_error("\"" + text + "\" stands alone, not in a list");
  }
  throw augment_error("unknown augmentation \"" + text + "\"");
}

std::string shortest(double value) {
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return {digits.data(), result.ptr};
}

struct StepText {
  std::string operator()(const RandomCrop& crop) const {
    return "crop:" + std::to_string(crop.pad);
  }
  std::string operator()(const RandomFlip& flip) const { return "flip:" + shortest(flip.p); }
};

}  // namespace

void shift(const ImageSize& size, std::span<uint8_t> image, int64_t down, int64_t right) {
  const int64_t row = size.width * size.channels;
  const int64_t gap = std::min(std::abs(right), size.width) * size.channels;
  const int64_t from = right < 0 ? gap : 0;
  const int64_t to = right < 0 ? 0 : gap;
  const int64_t blank = right < 0 ? row - gap : 0;
  uint8_t* data = image.data();
  for (int64_t i = 0; i < size.height; ++i) {
    // Rows are written in the order in which none is overwritten before it is read.
    const int64_t y = down > 0 ? size.height - 1 - i : i;
    const int64_t source = y - down;
    uint8_t* out = data + y * row;
    if (source < 0 || source >= size.height) {
      std::memset(out, 0, static_cast<size_t>(row));
    } else {
      std::memmove(out + to, data + source * row + from, static_cast<size_t>(row - gap));
      std::memset(out + blank, 0, static_cast<size_t>(gap));
    }
  }
}

void flip(const ImageSize& size, std::span<uint8_t> image) {
  const int64_t channels = size.channels;
  for (int64_t y = 0; y < size.height; ++y) {
    uint8_t* left = image.data() + y * size.width * channels;
    if (channels == 1) {
      std::reverse(left, left + size.width);
      continue;
    }
    uint8_t* right = left + (size.width - 1) * channels;
    for (; left < right; left += channels, right -= channels) {
      std::swap_ranges(left, left + channels, right);
    }
  }
}

void RandomCrop::operator()(const ImageSize& size, std::span<uint8_t> image, Random& random) const {
  const auto offsets = static_cast<uint64_t>(2 * pad + 1);
  const int64_t down = static_cast<int64_t>(random.below(offsets)) - pad;
  const int64_t right = static_cast<int64_t>(random.below(offsets)) - pad;
  if (down != 0 || right != 0) shift(size, image, down, right);
}

void RandomFlip::operator()(const ImageSize& size, std::span<uint8_t> image, Random& random) const {
  if (random.uniform() < p) flip(size, image);
}

Augmentation Augmentation::parse(std::string_view text) {
  if (text == "none") return {};
  if (text == "standard") return Augmentation({RandomCrop{}, RandomFlip{}});
  std::vector<Step> steps;
  for (const std::string& part : split(text, ',')) steps.push_back(parse_step(part));
  return Augmentation(std::move(steps));
}

std::string Augmentation::text() const {
  if (steps_.empty()) return "none";
  std::vector<std::string> parts;
  for (const Step& step : steps_) parts.push_back(std::visit(StepText{}, step));
  return join(parts, ",");
}

void Augmentation::check(const ImageSize& size) const {
  for (const Step& step : steps_) {
    const auto* crop = std::get_if<RandomCrop>(&step);
    if (crop != nullptr && crop->pad >= std::min(size.height, size.width)) {
      throw augment_error("crop:" + std::to_string(crop->pad) + " could miss images of " +
                          std::to_string(size.height) + "x" + std::to_string(size.width));
    }
  }
}

void Augmentation::operator()(const ImageSize& size, std::span<uint8_t> image,
                              Random& random) const {
  for (const Step& step : steps_) {
    std::visit([&](const auto& change) { change(size, image, random); }, step);
  }
}

}  // namespace fovea::data
