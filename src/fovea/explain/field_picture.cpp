#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "fovea/data/volume.h"
#include "fovea/draw/chart.h"
#include "fovea/draw/grid.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/receptive_field.h"
#include "fovea/graph/fields.h"
#include "fovea/images/resize.h"

namespace fovea::explain {
namespace {

constexpr int field_side = 448;
constexpr draw::Color effective_color{0, 220, 255};

/// A rectangle of the map on a canvas, `left` columns of the map from its side.
draw::Box drawn(const FieldBox& box, size_t rows, size_t columns, int64_t left, double scale) {
  return {static_cast<double>(box.first[rows]) * scale,
          static_cast<double>(left + box.first[columns]) * scale,
          static_cast<double>(box.size(rows)) * scale,
          static_cast<double>(box.size(columns)) * scale};
}

/// With its rows in the other order.
Array bottom_up(const Array& map) {
  Array result(DType::f32, map.shape());
  const int64_t rows = map.dim(0), columns = map.dim(1);
  for (int64_t i = 0; i < map.numel(); ++i)
    result.set((rows - 1 - i / columns) * columns + i % columns, map.at(i));
  return result;
}

FieldBox bottom_up(FieldBox box, int64_t rows) {
  std::tie(box.first[0], box.last[0]) = std::pair(rows - 1 - box.last[0], rows - 1 - box.first[0]);
  return box;
}

/// The map [H, W], or [D, H, W] as three slices through this place, as colours with both boxes.
Image map_picture(const Array& map, const FieldBox& box, const FieldBox& effective,
                  const Image* under) {
  const draw::Colormap& colors = draw::colormap("inferno");
  draw::Range range = draw::min_max(map.data<float>());
  range.low = 0;
  const bool deep = box.axes() == 3;
  Array shown = map;
  if (deep) {
    const auto middle = [&](size_t axis) {
      return (effective.first[axis] + effective.last[axis]) / 2;
    };
    shown = data::middle_slices(map, 0, std::array{middle(0), middle(1), middle(2)});
  }
  Image base = draw::heat_image(shown, range, colors);
  if (under != nullptr) {
    const Image small = resize(to_rgb(*under), base.height, base.width, Filter::bilinear);
    base = draw::overlay(small, shown, range, {.opacity = 0.65});
  }
  draw::Canvas canvas(draw::scaled_to(base, field_side));
  const double scale = static_cast<double>(canvas.height()) / base.height;
  const auto outline = [&](size_t rows, size_t columns, int64_t left) {
    canvas.outline(drawn(box, rows, columns, left, scale), draw::white, 2);
    canvas.outline(drawn(effective, rows, columns, left, scale), effective_color, 2);
  };
  if (!deep) {
    outline(0, 1, 0);
  } else {  // as middle_slices lays them out
    outline(1, 2, 0);
    outline(0, 2, map.dim(2) + 1);
    outline(0, 1, 2 * (map.dim(2) + 1));
  }
  return draw::with_color_bar(canvas.image(), range, colors);
}

/// The map [L] as a curve around the box that could matter, and both boxes as bars below it.
Image curve_picture(const FieldMap& field) {
  const int64_t length = field.gradient.dim(0), beside = field.box.size(0) / 4 + 1;
  const int64_t first = std::max<int64_t>(0, field.box.first[0] - beside),
                last = std::min(length - 1, field.box.last[0] + beside);
  draw::Series curve{.name = "gradient"};
  for (int64_t i = first; i <= last; ++i) {
    curve.x.push_back(static_cast<double>(i));
    curve.y.push_back(field.gradient.at(i));
  }
  const double high = std::max(*std::ranges::max_element(curve.y), 1e-30);
  const auto bar = [&](std::string name, const FieldBox& box, double below, draw::Color color) {
    return draw::Series{.name = std::move(name),
                        .x = {static_cast<double>(box.first[0]), static_cast<double>(box.last[0])},
                        .y = {-below * high, -below * high},
                        .color = color};
  };
  return draw::chart_image(
      {.panels = {
           {"", draw::Lines{
                    .series = {curve, bar("could matter", field.box, 0.05, draw::faint),
                               bar("95 % of the energy", field.effective, 0.1, effective_color)},
                    .x_label = "position"}}}});
}

std::string sizes_of(const FieldBox& box) {
  std::vector<int64_t> sizes;
  for (size_t axis = 0; axis < box.axes(); ++axis) sizes.push_back(box.size(axis));
  return fmt::format("{}", fmt::join(sizes, "x"));
}

}  // namespace

Image field_picture(const FieldMap& field, const FieldPicture& options) {
  const size_t axes = field.box.axes();
  Image main;
  if (axes == 1) {
    main = curve_picture(field);
  } else if (axes == 2 && options.upward) {
    const int64_t rows = field.gradient.dim(0);
    main = map_picture(bottom_up(field.gradient), bottom_up(field.box, rows),
                       bottom_up(field.effective, rows), options.picture);
  } else {
    main = map_picture(field.gradient, field.box, field.effective,
                       axes == 2 ? options.picture : nullptr);
  }
  const Image* above = axes == 2 ? nullptr : options.picture;
  const std::string what = field.position.empty() ? "an output of the net"
                                                  : fmt::format("{} at {} of {}", field.layer,
                                                                fmt::join(field.position, ","),
                                                                fmt::join(field.size, "x"));
  constexpr int line = 24, margin = 12;
  const int shown = above != nullptr ? above->height + margin : 0,
            widest = std::max({main.width, above != nullptr ? above->width : 0, 480});
  draw::Canvas page(main.height + shown + 3 * line + margin, widest);
  page.text(margin, margin, draw::fitted(what, page.width() - 2 * margin, 2),
            {.scale = 2, .bold = true});
  const int top = line + margin / 2;
  if (above != nullptr) page.paste(*above, top + margin / 2, 0);
  page.paste(main, top + shown, 0);
  const int bottom = top + shown + main.height;
  page.outline({bottom + 1.0, margin, 16, 16}, draw::faint, 2);
  page.text(bottom, margin + 24, fmt::format("could matter: {}", sizes_of(field.box)),
            {.scale = 2});
  page.fill({bottom + line + 1.0, margin, 16, 16}, effective_color);
  page.text(bottom + line, margin + 24,
            fmt::format("95 % of the energy: {}", sizes_of(field.effective)), {.scale = 2});
  return std::move(page).image();
}

Image stages_picture(const std::vector<FieldStage>& stages) {
  draw::Bars fields{.groups = {{}}, .x_label = "positions"}, sizes = fields;
  sizes.groups[0].color = draw::series_color(1);
  for (const FieldStage& stage : stages) {
    fields.names.push_back(stage.layer);
    fields.groups[0].values.push_back(static_cast<double>(stage.field));
    sizes.groups[0].values.push_back(static_cast<double>(stage.size));
  }
  sizes.names = fields.names;
  return draw::chart_image({.panels = {{"receptive field", fields}, {"size of maps", sizes}}});
}

}  // namespace fovea::explain
