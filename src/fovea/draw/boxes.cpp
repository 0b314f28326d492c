#include "fovea/draw/boxes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fovea/draw/classes.h"
#include "fovea/images/resize.h"

namespace fovea::draw {
namespace {

constexpr int side_per_thickness = 300, side_per_letter = 400;  // pixels of the longer side

Color color_of(int64_t label) {
  constexpr int known = 256;  // of class_colors, whose first is for a background
  static const std::vector<PaletteColor> colors = class_colors(known);
  const PaletteColor& color = colors[static_cast<size_t>(1 + label % (known - 1))];
  return {color[0], color[1], color[2]};
}

/// Black or white, which can be read on `color`.
Color ink_on(Color color) {
  const std::array<uint8_t, 3> rgb{color.red, color.green, color.blue};
  return gray_of(rgb.data()) > 140 ? Color{0, 0, 0} : white;
}

Image enlarged(const Image& picture, int factor) {
  if (factor == 1) return picture;
  return resize(picture, picture.height * factor, picture.width * factor, Filter::nearest);
}

void draw_frame(Canvas& canvas, const Box& box, Color color, int thickness, bool dashed) {
  if (!dashed) return canvas.outline(box, color, thickness);
  const double inset = thickness / 2.0;
  const std::array<Point, 5> corners{Point{box.top + inset, box.left + inset},
                                     {box.top + inset, box.right() - inset},
                                     {box.bottom() - inset, box.right() - inset},
                                     {box.bottom() - inset, box.left + inset},
                                     {box.top + inset, box.left + inset}};
  canvas.polyline(corners, color, thickness, 4.0 * thickness);
}

void draw_text(Canvas& canvas, const Box& box, const std::string& text, Color color, int scale,
               int thickness) {
  const int pad = scale;
  const std::string line = fitted(text, canvas.width() - 2 * pad, scale);
  if (line.empty()) return;
  const double height = letter_height * scale + 2.0 * pad;
  const double width = text_width(line, scale) + 2.0 * pad;
  const double left = std::clamp(box.left, 0.0, std::max(canvas.width() - width, 0.0));
  const double top = box.top >= height ? box.top - height : box.top + thickness;
  canvas.fill({top, left, height, width}, color);
  canvas.text(top + pad, left + pad, line, {.color = ink_on(color), .scale = scale});
}

}  // namespace

Image box_picture(const Image& picture, const std::vector<DrawnBox>& boxes, int least) {
  const int longer = std::max(picture.height, picture.width);
  const int factor = std::max((least + longer - 1) / longer, 1);
  Canvas canvas(enlarged(picture, factor));
  const auto grown = [&](int per) { return std::max(longer * factor / per, 1); };
  const int thickness = grown(side_per_thickness), scale = grown(side_per_letter);
  const auto placed = [&](const DrawnBox& drawn) {
    return Box{drawn.box.top * factor, drawn.box.left * factor, drawn.box.height * factor,
               drawn.box.width * factor};
  };
  for (const DrawnBox& drawn : boxes)
    draw_frame(canvas, placed(drawn), color_of(drawn.label), thickness, drawn.dashed);
  for (const DrawnBox& drawn : boxes)
    draw_text(canvas, placed(drawn), drawn.text, color_of(drawn.label), scale, thickness);
  return std::move(canvas).image();
}

}  // namespace fovea::draw
