#include "fovea/images/preprocessing.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fovea/core/error.h"

namespace fovea {
namespace {

constexpr int largest_side = 16384;
constexpr int max_channels = 65536;
constexpr double largest_value = 1e6;

std::string out_of_range(const std::string& what, int value, int low, int high) {
  if (value >= low && value <= high) return "";
  return fmt::format("{} is {}, not from {} to {}", what, value, low, high);
}

std::string values_problem(const std::string& what, const std::vector<double>& values, int channels,
                           double low) {
  if (values.size() != static_cast<size_t>(channels)) {
    return fmt::format("{} has {}, but the input has {}", what,
                       counted(std::ssize(values), "value"), counted(channels, "channel"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= low && values[i] <= largest_value) continue;  // false for NaN
    return fmt::format("{}[{}] is {}, not from {} to 1e6", what, i, values[i],
                       low < 0 ? "-1e6" : "1e-6");
  }
  return "";
}

/// A picture scaled so that its shorter side is `shorter`, as a window on its middle.
Region middle_of(int image_height, int image_width, const Preprocessing& p) {
  const int shorter = *p.resize;
  const auto scaled = [&](int side, int other) -> int64_t {
    return side <= other ? shorter : int64_t{shorter} * side / other;
  };
  const int64_t height = scaled(image_height, image_width);
  const int64_t width = scaled(image_width, image_height);
  if (std::max(height, width) > std::numeric_limits<int>::max()) {
    throw Error(ErrorKind::data,
                fmt::format("image of {}x{} is too narrow to scale its shorter side to {}",
                            image_height, image_width, shorter));
  }
  const int full_height = static_cast<int>(height), full_width = static_cast<int>(width);
  return {full_height,
          full_width,
          center_offset(full_height, p.height),
          center_offset(full_width, p.width),
          p.height,
          p.width};
}

}  // namespace

std::string problem(const Preprocessing& p) {
  const int larger = std::max(p.height, p.width);
  for (const std::string& text :
       {out_of_range("height", p.height, 1, largest_side),
        out_of_range("width", p.width, 1, largest_side),
        out_of_range("channels", p.channels, 1, max_channels),
        p.resize ? out_of_range("resize", *p.resize, larger, largest_side) : std::string(),
        p.letterbox ? out_of_range("letterbox", *p.letterbox, 0, 255) : std::string(),
        p.resize && p.letterbox ? std::string("both resize and letterbox are given")
                                : std::string(),
        values_problem("mean", p.mean, p.channels, -largest_value),
        values_problem("std", p.std, p.channels, minimum_std)}) {
    if (!text.empty()) return text;
  }
  return "";
}

MinimumSize minimum_size_for(const Preprocessing& p) {
  return p.resize ? MinimumSize{*p.resize, *p.resize} : MinimumSize{p.height, p.width};
}

template <class Sample>
BasicImage<Sample> prepare(const BasicImage<Sample>& image, const Preprocessing& p) {
  const std::string wrong = problem(p);
  if (!wrong.empty()) throw Error(ErrorKind::usage, fmt::format("preprocessing: {}", wrong));
  if (p.channels != 1 && p.channels != 3) {
    throw Error(ErrorKind::usage,
                fmt::format("pictures have 1 or 3 channels, but the network takes {}", p.channels))
        .with("try", "raw arrays (--input x.npy)");
  }
  const BasicImage<Sample> colours = p.channels == 1 ? to_gray(image) : to_rgb(image);
  if (p.letterbox)
    return letterbox(colours, p.height, p.width, static_cast<uint8_t>(*p.letterbox), p.filter);
  const Region window = p.resize ? middle_of(image.height, image.width, p)
                                 : Region{p.height, p.width, 0, 0, p.height, p.width};
  return resize_window(colours, window, p.filter);
}

PictureArea prepared_area(int height, int width, const Preprocessing& p) {
  if (p.letterbox) {
    const LetterboxPart part = letterbox_part(height, width, p.height, p.width);
    const double y = static_cast<double>(height) / part.height;
    const double x = static_cast<double>(width) / part.width;
    return {-part.top * y, -part.left * x, p.height * y, p.width * x};
  }
  if (!p.resize) return {0, 0, static_cast<double>(height), static_cast<double>(width)};
  const Region window = middle_of(height, width, p);
  const double y = static_cast<double>(height) / window.full_height;
  const double x = static_cast<double>(width) / window.full_width;
  return {window.top * y, window.left * x, window.height * y, window.width * x};
}

InputPlace whole_place(int height, int width) {
  const PictureArea all{0, 0, static_cast<double>(height), static_cast<double>(width)};
  return {all, height, width, height, width};
}

InputPlace prepared_place(int height, int width, const Preprocessing& p) {
  return {prepared_area(height, width, p), p.height, p.width, height, width};
}

double InputPlace::picture_x(double x) const {
  return std::clamp<double>(area.left + x * (area.width / width), 0, picture_width);
}

double InputPlace::picture_y(double y) const {
  return std::clamp<double>(area.top + y * (area.height / height), 0, picture_height);
}

template Image prepare(const Image&, const Preprocessing&);
template Image16 prepare(const Image16&, const Preprocessing&);

}  // namespace fovea
