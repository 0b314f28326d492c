#include "fovea/draw/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/images/resize.h"

namespace fovea::draw {
namespace {

constexpr int above_caption = 3, below_caption = 1;

struct GridLayout {
  int columns, rows, scale, margin, cell_height, cell_width, letters, title_height;
  int height() const { return title_height + margin + rows * (cell_height + margin); }
  int width() const { return margin + columns * (cell_width + margin); }
};

int chosen_columns(const std::vector<Tile>& tiles, const GridOptions& options) {
  const int count = static_cast<int>(tiles.size());
  const int square = static_cast<int>(std::ceil(std::sqrt(count)));
  return std::min(options.columns > 0 ? options.columns : square, count);
}

GridLayout layout_of(const std::vector<Tile>& tiles, const GridOptions& options) {
  if (tiles.empty()) throw Error(ErrorKind::usage, "a grid of pictures: there is no picture");
  constexpr int maximum = 1 << 16;
  const auto sound = [](int value) { return value >= 0 && value <= maximum; };
  if (!sound(options.columns) || !sound(options.scale) || !sound(options.margin) ||
      options.letters < 0 || options.letters > 16) {
    throw Error(
        ErrorKind::usage,
        "a grid of pictures: columns, scale and margin must be from 0 to 65536, letters to 16")
        .with("given", fmt::format("{}, {}, {}, {}", options.columns, options.scale, options.margin,
                                   options.letters));
  }
  int height = 0, width = 0;
  bool captions = false;
  for (const Tile& tile : tiles) {
    check(tile.image);
    height = std::max(height, tile.image.height);
    width = std::max(width, tile.image.width);
    captions |= !tile.caption.empty();
  }
  constexpr int readable = 112, wide = 200;
  GridLayout grid{};
  grid.columns = chosen_columns(tiles, options);
  grid.rows = (static_cast<int>(tiles.size()) + grid.columns - 1) / grid.columns;
  const int side = std::max(height, width);
  grid.scale = options.scale > 0 ? options.scale : std::max((readable + side - 1) / side, 1);
  grid.margin = options.margin;
  grid.letters = options.letters > 0                   ? options.letters
                 : int64_t{width} * grid.scale >= wide ? 2
                                                       : 1;
  const int text_line = captions ? letter_height * grid.letters + above_caption + below_caption : 0;
  grid.title_height = options.title.empty() ? 0 : options.margin + 2 * letter_height;
  constexpr int64_t max_pixels = int64_t{1} << 28;
  const int64_t cell_height = int64_t{height} * grid.scale + text_line;
  const int64_t cell_width = int64_t{width} * grid.scale;
  const int64_t total_height = grid.rows * (cell_height + grid.margin) + grid.margin;
  const int64_t total_width = grid.columns * (cell_width + grid.margin) + grid.margin;
  if (total_height > max_pixels / total_width) {
    throw Error(ErrorKind::usage, fmt::format("a grid of pictures: it would have {}x{} pixels",
                                              total_height, total_width))
        .with("try", "fewer images, or a smaller scale");
  }
  grid.cell_height = static_cast<int>(cell_height);
  grid.cell_width = static_cast<int>(cell_width);
  return grid;
}

}  // namespace

Image grid(const std::vector<Tile>& tiles, const GridOptions& options) {
  const GridLayout grid = layout_of(tiles, options);
  const int margin = grid.margin;
  Canvas canvas(grid.height(), grid.width());
  canvas.text(margin, margin, fitted(options.title, grid.width() - 2 * margin, 2), {.scale = 2});
  for (size_t i = 0; i < tiles.size(); ++i) {
    const int row = static_cast<int>(i) / grid.columns, column = static_cast<int>(i) % grid.columns;
    const int top = grid.title_height + margin + row * (grid.cell_height + margin);
    const int left = margin + column * (grid.cell_width + margin);
    const Image& small = tiles[i].image;
    const Image large =
        resize(to_rgb(small), small.height * grid.scale, small.width * grid.scale, Filter::nearest);
    canvas.paste(large, top, left);
    canvas.text(top + large.height + above_caption, left,
                fitted(tiles[i].caption, grid.cell_width, grid.letters), {.scale = grid.letters});
  }
  return std::move(canvas).image();
}

Image scaled_to(const Image& picture, int side) {
  const int longer = std::max(picture.height, picture.width);
  if (longer <= side) {
    const int factor = std::max(side / longer, 1);
    return resize(picture, picture.height * factor, picture.width * factor, Filter::nearest);
  }
  const auto reduced = [&](int size) {
    return std::max(static_cast<int>(std::lround(static_cast<double>(size) * side / longer)), 1);
  };
  return resize(picture, reduced(picture.height), reduced(picture.width), Filter::bilinear);
}

}  // namespace fovea::draw
