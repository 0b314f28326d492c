#include "fovea/draw/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/draw/font.h"

namespace fovea::draw {
namespace {

constexpr int64_t maximum_pixels = int64_t{1} << 28;

double distance(double y, double x, Point a, Point b) {
  const double dy = b.y - a.y, dx = b.x - a.x, length = dy * dy + dx * dx;
  const double t =
      length > 0 ? std::clamp(((y - a.y) * dy + (x - a.x) * dx) / length, 0.0, 1.0) : 0;
  return std::hypot(y - a.y - t * dy, x - a.x - t * dx);
}

bool finite(Point p) { return std::isfinite(p.y) && std::isfinite(p.x); }

Box around(Point a, Point b, double reach) {
  const double top = std::min(a.y, b.y) - reach, left = std::min(a.x, b.x) - reach;
  return {top, left, std::max(a.y, b.y) + reach - top, std::max(a.x, b.x) + reach - left};
}

}  // namespace

std::string hex(Color color) {
  return fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue);
}

Color series_color(size_t index) {
  // Okabe and Ito's palette for the colour-blind ("Color Universal Design", 2008), yellow darkened
  // to show on white.
  static constexpr std::array<Color, 8> palette{{{0, 114, 178},
                                                 {213, 94, 0},
                                                 {0, 158, 115},
                                                 {204, 121, 167},
                                                 {86, 180, 233},
                                                 {230, 159, 0},
                                                 {90, 90, 90},
                                                 {190, 170, 20}}};
  return palette[index % palette.size()];
}

std::string to_ascii(std::string_view text) {
  std::string ascii;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) ascii += byte >= 32 && byte < 127 ? c : '?';
  }
  return ascii;
}

int text_width(std::string_view text, int scale) {
  const auto letters = static_cast<int>(std::min<size_t>(to_ascii(text).size(), 1 << 16));
  return letters == 0 ? 0 : (letters * letter_advance - 1) * scale;
}

std::string fitted(std::string_view text, int width, int scale) {
  std::string ascii = to_ascii(text);
  const auto maximum = static_cast<size_t>(std::max((width / scale + 1) / letter_advance, 0));
  if (ascii.size() <= maximum) return ascii;
  return ascii.substr(0, maximum < 2 ? maximum : maximum - 2) + (maximum < 2 ? "" : "..");
}

Canvas::Canvas(int64_t height, int64_t width, Color background) {
  if (height > 0 && width > 0 && height > maximum_pixels / width) {
    throw Error(ErrorKind::usage,
                fmt::format("a picture of {}x{} pixels is too large to draw", height, width))
        .with("limit", fmt::format("{} pixels", maximum_pixels));
  }
  image_ = Image::black(static_cast<int>(height), static_cast<int>(width), 3);
  clip();
  for (size_t i = 0; i < image_.pixels.size(); i += 3) {
    image_.pixels[i] = background.red;
    image_.pixels[i + 1] = background.green;
    image_.pixels[i + 2] = background.blue;
  }
}

Canvas::Canvas(const Image& image) : image_(to_rgb(image)) { clip(); }

void Canvas::clip() { clip_ = {0, 0, image_.height, image_.width}; }

void Canvas::clip(const Box& box) {
  clip();
  clip_ = pixels_of(box);
}

Canvas::Pixels Canvas::pixels_of(const Box& box) const {
  const auto bounded = [](double value, int low, int high) {
    return static_cast<int>(std::clamp(value, static_cast<double>(low), static_cast<double>(high)));
  };
  return {bounded(std::floor(box.top), clip_.top, clip_.bottom),
          bounded(std::floor(box.left), clip_.left, clip_.right),
          bounded(std::ceil(box.bottom()), clip_.top, clip_.bottom),
          bounded(std::ceil(box.right()), clip_.left, clip_.right)};
}

void Canvas::blend(int y, int x, Color color, double coverage) {
  if (coverage <= 0) return;
  uint8_t* pixel = image_.at(y, x);
  const std::array<uint8_t, 3> paint{color.red, color.green, color.blue};
  for (size_t c = 0; c < 3; ++c) {
    const double mixed = pixel[c] + (paint[c] - pixel[c]) * std::min(coverage, 1.0);
    pixel[c] = static_cast<uint8_t>(std::lround(mixed));
  }
}

void Canvas::fill(const Box& box, Color color, double opacity) {
  if (!std::isfinite(box.top + box.left + box.height + box.width)) return;
  const Pixels area = pixels_of({std::round(box.top), std::round(box.left),
                                 std::round(box.bottom()) - std::round(box.top),
                                 std::round(box.right()) - std::round(box.left)});
  for (int y = area.top; y < area.bottom; ++y) {
    for (int x = area.left; x < area.right; ++x) blend(y, x, color, opacity);
  }
}

