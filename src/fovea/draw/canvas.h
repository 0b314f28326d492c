#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/images/image.h"

/// Pictures made of numbers: canvases, colormaps, grids, heat maps, charts.
namespace fovea::draw {

struct Color {
  uint8_t red = 0, green = 0, blue = 0;

  bool operator==(const Color&) const = default;
};

constexpr Color white{255, 255, 255}, ink{32, 32, 32}, faint{120, 124, 130}, rule{224, 226, 230};

/// "#1f77b4".
std::string hex(Color color);

/// Colours of series that are told apart easily, also by the colour-blind; they repeat after eight.
Color series_color(size_t index);

/// A place on a canvas, in pixels from its top left corner: pixel (y, x) covers y to y + 1.
struct Point {
  double y = 0, x = 0;
};

struct Box {
  double top = 0, left = 0, height = 0, width = 0;

  double bottom() const { return top + height; }
  double right() const { return left + width; }
};

/// Letters are 5x9 pixels at scale 1, 7 of them above the baseline, 6 apart.
constexpr int letter_height = 9;
constexpr int letter_advance = 6;

/// `text` with one byte per character: one that is not printable ASCII becomes a single "?",
/// however many bytes it has.
std::string to_ascii(std::string_view text);
/// Width in pixels of one line of text.
int text_width(std::string_view text, int scale = 1);
/// `text` as it fits into `width` pixels: cut off with ".." at its end where it is longer.
std::string fitted(std::string_view text, int width, int scale = 1);

enum class Anchor { left, middle, right };

struct TextStyle {
  Color color = ink;
  int scale = 1;  ///< letters are enlarged this many times, with smooth strokes
  bool bold = false;
  Anchor anchor = Anchor::left;  ///< which part of the line is at the given column
};

/// An RGB picture to draw on. What does not fit on it, or has a coordinate that is not finite, is
/// left out.
class Canvas {
 public:
  /// Errors: usage when a side is below 1 or the canvas would have more than 2^28 pixels.
  Canvas(int64_t height, int64_t width, Color background = white);
  /// A canvas that begins as a picture, converted to RGB.
  explicit Canvas(const Image& image);

  int height() const { return image_.height; }
  int width() const { return image_.width; }
  const Image& image() const& { return image_; }
  Image image() && { return std::move(image_); }

  /// Restricts drawing to a box; the entire canvas by default.
  void clip(const Box& box);
  void clip();

  /// A filled rectangle. `opacity`: 0 to 1.
  void fill(const Box& box, Color color, double opacity = 1);
  /// The outline of a rectangle, inside it.
  void outline(const Box& box, Color color, double thickness = 1);
  /// A line with round ends, antialiased.
  void line(Point from, Point to, Color color, double thickness = 1);
  /// Lines from each point to the next, interrupted at points that are not finite; a point alone
  /// becomes a dot. `dash`: the length of dashes and of gaps between them, 0 for none.
  void polyline(std::span<const Point> points, Color color, double thickness = 1, double dash = 0);
  /// A filled circle, antialiased.
  void disk(Point center, double radius, Color color);
  /// A picture, converted to RGB, with its top left at (top, left).
  void paste(const Image& picture, int64_t top, int64_t left);
  /// One line of text with its top at `top`. See to_ascii.
  void text(double top, double left, std::string_view text, const TextStyle& style = {});

 private:
  void blend(int y, int x, Color color, double coverage);
  struct Pixels {
    int top, left, bottom, right;  // the last two are excluded
  };
  Pixels pixels_of(const Box& box) const;

  Image image_;
  Pixels clip_{};
};

}  // namespace fovea::draw
