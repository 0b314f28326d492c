#include <gtest/gtest.h>

#include <cmath>

#include "fovea/report/html.h"

namespace fovea::report {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

constexpr std::string_view hostile = "</script><script>alert('x')</script>&\"\xff";

// Class names and paths are anyone's: none may become markup, or end the script that holds data.
TEST(Page, NamesCannotBecomeMarkup) {
  const std::string name(hostile);
  Page page(name, name);
  page.section(name);
  page.divider(name);
  page.heading(name);
  page.paragraph(name);
  page.note(name);
  page.code(name);
  page.tiles({{name, name}});
  page.facts({{name, name}});
  page.table(name, {name}, {{name}}, {.text_columns = 1, .sortable = true});
  page.curves(name, name,
              {.series = {{.name = name, .x = {1, 2}, .y = {1, NAN}}}, .x_label = name});
  page.matrix(name, {name, name}, {{1, 2}, {3, 4}});
  page.picture(Image::black(2, 2, 3), name, name);
  page.fold(name);
  page.close();
  const std::string html = std::move(page).document();
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
  EXPECT_EQ(count(html, "<script"), 2U);  // one chart's data, and the page's own
  EXPECT_EQ(count(html, "</script>"), 2U);
  EXPECT_EQ(count(html, "<section"), count(html, "</section>"));
  EXPECT_EQ(count(html, "<details"), count(html, "</details>"));
  EXPECT_EQ(count(html, "<figure"), count(html, "</figure>"));
  EXPECT_NE(html.find("null"), std::string::npos);  // NaN, which JSON does not have
}

Image noise(int side) {
  Image image = Image::black(side, side, 3);
  uint32_t state = 1;
  for (uint8_t& sample : image.pixels)
    sample = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

TEST(Page, PicturesBeyondTheBudgetAreLeftOutAndThePageSaysSo) {
  Page page("title", "", 400);
  page.section("pictures");
  EXPECT_TRUE(page.picture(Image::black(2, 2, 3), "a"));
  EXPECT_FALSE(page.picture(noise(40), "b"));
  const std::string html = std::move(page).document();
  EXPECT_EQ(count(html, "<img"), 1U);
  EXPECT_NE(html.find("1 picture is left out"), std::string::npos);
}

// Or the batches of large pictures, which come first, would leave no room for what follows.
TEST(Page, LargePicturesAreMadeSmaller) {
  for (const size_t parts : {1U, 3U}) {
    Page page("title", "", size_t{2} << 20, parts);
    EXPECT_TRUE(page.picture(noise(600), "noise"));
    EXPECT_LT(std::move(page).document().size(), (size_t{100} << 10) / parts + 30'000);
  }
}

TEST(Page, AThousandClassesAreOnePicture) {
  const std::vector<std::string> names(1000, "n");
  Page page("title", "");
  page.section("matrix");
  page.matrix("confusion", names, std::vector(1000, std::vector<double>(1000, 1)));
  const std::string html = std::move(page).document();
  EXPECT_EQ(count(html, "<img"), 1U);
  EXPECT_LT(html.size(), 200'000U);
}

TEST(Page, AsksNothingOfANetwork) {
  Page page("title", "");
  const std::string html = std::move(page).document();
  EXPECT_EQ(html.find("src=\"http"), std::string::npos);
  EXPECT_EQ(html.find("href=\"http"), std::string::npos);
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

}  // namespace
}  // namespace fovea::report
