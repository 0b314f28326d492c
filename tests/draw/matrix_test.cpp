#include "fovea/draw/matrix.h"

#include <gtest/gtest.h>

#include "error_text.h"

namespace fovea::draw {
namespace {

TEST(ConfusionChart, CellsAreTheSharesOfTheirRows) {
  const Chart chart = confusion_chart({"cat", "dog"}, {{1, 3}, {0, 0}});
  const auto& matrix = std::get<Matrix>(chart.panels[0].content);
  EXPECT_EQ(matrix.values, (std::vector<std::vector<double>>{{0.25, 0.75}, {0, 0}}));
  EXPECT_EQ(matrix.texts[0][1], "3");
  EXPECT_NE(chart_svg(chart).find(">dog</text>"), std::string::npos);
}

TEST(ConfusionChart, ThousandsOfClassesAreAPixelEach) {
  const std::vector<std::string> names(2000, "n");
  const Image image =
      chart_image(confusion_chart(names, std::vector(2000, std::vector<double>(2000, 1))));
  EXPECT_LT(image.width, 2100);
}

TEST(ConfusionChart, NeedsARowAndAColumnForEachName) {
  expect_error(ErrorKind::usage, "confusion matrix: a row and a column for each name are expected",
               [] {
                 confusion_chart({"a", "b"}, {{1, 2}, {3}});
               });
}

}  // namespace
}  // namespace fovea::draw
