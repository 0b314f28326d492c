#include "fovea/draw/terminal_chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/core/text.h"

namespace fovea::draw {
namespace {

/// Characters of a line, without the codes of colours.
int width(const std::string& line) {
  int characters = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b')
      i = line.find('m', i);
    else if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80)
      ++characters;
  }
  return characters;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines = split(text, '\n');
  EXPECT_EQ(lines.back(), "");
  lines.pop_back();
  return lines;
}

const Lines rising{.series = {{.name = "loss", .x = {0, 10}, .y = {0, 1}}},
                   .x_label = "epoch",
                   .y_range = Range{0, 1}};

TEST(TerminalChart, ALineGoesFromCornerToCorner) {
  const auto lines = lines_of(terminal_chart({.panels = {{"title", rising}}}, 40, 5, false));
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[0], "title  loss");
  EXPECT_TRUE(lines[1].starts_with("     1 \u2502 ")) << lines[1];
  EXPECT_TRUE(lines[1].ends_with("\u2809")) << lines[1];                 // the upper right corner
  EXPECT_TRUE(lines[5].starts_with("     0 \u2502\u28c0")) << lines[5];  // the lower left one
  EXPECT_TRUE(lines[6].starts_with("        0 ")) << lines[6];
  EXPECT_TRUE(lines[6].ends_with("epoch 10")) << lines[6];
}

TEST(TerminalChart, ALabelWithoutSpaceLeavesTheNumbers) {
  Lines lines = rising;
  lines.x_label = "layers with random weights, from the head";
  const auto drawn = lines_of(terminal_chart({.panels = {{"", lines}}}, 40, 2, false));
  EXPECT_EQ(drawn.back(), "        0                             10");
}

TEST(TerminalChart, PanelsAreBesideEachOtherWhereTheyFitAndNoLineIsTooLong) {
  const std::string name(100, 'n');
  Lines busy = rising;
  busy.series.push_back({.name = name, .x = {1, 2, 3, 4, 5}, .y = {NAN, 1, INFINITY, 2, NAN}});
  busy.series.push_back({.name = "", .x = {}, .y = {}});
  busy.series.push_back({.name = "dashed", .x = {3}, .y = {1}, .dashed = true});
  const Chart chart{.panels = {{"a", busy}, {"bars", Bars{}}, {name, rising}, {"c", Lines{}}}};
  for (const int columns : {1, 5, 20, 66, 67, 79, 200}) {
    for (const bool colors : {false, true}) {
      const std::string text = terminal_chart(chart, columns, 4, colors);
      EXPECT_EQ(text.find('\x1b') != std::string::npos, colors && columns > 1) << columns;
      const auto lines = lines_of(text);
      EXPECT_EQ(lines.size(), columns >= 67 ? 2 * 6U : 3 * 6U) << columns;
      for (const std::string& line : lines) EXPECT_LE(width(line), columns) << line;
    }
  }
  EXPECT_EQ(terminal_chart({.panels = {{"bars", Bars{}}}}, 80, 4, true), "");
  expect_error(ErrorKind::usage, "at least one column and one row",
               [&] { terminal_chart(chart, 0, 4, false); });
}

}  // namespace
}  // namespace fovea::draw
