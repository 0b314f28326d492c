#include "fovea/draw/surface.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fovea::draw {
namespace {

/// The number of bytes of the UTF-8 character at the beginning of `text`; 0 if there is none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t count = first < 0x80                    ? 1
                       : first >= 0xc2 && first < 0xe0 ? 2
                       : first >= 0xe0 && first < 0xf0 ? 3
                       : first >= 0xf0 && first < 0xf5 ? 4
                                                       : 0;
  if (count == 0 || count > text.size()) return 0;
  for (size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) >= 0xa0) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return count;
}

std::string number(double value) { return fmt::format("{:.5g}", std::round(value * 100) / 100); }

constexpr double baseline = 7, dash = 4;

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t count = character_bytes(text);
    const char c = text[0];
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (c == '\'')
      result += "&#39;";
    else if (count == 0 || (static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t') ||
             c == 127)
      result += '?';
    else
      result += text.substr(0, count);
    text.remove_prefix(std::max<size_t>(count, 1));
  }
  return result;
}

SvgSurface::SvgSurface(double height, double width, std::string_view title) {
  const std::string h = number(height), w = number(width), name = escaped(title);
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" "
      "height=\"{}\" role=\"img\" aria-label=\"{}\" font-family=\"system-ui, sans-serif\" "
      "font-size=\"10\">\n<title>{}</title>\n",
      w, h, number(2 * width), number(2 * height), name, name);
  fill({0, 0, height, width}, white);
}

std::string SvgSurface::document() const {
  return body_ + (clipped_ ? "</g>\n</svg>\n" : "</svg>\n");
}

void SvgSurface::fill(const Box& box, Color color) {
  body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                       number(box.left), number(box.top), number(std::max(box.width, 0.0)),
                       number(std::max(box.height, 0.0)), hex(color));
}

void SvgSurface::polyline(std::span<const Point> points, Color color, double thickness,
                          bool dashed) {
  std::string path;
  size_t joined = 0;
  for (const Point& p : points) {
    const bool finite = std::isfinite(p.y) && std::isfinite(p.x);
    if (finite) path += fmt::format("{}{} {}", joined == 0 ? "M" : "L", number(p.x), number(p.y));
    if (!finite && joined == 1) path += "h0";  // a point alone becomes a dot
    joined = finite ? joined + 1 : 0;
  }
  if (joined == 1) path += "h0";
  if (path.empty()) return;
  body_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" "
      "stroke-linejoin=\"round\"{}/>\n",
      path, hex(color), number(thickness),
      dashed ? fmt::format(" stroke-dasharray=\"{} {}\"", dash, dash) : "");
}

void SvgSurface::disk(Point center, double radius, Color color) {
  if (!std::isfinite(center.y) || !std::isfinite(center.x)) return;
  body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>\n", number(center.x),
                       number(center.y), number(radius), hex(color));
}

void SvgSurface::text(Point at, std::string_view text, Color color, Anchor anchor, bool bold) {
  const std::string_view name = anchor == Anchor::left     ? "start"
                                : anchor == Anchor::middle ? "middle"
                                                           : "end";
  body_ += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\" text-anchor=\"{}\"{}>{}</text>\n",
                       number(at.x), number(at.y + baseline), hex(color), name,
                       bold ? " font-weight=\"bold\"" : "", escaped(text));
}

void SvgSurface::text_upwards(Point at, std::string_view text, Color color) {
  body_ += fmt::format(
      "<text transform=\"translate({} {}) rotate(-90)\" y=\"{}\" fill=\"{}\" "
      "text-anchor=\"middle\">{}</text>\n",
      number(at.x), number(at.y), number(baseline / 2), hex(color), escaped(text));
}

void SvgSurface::clip(const Box* box) {
  if (clipped_) body_ += "</g>\n";
  clipped_ = box != nullptr;
  if (box == nullptr) return;
  ++clips_;
  body_ += fmt::format(
      "<clipPath id=\"c{}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>"
      "<g clip-path=\"url(#c{})\">\n",
      clips_, number(box->left), number(box->top), number(box->width), number(box->height), clips_);
}

CanvasSurface::CanvasSurface(double height, double width, int scale)
    : scale_(scale),
      canvas_(std::llround(std::min(height * scale, 1e9)),
              std::llround(std::min(width * scale, 1e9))) {}

void CanvasSurface::fill(const Box& box, Color color) {
  canvas_.fill({box.top * scale_, box.left * scale_, box.height * scale_, box.width * scale_},
               color);
}

void CanvasSurface::polyline(std::span<const Point> points, Color color, double thickness,
                             bool dashed) {
  std::vector<Point> scaled(points.begin(), points.end());
  for (Point& p : scaled) p = {p.y * scale_, p.x * scale_};
  canvas_.polyline(scaled, color, thickness * scale_, dashed ? dash * scale_ : 0);
}

void CanvasSurface::disk(Point center, double radius, Color color) {
  canvas_.disk({center.y * scale_, center.x * scale_}, radius * scale_, color);
}

void CanvasSurface::text(Point at, std::string_view text, Color color, Anchor anchor, bool bold) {
  canvas_.text(at.y * scale_, at.x * scale_, text,
               {.color = color, .scale = scale_, .bold = bold, .anchor = anchor});
}

void CanvasSurface::text_upwards(Point at, std::string_view text, Color color) {
  const int width = text_width(text, scale_), height = letter_height * scale_;
  if (width == 0) return;
  Canvas flat(height, width);
  flat.text(0, 0, text, {.color = color, .scale = scale_});
  Image turned = Image::black(width, height, 3);
  for (int y = 0; y < width; ++y) {
    for (int x = 0; x < height; ++x)
      std::copy_n(flat.image().at(x, width - 1 - y), 3, turned.at(y, x));
  }
  canvas_.paste(turned, std::llround(at.y * scale_ - width / 2.0),
                std::llround(at.x * scale_ - height / 2.0));
}

void CanvasSurface::clip(const Box* box) {
  if (box == nullptr) return canvas_.clip();
  canvas_.clip({box->top * scale_, box->left * scale_, box->height * scale_, box->width * scale_});
}

}  // namespace fovea::draw