void Canvas::outline(const Box& box, Color color, double thickness) {
  const double t = std::min({thickness, box.height, box.width});
  fill({box.top, box.left, t, box.width}, color);
  fill({box.bottom() - t, box.left, t, box.width}, color);
  fill({box.top, box.left, box.height, t}, color);
  fill({box.top, box.right() - t, box.height, t}, color);
}

void Canvas::line(Point from, Point to, Color color, double thickness) {
  if (!finite(from) || !finite(to)) return;
  const Pixels area = pixels_of(around(from, to, thickness / 2 + 1));
  for (int y = area.top; y < area.bottom; ++y) {
    for (int x = area.left; x < area.right; ++x) {
      blend(y, x, color, thickness / 2 + 0.5 - distance(y + 0.5, x + 0.5, from, to));
    }
  }
}

void Canvas::polyline(std::span<const Point> points, Color color, double thickness, double dash) {
  double walked = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const bool begins = i == 0 || !finite(points[i - 1]);
    const bool ends = i + 1 == points.size() || !finite(points[i + 1]);
    if (begins && ends) disk(points[i], thickness * 1.5, color);
    if (begins) continue;
    const Point a = points[i - 1], b = points[i];
    if (dash <= 0) {
      line(a, b, color, thickness);
      continue;
    }
    const double length = std::hypot(b.y - a.y, b.x - a.x);
    if (!finite(b) || length > 1e5 * dash) continue;
    for (double at = 0; at < length;) {
      const double phase = std::fmod(walked + at, 2 * dash);
      const double step = std::min(phase < dash ? dash - phase : 2 * dash - phase, length - at);
      const auto along = [&](double d) {
        return Point{a.y + (b.y - a.y) * d / length, a.x + (b.x - a.x) * d / length};
      };
      if (phase < dash) line(along(at), along(at + step), color, thickness);
      at += std::max(step, 1e-3);
    }
    walked += length;
  }
}

void Canvas::disk(Point center, double radius, Color color) {
  if (finite(center)) line(center, center, color, 2 * radius);
}

void Canvas::paste(const Image& picture, int64_t top, int64_t left) {
  const Image rgb = to_rgb(picture);
  const Pixels area = pixels_of({static_cast<double>(top), static_cast<double>(left),
                                 static_cast<double>(rgb.height), static_cast<double>(rgb.width)});
  if (area.left >= area.right) return;
  for (int y = area.top; y < area.bottom; ++y) {
    std::copy_n(rgb.at(static_cast<int>(y - top), static_cast<int>(area.left - left)),
                3 * (area.right - area.left), image_.at(y, area.left));
  }
}

void Canvas::text(double top, double left, std::string_view text, const TextStyle& style) {
  const std::string ascii = to_ascii(text);
  const int width = text_width(text, style.scale), scale = style.scale;
  const double shift = style.anchor == Anchor::left     ? 0
                       : style.anchor == Anchor::middle ? width / 2.0
                                                        : width;
  const double y0 = std::round(top), x0 = std::round(left - shift);
  const double radius = style.bold ? 0.62 : 0.46;  // of a stroke, in pixels of the font
  for (size_t i = 0; i < ascii.size(); ++i) {
    const double start = x0 + static_cast<double>(i) * letter_advance * scale;
    const Pixels area = pixels_of({y0, start - scale, static_cast<double>(letter_height * scale),
                                   static_cast<double>((letter_advance + 1) * scale)});
    if (area.left >= area.right) continue;
    for (int y = area.top; y < area.bottom; ++y) {
      for (int x = area.left; x < area.right; ++x) {
        const double gy = (y + 0.5 - y0) / scale, gx = (x + 0.5 - start) / scale;
        double coverage = 0;
        if (scale == 1) {
          const int cy = static_cast<int>(gy), cx = static_cast<int>(std::floor(gx));
          const auto dark = [&](int column) {
            return column >= 0 && column < letter_advance - 1 && is_dark(ascii[i], cy, column);
          };
          coverage = dark(cx) || (style.bold && dark(cx - 1)) ? 1 : 0;
        } else {
          for (const Stroke& s : strokes(ascii[i])) {
            const double d = distance(gy, gx, {s.y0, s.x0}, {s.y1, s.x1});
            coverage = std::max(coverage, (radius - d) * scale + 0.5);
          }
        }
        blend(y, x, style.color, coverage);
      }
    }
  }
}

}  // namespace fovea::draw
