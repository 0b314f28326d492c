#include "fovea/draw/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "fovea/core/base64.h"
#include "fovea/core/error.h"
#include "fovea/images/codec.h"
#include "fovea/images/resize.h"

namespace fovea::draw {
namespace {

constexpr int pixels_per_column = 9;  // about what terminals have

Image scaled_to_width(const Image& picture, int width) {
  if (picture.width == width) return picture;
  const double ratio = static_cast<double>(width) / picture.width;
  return resize(picture, std::max(static_cast<int>(std::lround(picture.height * ratio)), 1), width,
                width > picture.width ? Filter::nearest : Filter::bilinear);
}

std::string blocks(const Image& picture, int columns) {
  constexpr int readable = 56;
  const int factor = std::min(columns, readable) / picture.width;
  const Image image = scaled_to_width(
      picture, factor >= 1 ? picture.width * factor : std::min(picture.width, columns));
  std::string text;
  for (int y = 0; y < image.height; y += 2) {
    for (int x = 0; x < image.width; ++x) {
      const uint8_t* upper = image.at(y, x);
      fmt::format_to(std::back_inserter(text), "\x1b[38;2;{};{};{}m", upper[0], upper[1], upper[2]);
      if (y + 1 < image.height) {
        const uint8_t* lower = image.at(y + 1, x);
        fmt::format_to(std::back_inserter(text), "\x1b[48;2;{};{};{}m", lower[0], lower[1],
                       lower[2]);
      }
      text += "\u2580";
    }
    text += "\x1b[0m\n";
  }
  return text;
}

/// Colours are rounded to a cube of six levels per channel.
std::string sixel(const Image& image) {
  constexpr int levels = 6, band_height = 6;
  const auto level = [](uint8_t v) { return (v * (levels - 1) + 127) / 255; };
  std::string text = fmt::format("\x1bPq\"1;1;{};{}", image.width, image.height);
  for (int c = 0; c < levels * levels * levels; ++c) {
    const auto percent = [](int l) { return l * 100 / (levels - 1); };
    fmt::format_to(std::back_inserter(text), "#{};2;{};{};{}", c, percent(c / levels / levels),
                   percent(c / levels % levels), percent(c % levels));
  }
  for (int top = 0; top < image.height; top += band_height) {
    const int rows = std::min(band_height, image.height - top);
    std::vector<int> colors(static_cast<size_t>(rows * image.width));
    std::vector<bool> used(levels * levels * levels);
    for (int y = 0; y < rows; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const uint8_t* p = image.at(top + y, x);
        const int c = (level(p[0]) * levels + level(p[1])) * levels + level(p[2]);
        colors[static_cast<size_t>(y * image.width + x)] = c;
        used[static_cast<size_t>(c)] = true;
      }
    }
    for (size_t c = 0; c < used.size(); ++c) {
      if (!used[c]) continue;
      fmt::format_to(std::back_inserter(text), "#{}", c);
      for (int x = 0; x < image.width;) {
        const auto bits = [&](int column) {
          int mask = 0;
          for (int y = 0; y < rows; ++y)
            mask |= (colors[static_cast<size_t>(y * image.width + column)] == static_cast<int>(c))
                    << y;
          return mask;
        };
        const int mask = bits(x);
        int run = 1;
        while (x + run < image.width && bits(x + run) == mask) ++run;
        fmt::format_to(std::back_inserter(text), "!{}{}", run, static_cast<char>(63 + mask));
        x += run;
      }
      text += '$';
    }
    text += '-';
  }
  return text + "\x1b\\\n";
}

std::string kitty(const Image& image) {
  constexpr size_t part = 4096;
  const std::string data = base64(png_bytes(image));
  std::string text;
  for (size_t at = 0; at < data.size(); at += part) {
    text += fmt::format("\x1b_G{}m={};{}\x1b\\", at == 0 ? "a=T,f=100," : "",
                        at + part < data.size() ? 1 : 0, data.substr(at, part));
  }
  return text + "\n";
}

}  // namespace

std::string terminal_picture(const Image& picture, TerminalPictures how, int columns) {
  if (columns < 1) throw Error(ErrorKind::usage, "a terminal has at least one column");
  const Image rgb = to_rgb(picture);
  if (how == TerminalPictures::blocks) return blocks(rgb, columns);
  const Image image = scaled_to_width(rgb, std::min(rgb.width, columns * pixels_per_column));
  return how == TerminalPictures::sixel ? sixel(image) : kitty(image);
}

}  // namespace fovea::draw
