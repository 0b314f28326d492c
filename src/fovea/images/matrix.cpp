#include "fovea/images/matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/images/draw.h"

namespace fovea {
namespace {

constexpr int margin = 8, gap = 2;
constexpr size_t most_with_counts = 30;

struct Layout {
  int cell_height, cell_width, left, top;
  size_t letters;  ///< of a name beside its row
  bool counts;     ///< whether cells are wide enough for their counts
};

std::string count_text(double count) { return std::to_string(std::llround(count)); }

size_t longest(const std::vector<std::string>& texts) {
  size_t letters = 0;
  for (const std::string& text : texts) letters = std::max(letters, text.size());
  return letters;
}

Layout layout_of(const std::vector<std::string>& names,
                 const std::vector<std::vector<double>>& counts) {
  constexpr size_t longest_row_name = 24, longest_column_name = 8;
  constexpr int readable = letter_height + 2 * gap, picture = 640;
  const auto size = static_cast<int>(names.size());
  Layout layout{};
  layout.counts = names.size() <= most_with_counts;
  layout.cell_height = layout.cell_width = std::max(picture / size, 1);
  if (layout.counts) {
    size_t digits = std::min(longest(names), longest_column_name);
    for (const auto& row : counts) {
      for (const double count : row) digits = std::max(digits, count_text(count).size());
    }
    layout.cell_height = readable + 2 * gap;
    layout.cell_width = static_cast<int>(digits) * letter_advance + 2 * gap;
  }
  layout.letters = layout.cell_height >= readable ? std::min(longest(names), longest_row_name) : 0;
  layout.left = margin + static_cast<int>(layout.letters) * letter_advance + gap;
  layout.top = margin + (layout.counts ? letter_height + 2 * gap : 0);
  return layout;
}

void fill_cell(Image& image, const Layout& layout, int row, int column, double share) {
  const auto faded = [&](int full) {
    return static_cast<uint8_t>(std::lround(255 - share * (255 - full)));
  };
  const uint8_t blue[] = {faded(90), faded(170), 255};
  const int top = layout.top + row * layout.cell_height,
            left = layout.left + column * layout.cell_width;
  for (int y = 0; y < layout.cell_height; ++y) {
    for (int x = 0; x < layout.cell_width; ++x) std::copy_n(blue, 3, image.at(top + y, left + x));
  }
}

}  // namespace

Image draw_matrix(const std::vector<std::string>& names,
                  const std::vector<std::vector<double>>& counts) {
  const auto complete = [&](const auto& row) { return row.size() == names.size(); };
  if (names.empty() || counts.size() != names.size() || !std::ranges::all_of(counts, complete)) {
    throw Error(ErrorKind::usage, "draw_matrix: a row and a column for each name are expected")
        .with("names", std::to_string(names.size()))
        .with("rows", std::to_string(counts.size()));
  }
  const Layout layout = layout_of(names, counts);
  const auto size = static_cast<int>(names.size());
  Image image = Image::black(layout.top + size * layout.cell_height + margin,
                             layout.left + size * layout.cell_width + margin, 3);
  std::ranges::fill(image.pixels, uint8_t{255});
  for (int r = 0; r < size; ++r) {
    const auto& row = counts[static_cast<size_t>(r)];
    const double total = std::accumulate(row.begin(), row.end(), 0.0);
    const int top = layout.top + r * layout.cell_height,
              text = top + (layout.cell_height - letter_height) / 2;
    draw_text(image, text, margin, names[static_cast<size_t>(r)].substr(0, layout.letters));
    for (int c = 0; c < size; ++c) {
      const double count = row[static_cast<size_t>(c)];
      fill_cell(image, layout, r, c, total > 0 ? count / total : 0);
      if (!layout.counts) continue;
      const auto letters = static_cast<size_t>((layout.cell_width - gap) / letter_advance);
      const int left = layout.left + c * layout.cell_width + gap;
      draw_text(image, text, left, count_text(count));
      if (r == 0) draw_text(image, margin, left, names[static_cast<size_t>(c)].substr(0, letters));
    }
  }
  return image;
}

}  // namespace fovea
