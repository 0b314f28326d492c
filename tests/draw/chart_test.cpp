#include "fovea/draw/chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/core/base64.h"
#include "fovea/draw/animation.h"
#include "fovea/draw/heat.h"
#include "fovea/draw/surface.h"
#include "fovea/draw/terminal.h"
#include "fovea/images/codec.h"
#include "golden_picture.h"

namespace fovea::draw {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Ticks, AreRoundNumbers) {
  EXPECT_EQ(nice_ticks(0, 1).labels,
            (std::vector<std::string>{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(nice_ticks(1, 20, 4).labels, (std::vector<std::string>{"5", "10", "15", "20"}));
  EXPECT_EQ(nice_ticks(-0.03, 0.03, 3).labels, (std::vector<std::string>{"-0.02", "0.00", "0.02"}));
  EXPECT_EQ(nice_ticks(3, 3).labels, (std::vector<std::string>{"3"}));
  EXPECT_EQ(nice_ticks(1, 2, 8, true).labels, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(nice_ticks(1.2, 1.8, 8, true).labels, (std::vector<std::string>{"1.2"}));
  EXPECT_EQ(nice_ticks(0, INFINITY).values.size(), 1U);
  EXPECT_LE(nice_ticks(0, 5e-324).values.size(), 21U);
  EXPECT_EQ(log_ticks(1e-5, 1).labels,
            (std::vector<std::string>{"1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}));
  EXPECT_EQ(log_ticks(0.1, 1).labels, (std::vector<std::string>{"0.1", "0.2", "0.5", "1"}));
}

TEST(Chart, GapsAndOddNumbersAreDrawable) {
  const Lines odd{.series = {{.name = "gaps", .x = {1, 2, 3, 4}, .y = {1, NAN, INFINITY, 2}},
                             {.name = "alone", .x = {2}, .y = {-1}, .points = true},
                             {.name = "none"}},
                  .x_label = "epoch",
                  .y_label = "loss",
                  .y_scale = AxisScale::log};
  const Chart chart{.title = "odd", .panels = {{"a", odd}, {"b", Lines{}}, {"c", Bars{}}}};
  const std::string svg = chart_svg(chart);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(count(svg, "<g "), count(svg, "</g>"));
  const Image image = chart_image(chart);
  EXPECT_GT(image.width, 1400);
}

TEST(Chart, LooksAsStored) {
  const Lines loss{.series = {{.name = "train", .x = {1, 2, 3, 4}, .y = {2.3, 1.1, 0.6, 0.4}},
                              {.name = "validation",
                               .x = {1, 2, 3, 4},
                               .y = {1.9, 1.0, 0.8, 0.9},
                               .dashed = true}},
                   .x_label = "epoch",
                   .y_label = "loss"};
  const Bars bars{.names = {"conv1", "conv2"}, .groups = {{"", {3, 7}}}, .x_label = "pixels"};
  const Matrix matrix{
      .rows = {"cat", "dog"}, .columns = {"cat", "dog"}, .values = {{1, 0}, {0.4, 0.6}}};
  expect_picture(
      "chart",
      chart_image(
          {.title = "A title", .panels = {{"loss", loss}, {"bars", bars}, {"matrix", matrix}}}, 1));
}

TEST(Chart, TextsCannotBreakOutOfSvg) {
  const std::string name = "</title><script>alert('x')</script>&\"\x01\xff";
  const std::string svg = chart_svg(
      {.title = name,
       .panels = {{name, Bars{.names = {name}, .groups = {{name, {1}}}, .x_label = name}}}});
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find('\x01'), std::string::npos);
  EXPECT_EQ(svg.find('\xff'), std::string::npos);
  EXPECT_EQ(escaped("a<b>&\"'\x80\u00e9"), "a&lt;b&gt;&amp;&quot;&#39;?\u00e9");
}

TEST(Chart, MismatchedDataAreErrors) {
  expect_error(ErrorKind::usage, "chart: there is no panel", [] { chart_svg({}); });
  expect_error(ErrorKind::usage, "chart: a series needs as many x as y values", [] {
    chart_svg({.panels = {{"", Lines{.series = {{.x = {1}}}}}}});
  });
  expect_error(ErrorKind::usage, "chart: a matrix needs a value for each row and column", [] {
    chart_svg({.panels = {{"", Matrix{.rows = {"a"}, .columns = {"b"}}}}});
  });
  expect_error(ErrorKind::usage, "has to end in .png or .svg",
               [] { write_chart("chart.gif", {.panels = {{}}}); });
}

TEST(Heat, EqualAndMissingValuesGiveNeutralColours) {
  const Colormap& map = colormap("coolwarm");
  const Array equal = Array::full(DType::f32, {2, 3}, 7);
  const Image image = heat_image(equal, min_max(equal.data<float>()), map);
  EXPECT_EQ(Color({image.pixels[0], image.pixels[1], image.pixels[2]}), map(0.5));
  const Array odd = Array::of<float>({NAN, INFINITY, -INFINITY, 1, 2, 3}, {2, 3});
  EXPECT_EQ(min_max(odd.data<float>()), (Range{1, 3}));
  EXPECT_EQ(symmetric(odd.data<float>()), (Range{-3, 3}));
  EXPECT_EQ(*heat_image(odd, {1, 3}, map).at(0, 0), 128);
  EXPECT_EQ(min_max({}), (Range{0, 0}));
  const Image laid = overlay(Image::black(9, 7, 1), equal, {7, 7});
  EXPECT_EQ(laid.height, 9);
  EXPECT_GT(with_color_bar(laid, {7, 7}, map).width, 7);
}

TEST(Heat, MapsAreEnlargedAsInterpolateDoes) {
  // torch.nn.functional.interpolate(tensor([[0., 1.], [2., 3.]])[None, None], (3, 3),
  // mode="bilinear")
  const Array large = resized_map(Array::of<float>({0, 1, 2, 3}, {2, 2}), 3, 3);
  const std::vector<float> expected{0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3};
  for (int64_t i = 0; i < 9; ++i) EXPECT_NEAR(large.at(i), expected[static_cast<size_t>(i)], 1e-6);
}

TEST(Colormap, EndsAreThePublishedOnesAndUnknownNamesListTheKnown) {
  EXPECT_EQ(hex(colormap("viridis")(0)), "#440154");
  EXPECT_EQ(hex(colormap("viridis")(1)), "#fde725");
  EXPECT_EQ(hex(colormap("gray")(0.5)), "#808080");
  EXPECT_EQ(hex(colormap("jet")(2)), "#800000");
  expect_error(ErrorKind::usage, "unknown colormap \"virdis\"", [] { colormap("virdis"); });
}

TEST(Animation, IsAPngThatShowsItsFirstFrameElsewhere) {
  std::vector<Image> frames(3, Image::black(4, 5, 3));
  frames[1].pixels[0] = 200;
  const std::string png = animated_png(frames);
  EXPECT_TRUE(decode_image(std::as_bytes(std::span(png)), "apng") == frames[0]);
  EXPECT_EQ(count(png, "acTL"), 1U);
  EXPECT_EQ(count(png, "fcTL"), 3U);
  EXPECT_EQ(count(png, "fdAT"), 2U);
  frames[2] = Image::black(4, 4, 3);
  expect_error(ErrorKind::usage, "all frames must have one size", [&] { animated_png(frames); });
  expect_error(ErrorKind::usage, "there is no frame", [] { animated_png({}); });
}

TEST(Terminal, PicturesFitTheColumns) {
  const Image wide = Image::black(3, 100, 1);
  const std::string text = terminal_picture(wide, TerminalPictures::blocks, 10);
  EXPECT_EQ(count(text, "\u2580"), 10U);  // 10 columns, one line
  EXPECT_EQ(count(text, "\n"), 1U);
  EXPECT_EQ(count(terminal_picture(Image::black(2, 2, 3), TerminalPictures::blocks, 8), "\u2580"),
            8U * 4);
  const std::string sixel = terminal_picture(wide, TerminalPictures::sixel, 10);
  EXPECT_TRUE(sixel.starts_with("\x1bPq\"1;1;90;3#0;2;0;0;0"));
  EXPECT_TRUE(sixel.ends_with("#0!90F$-\x1b\\\n"));
  const std::string kitty = terminal_picture(wide, TerminalPictures::kitty, 100);
  EXPECT_TRUE(
      kitty.starts_with("\x1b_Ga=T,f=100,m=0;" + base64(png_bytes(to_rgb(wide)).substr(0, 30))));
}

TEST(Base64, Pads) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace fovea::draw
