#include "fovea/images/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/images/resize.h"

namespace fovea {
namespace {

constexpr int letter_width = 5;
constexpr int letters_per_line = 12;

// The characters 32 to 126, twelve to a line of seven rows.
constexpr std::array<std::string_view, 56> font = {
    "..... ..#.. .#.#. .#.#. ..#.. ##..# .##.. ..#.. ...#. .#... ..... .....",  //   ! " # $ % & '
    "..... ..#.. .#.#. .#.#. .#### ##..# #..#. ..#.. ..#.. ..#.. ..#.. ..#..",  // ( ) * +
    "..... ..#.. ..... ##### #.#.. ...#. #.#.. ..... .#... ...#. #.#.# ..#..",
    "..... ..#.. ..... .#.#. .###. ..#.. .#... ..... .#... ...#. .###. #####",
    "..... ..#.. ..... ##### ..#.# .#... #.#.# ..... .#... ...#. #.#.# ..#..",
    "..... ..... ..... .#.#. ####. #..## #..#. ..... ..#.. ..#.. ..#.. ..#..",
    "..... ..#.. ..... .#.#. ..#.. #..## .##.# ..... ...#. .#... ..... .....",

    "..... ..... ..... ..... .###. ..#.. .###. ##### ...#. ##### ..##. #####",  // , - . / 0 1 2 3
    "..... ..... ..... ....# #...# .##.. #...# ....# ..##. #.... .#... ....#",  // 4 5 6 7
    "..... ..... ..... ...#. #..## ..#.. ....# ...#. .#.#. ####. #.... ...#.",
    "..... ##### ..... ..#.. #.#.# ..#.. ...#. ..##. #..#. ....# ####. ...#.",
    "..##. ..... ..... .#... ##..# ..#.. ..#.. ....# ##### ....# #...# ..#..",
    "..##. ..... .##.. #.... #...# ..#.. .#... #...# ...#. #...# #...# ..#..",
    ".##.. ..... .##.. ..... .###. .###. ##### .###. ...#. .###. .###. ..#..",

    ".###. .###. ..... ..... ....# ..... #.... .###. .###. .###. ####. .###.",  // 8 9 : ; < = > ?
    "#...# #...# ..... ..... ...#. ..... .#... #...# #...# #...# #...# #...#",  // @ A B C
    "#...# #...# .##.. .##.. ..#.. ##### ..#.. ....# #.### #...# #...# #....",
    ".###. .#### .##.. .##.. .#... ..... ...#. ...#. #.#.# #...# ####. #....",
    "#...# ....# ..... ..... ..#.. ##### ..#.. ..#.. #.### ##### #...# #....",
    "#...# ...#. .##.. .##.. ...#. ..... .#... ..... #.... #...# #...# #...#",
    ".###. .##.. .##.. .#... ....# ..... #.... ..#.. .###. #...# ####. .###.",

    "###.. ##### ##### .###. #...# .###. ..### #...# #.... #...# #...# .###.",  // D E F G H I J K
    "#..#. #.... #.... #...# #...# ..#.. ...#. #..#. #.... ##.## ##..# #...#",  // L M N O
    "#...# #.... #.... #.... #...# ..#.. ...#. #.#.. #.... #.#.# ##..# #...#",
    "#...# ####. ####. #.### ##### ..#.. ...#. ##... #.... #.#.# #.#.# #...#",
    "#...# #.... #.... #...# #...# ..#.. ...#. #.#.. #.... #...# #..## #...#",
    "#..#. #.... #.... #...# #...# ..#.. #..#. #..#. #.... #...# #..## #...#",
    "###.. ##### #.... .#### #...# .###. .##.. #...# ##### #...# #...# .###.",

    "####. .###. ####. .#### ##### #...# #...# #...# #...# #...# ##### .###.",  // P Q R S T U V W
    "#...# #...# #...# #.... ..#.. #...# #...# #...# #...# #...# ....# .#...",  // X Y Z [
    "#...# #...# #...# #.... ..#.. #...# #...# #...# .#.#. .#.#. ...#. .#...",
    "####. #...# ####. .###. ..#.. #...# #...# #.#.# ..#.. ..#.. ..#.. .#...",
    "#.... #.#.# #.#.. ....# ..#.. #...# #...# #.#.# .#.#. ..#.. .#... .#...",
    "#.... #..#. #..#. ....# ..#.. #...# .#.#. ##.## #...# ..#.. #.... .#...",
    "#.... .##.# #...# ####. ..#.. .###. ..#.. #...# #...# ..#.. ##### .###.",

    "..... .###. ..#.. ..... .#... ..... #.... ..... ....# ..... ..##. .....",  // \ ] ^ _ ` a b c
    "#.... ...#. .#.#. ..... ..#.. ..... #.... ..... ....# ..... .#..# .####",  // d e f g
    ".#... ...#. #...# ..... ..... .###. ####. .###. .#### .###. .#... #...#",
    "..#.. ...#. ..... ..... ..... ....# #...# #.... #...# #...# ###.. #...#",
    "...#. ...#. ..... ..... ..... .#### #...# #.... #...# ##### .#... .####",
    "....# ...#. ..... ..... ..... #...# #...# #...# #...# #.... .#... ....#",
    "..... .###. ..... ##### ..... .#### ####. .###. .#### .###. .#... .###.",

    "#.... ..#.. ...#. #.... .##.. ..... ..... ..... ..... ..... ..... .....",  // h i j k l m n o
    "#.... ..... ..... #.... ..#.. ..... ..... ..... ####. .#### ..... .....",  // p q r s
    "#.##. .##.. ..##. #..#. ..#.. ##.#. #.##. .###. #...# #...# #.##. .####",
    "##..# ..#.. ...#. #.#.. ..#.. #.#.# ##..# #...# #...# #...# ##..# #....",
    "#...# ..#.. ...#. ##... ..#.. #.#.# #...# #...# ####. .#### #.... .###.",
    "#...# ..#.. #..#. #.#.. ..#.. #...# #...# #...# #.... ....# #.... ....#",
    "#...# .###. .##.. #..#. .###. #...# #...# .###. #.... ....# #.... ####.",

    ".#... ..... ..... ..... ..... ..... ..... ...#. ..#.. .#... ..... .....",  // t u v w x y z {
    ".#... ..... ..... ..... ..... #...# ..... ..#.. ..#.. ..#.. ..... .....",  // | } ~
    "###.. #...# #...# #...# #...# #...# ##### ..#.. ..#.. ..#.. .#... .....",
    ".#... #...# #...# #.#.# .#.#. #...# ...#. .#... ..#.. ...#. #.#.# .....",
    ".#... #...# #...# #.#.# ..#.. .#### ..#.. ..#.. ..#.. ..#.. ...#. .....",
    ".#..# #..## .#.#. #.#.# .#.#. ....# .#... ..#.. ..#.. ..#.. ..... .....",
    "..##. .##.# ..#.. .#.#. #...# .###. ##### ...#. ..#.. .#... ..... .....",
};

/// Whether character `letter` is dark at (y, x) of its 5x7.
bool dark(char letter, int y, int x) {
  const int index = letter >= 32 && letter < 127 ? letter - 32 : '?' - 32;
  const int row = index / letters_per_line * letter_height + y;
  const int column = index % letters_per_line * letter_advance + x;
  return font[static_cast<size_t>(row)][static_cast<size_t>(column)] == '#';
}

/// One byte per character: any other than ASCII becomes a single "?", however many bytes it has.
std::string to_ascii(std::string_view text) {
  std::string ascii;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) ascii += byte >= 32 && byte < 127 ? c : '?';
  }
  return ascii;
}

