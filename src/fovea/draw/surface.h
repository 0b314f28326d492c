#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "fovea/draw/canvas.h"

namespace fovea::draw {

/// What charts are drawn on, in their own units: a canvas, or SVG.
class Surface {
 public:
  virtual ~Surface() = default;

  virtual void fill(const Box& box, Color color) = 0;
  virtual void polyline(std::span<const Point> points, Color color, double thickness,
                        bool dashed) = 0;
  virtual void disk(Point center, double radius, Color color) = 0;
  /// A line of text whose letters are letter_height high, with its top at `top`.
  virtual void text(Point at, std::string_view text, Color color, Anchor anchor, bool bold) = 0;
  /// Text that reads upwards, with its middle at `at`.
  virtual void text_upwards(Point at, std::string_view text, Color color) = 0;
  virtual void clip(const Box* box) = 0;
};

/// An SVG document of this size, in units.
class SvgSurface final : public Surface {
 public:
  SvgSurface(double height, double width, std::string_view title);
  std::string document() const;

  void fill(const Box& box, Color color) override;
  void polyline(std::span<const Point> points, Color color, double thickness, bool dashed) override;
  void disk(Point center, double radius, Color color) override;
  void text(Point at, std::string_view text, Color color, Anchor anchor, bool bold) override;
  void text_upwards(Point at, std::string_view text, Color color) override;
  void clip(const Box* box) override;

 private:
  std::string body_;
  int clips_ = 0;
  bool clipped_ = false;
};

/// A picture; one unit is `scale` pixels.
class CanvasSurface final : public Surface {
 public:
  CanvasSurface(double height, double width, int scale);
  Image image() && { return std::move(canvas_).image(); }

  void fill(const Box& box, Color color) override;
  void polyline(std::span<const Point> points, Color color, double thickness, bool dashed) override;
  void disk(Point center, double radius, Color color) override;
  void text(Point at, std::string_view text, Color color, Anchor anchor, bool bold) override;
  void text_upwards(Point at, std::string_view text, Color color) override;
  void clip(const Box* box) override;

 private:
  int scale_;
  Canvas canvas_;
};

/// `text` as it may stand in XML and HTML, also in attributes: & < > " ' escaped; bytes that are
/// not UTF-8, and control characters, replaced by "?".
std::string escaped(std::string_view text);

}  // namespace fovea::draw
