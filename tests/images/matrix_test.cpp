#include "fovea/images/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"

namespace fovea {
namespace {

/// The red value of the middle of cell (row, column) from the bottom right corner.
uint8_t red_from_the_end(const Image& image, int up, int left, int height, int width) {
  return *image.at(image.height - 8 - up * height - height / 8,
                   image.width - 8 - left * width - width / 8);
}

TEST(DrawMatrix, CellsAreBluerTheLargerTheirShareOfTheRow) {
  std::vector<std::string> names;
  std::vector<std::vector<double>> counts(40, std::vector<double>(40, 0));
  for (int k = 0; k < 40; ++k) {
    names.push_back("class " + std::to_string(k));
    counts[static_cast<size_t>(k)][static_cast<size_t>(k)] = 5;
  }
  counts[39][38] = 15;
  const Image image = draw_matrix(names, counts);
  EXPECT_EQ(red_from_the_end(image, 0, 0, 16, 16), 214);  // 5 of 20
  EXPECT_EQ(red_from_the_end(image, 0, 1, 16, 16), 131);  // 15 of 20
  EXPECT_EQ(red_from_the_end(image, 0, 2, 16, 16), 255);
  EXPECT_EQ(red_from_the_end(image, 1, 1, 16, 16), 90);
}

TEST(DrawMatrix, FewClassesShowTheirNamesAndCounts) {
  const std::vector<std::string> names{"cat", "dog"};
  const auto dark = [](const Image& image) {
    return std::ranges::count(image.pixels, uint8_t{32});
  };
  const Image empty = draw_matrix(names, {{0, 0}, {0, 0}});
  EXPECT_GT(dark(empty), 0);
  EXPECT_GT(dark(draw_matrix(names, {{88888, 0}, {0, 0}})), dark(empty));
  EXPECT_EQ(draw_matrix({"x"}, {{3}}).channels, 3);
}

TEST(DrawMatrix, ThousandsOfClassesAreAPixelEach) {
  const std::vector<std::string> names(2000, "n");
  const Image image = draw_matrix(names, std::vector(2000, std::vector<double>(2000, 1)));
  EXPECT_LT(image.width, 2050);
}

TEST(DrawMatrix, NeedsARowAndAColumnForEachName) {
  expect_error(ErrorKind::usage, "draw_matrix: a row and a column for each name are expected", [] {
    draw_matrix({"a", "b"}, {{1, 2}, {3}});
  });
}

}  // namespace
}  // namespace fovea