std::string fitted(std::string_view caption, int width) {
  std::string text = to_ascii(caption);
  const auto maximum = static_cast<size_t>(std::max((width + 1) / letter_advance, 0));
  if (text.size() <= maximum) return text;
  return text.substr(0, maximum < 2 ? maximum : maximum - 2) + (maximum < 2 ? "" : "..");
}

struct Layout {
  int columns, rows, scale, margin, cell_height, cell_width;
};

Layout layout_of(const std::vector<Tile>& tiles, const GridOptions& options) {
  if (tiles.empty()) throw Error(ErrorKind::usage, "draw_grid: there is no image");
  constexpr int maximum = 1 << 16;
  const auto sound = [](int value) { return value >= 0 && value <= maximum; };
  if (!sound(options.columns) || !sound(options.scale) || !sound(options.margin)) {
    throw Error(ErrorKind::usage, "draw_grid: columns, scale and margin must be from 0 to 65536")
        .with("given", fmt::format("{}, {}, {}", options.columns, options.scale, options.margin));
  }
  int height = 0, width = 0;
  for (const Tile& tile : tiles) {
    check(tile.image);
    height = std::max(height, tile.image.height);
    width = std::max(width, tile.image.width);
  }
  constexpr int readable = 112;
  const int count = static_cast<int>(tiles.size());
  Layout grid{};
  grid.columns =
      options.columns > 0 ? options.columns : static_cast<int>(std::ceil(std::sqrt(count)));
  grid.columns = std::min(grid.columns, count);
  grid.rows = (count + grid.columns - 1) / grid.columns;
  grid.scale =
      options.scale > 0
          ? options.scale
          : std::max((readable + std::max(height, width) - 1) / std::max(height, width), 1);
  grid.margin = options.margin;
  constexpr int text_line = letter_height + 4;
  constexpr int64_t max_pixels = int64_t{1} << 28;
  const int64_t cell_height = int64_t{height} * grid.scale + text_line;
  const int64_t cell_width = int64_t{width} * grid.scale;
  const int64_t total_height = grid.rows * (cell_height + grid.margin) + grid.margin;
  const int64_t total_width = grid.columns * (cell_width + grid.margin) + grid.margin;
  if (total_height > max_pixels / total_width) {
    throw Error(ErrorKind::usage, fmt::format("draw_grid: the picture would have {}x{} pixels",
                                              total_height, total_width))
        .with("try", "fewer images, or a smaller scale");
  }
  grid.cell_height = static_cast<int>(cell_height);
  grid.cell_width = static_cast<int>(cell_width);
  return grid;
}

void paste(Image& canvas, const Image& picture, int top, int left) {
  for (int y = 0; y < picture.height; ++y) {
    std::copy_n(picture.at(y, 0), picture.width * picture.channels, canvas.at(top + y, left));
  }
}

}  // namespace

void draw_text(Image& image, int top, int left, std::string_view text) {
  check(image);
  require(image.channels == 3, "text is drawn on RGB");
  const std::string ascii = to_ascii(text);
  for (int y = std::max(0, -top); y < letter_height && top + y < image.height; ++y) {
    for (size_t i = 0; i < ascii.size(); ++i) {
      for (int x = 0; x < letter_width; ++x) {
        const int64_t column = int64_t{left} + static_cast<int64_t>(i) * letter_advance + x;
        if (column < 0 || column >= image.width || !dark(ascii[i], y, x)) continue;
        std::fill_n(image.at(top + y, static_cast<int>(column)), 3, uint8_t{32});
      }
    }
  }
}

Image draw_grid(const std::vector<Tile>& tiles, const GridOptions& options) {
  const Layout grid = layout_of(tiles, options);
  const int margin = grid.margin;
  Image canvas = Image::black(margin + grid.rows * (grid.cell_height + margin),
                              margin + grid.columns * (grid.cell_width + margin), 3);
  std::fill(canvas.pixels.begin(), canvas.pixels.end(), uint8_t{255});
  for (size_t i = 0; i < tiles.size(); ++i) {
    const int row = static_cast<int>(i) / grid.columns, column = static_cast<int>(i) % grid.columns;
    const int top = margin + row * (grid.cell_height + margin);
    const int left = margin + column * (grid.cell_width + margin);
    const Image& small = tiles[i].image;
    const Image large =
        resize(to_rgb(small), small.height * grid.scale, small.width * grid.scale, Filter::nearest);
    paste(canvas, large, top, left);
    draw_text(canvas, top + large.height + 3, left, fitted(tiles[i].caption, grid.cell_width));
  }
  return canvas;
}

}  // namespace fovea
