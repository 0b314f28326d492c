#include "fovea/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "fovea/core/base64.h"
#include "fovea/core/json.h"
#include "fovea/draw/matrix.h"
#include "fovea/draw/surface.h"
#include "fovea/images/codec.h"
#include "fovea/images/resize.h"

namespace fovea::report {
namespace {

using draw::escaped;

/// As text of a script element: nothing in it can end the element.
std::string script_text(const Json& json) {
  std::string text = json.dump(), safe;
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) {
    if (std::isfinite(value))
      list.push_back(std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr));
    else
      list.push_back(nullptr);
  }
  return list;
}

/// The values of all series as rows by x, for a table.
std::string values_table(const draw::Lines& lines) {
  constexpr size_t most_rows = 200;
  std::vector<double> xs;
  for (const draw::Series& s : lines.series) xs.insert(xs.end(), s.x.begin(), s.x.end());
  std::ranges::sort(xs);
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  const size_t stride = std::max<size_t>((xs.size() + most_rows - 1) / most_rows, 1);
  std::string text =
      fmt::format("<table><thead><tr><th scope=\"col\">{}</th>", escaped(lines.x_label));
  for (const draw::Series& s : lines.series)
    text +=
        fmt::format("<th scope=\"col\">{}</th>", escaped(s.name.empty() ? lines.y_label : s.name));
  text += "</tr></thead><tbody>";
  for (size_t i = 0; i < xs.size(); i += stride) {
    text += fmt::format("<tr><th scope=\"row\">{:.6g}</th>", xs[i]);
    for (const draw::Series& s : lines.series) {
      const auto at = std::ranges::find(s.x, xs[i]);
      const double y = at == s.x.end() ? NAN : s.y[static_cast<size_t>(at - s.x.begin())];
      text += std::isfinite(y) ? fmt::format("<td>{:.5g}</td>", y) : "<td></td>";
    }
    text += "</tr>";
  }
  return text + "</tbody></table>";
}

constexpr size_t smallest_limit = size_t{12} << 10;

/// The picture in base64, halved until that takes at most so many bytes, or it is tiny.
std::pair<Image, std::string> encoded(Image image, size_t at_most) {
  constexpr int tiny = 48;
  std::string data = base64(png_bytes(image));
  while (data.size() > at_most && std::min(image.height, image.width) >= 2 * tiny) {
    image = resize(image, image.height / 2, image.width / 2, Filter::bilinear);
    data = base64(png_bytes(image));
  }
  return {std::move(image), std::move(data)};
}

}  // namespace

Page::Page(std::string title, std::string subtitle, size_t budget, size_t parts)
    : title_(std::move(title)), subtitle_(std::move(subtitle)), room_(budget), parts_(parts) {}

void Page::section(std::string_view title) {
  end_section();
  in_section_ = true;
  ++sections_;
  body_ += fmt::format("<section id=\"s{0}\" aria-labelledby=\"h{0}\"><h2 id=\"h{0}\">{1}</h2>\n",
                       sections_, escaped(title));
  contents_ += fmt::format("<li><a href=\"#s{}\">{}</a></li>\n", sections_, escaped(title));
}

void Page::end_section() {
  if (in_section_) body_ += "</section>\n";
  in_section_ = false;
}

void Page::divider(std::string_view title) {
  end_section();
  body_ += fmt::format("<p class=\"divider\">{}</p>\n", escaped(title));
  contents_ += fmt::format("<li><strong>{}</strong></li>\n", escaped(title));
}

void Page::heading(std::string_view title) {
  body_ += fmt::format("<h3>{}</h3>\n", escaped(title));
}

void Page::paragraph(std::string_view text) { body_ += fmt::format("<p>{}</p>\n", escaped(text)); }

void Page::note(std::string_view text) {
  body_ += fmt::format("<p class=\"note\">{}</p>\n", escaped(text));
}

void Page::code(std::string_view text) {
  body_ += fmt::format("<pre tabindex=\"0\"><code>{}</code></pre>\n", escaped(text));
}

void Page::tiles(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<dl class=\"tiles\">\n";
  for (const auto& [what, value] : facts) {
    body_ += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(what), escaped(value));
  }
  body_ += "</dl>\n";
}

void Page::facts(const std::vector<std::pair<std::string, std::string>>& rows) {
  body_ += "<dl class=\"facts\">\n";
  for (const auto& [what, value] : rows)
    body_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(what), escaped(value));
  body_ += "</dl>\n";
}

void Page::table(std::string_view caption, const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows, const TableOptions& options) {
  body_ += fmt::format(
      "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\">"
      "<table{1}><caption>{0}</caption><thead><tr>",
      escaped(caption), options.sortable ? " class=\"sortable\"" : "");
  for (size_t c = 0; c < header.size(); ++c) {
    const std::string name = escaped(header[c]);
    body_ += fmt::format(
        "<th scope=\"col\"{}>{}</th>", c < options.text_columns ? " class=\"text\"" : "",
        options.sortable ? fmt::format("<button type=\"button\">{}</button>", name) : name);
  }
  body_ += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string_view kind = c < options.text_columns ? " class=\"text\"" : "";
      body_ += c == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", kind, escaped(row[c]))
                      : fmt::format("<td{}>{}</td>", kind, escaped(row[c]));
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
}

void Page::fold(std::string_view summary, bool open) {
  body_ += fmt::format("<details{}><summary>{}</summary>\n", open ? " open" : "", escaped(summary));
}

void Page::close() { body_ += "</details>\n"; }

void Page::curves(std::string_view title, std::string_view explanation, const draw::Lines& lines) {
  Json data{{"title", title},
            {"x", lines.x_label},
            {"y", lines.y_label},
            {"logX", lines.x_scale == draw::AxisScale::log},
            {"logY", lines.y_scale == draw::AxisScale::log}};
  if (lines.x_range) data["xRange"] = {lines.x_range->low, lines.x_range->high};
  if (lines.y_range) data["yRange"] = {lines.y_range->low, lines.y_range->high};
  data["series"] = Json::array();
  for (size_t i = 0; i < lines.series.size(); ++i) {
    const draw::Series& s = lines.series[i];
    data["series"].push_back({{"name", s.name},
                              {"color", draw::hex(s.color.value_or(draw::series_color(i)))},
                              {"dashed", s.dashed},
                              {"points", s.points},
                              {"x", numbers(s.x)},
                              {"y", numbers(s.y)}});
  }
  ++charts_;
  body_ += fmt::format(
      "<figure class=\"chart\"><figcaption><strong>{0}</strong> {1}</figcaption>\n"
      "<div class=\"plot\" id=\"chart{2}\" tabindex=\"0\" role=\"group\" aria-label=\"{0}: {1} "
      "Arrow keys move along the curves, plus and minus zoom, 0 shows all.\"></div>\n"
      "<p class=\"readout\" aria-live=\"polite\"></p>\n"
      "<script type=\"application/json\">{3}</script>\n"
      "<details><summary>Values</summary><div class=\"wide\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Values of {0}\">{4}</div></details></figure>\n",
      escaped(title), escaped(explanation), charts_, script_text(data), values_table(lines));
}

void Page::matrix(std::string_view title, const std::vector<std::string>& names,
                  const std::vector<std::vector<double>>& counts) {
  constexpr size_t most_named = 40;
  if (names.size() > most_named) {
    picture(draw::chart_image(draw::confusion_chart(names, counts), 1),
            fmt::format("{}: a cell for each class and prediction, darker the larger its share of "
                        "the class",
                        title));
    return;
  }
  body_ += fmt::format(
      "<div class=\"matrix\"><fieldset class=\"switch\"><legend>Show</legend>"
      "<label><input type=\"radio\" name=\"m{1}\" value=\"raw\" checked> counts</label>"
      "<label><input type=\"radio\" name=\"m{1}\" value=\"share\"> % of the class</label>"
      "</fieldset><div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\"><table>"
      "<caption>Rows are classes, columns predictions.</caption><thead><tr><td></td>",
      escaped(title), sections_);
  for (const std::string& name : names)
    body_ += fmt::format("<th scope=\"col\"><span>{}</span></th>", escaped(name));
  body_ += "</tr></thead><tbody>\n";
  for (size_t r = 0; r < names.size(); ++r) {
    body_ += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(names[r]));
    const double total = std::accumulate(counts[r].begin(), counts[r].end(), 0.0);
    for (size_t c = 0; c < names.size(); ++c) {
      const double share = total > 0 ? counts[r][c] / total : 0;
      body_ += fmt::format("<td{} style=\"--share:{:.3f}\" data-share=\"{:.1f}\">{:.0f}</td>",
                           share > 0.8    ? " class=\"full\""
                           : share > 0.65 ? " class=\"half\""
                                          : "",
                           share, 100 * share, counts[r][c]);
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div></div>\n";
}

bool Page::picture(const Image& image, std::string_view alt, std::string_view caption,
                   size_t at_most) {
  const auto [shown, data] = encoded(image, std::max(at_most / parts_, smallest_limit));
  if (data.size() > room_) {
    ++left_out_;
    return false;
  }
  room_ -= data.size();
  body_ += fmt::format(
      "<figure><img src=\"data:image/png;base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\">", data,
      shown.width, shown.height, escaped(alt));
  if (!caption.empty()) body_ += fmt::format("<figcaption>{}</figcaption>", escaped(caption));
  body_ += "</figure>\n";
  return true;
}

void Page::charts() { body_ += "<div class=\"charts\">\n"; }
void Page::end_charts() { body_ += "</div>\n"; }
void Page::gallery(bool large) {
  body_ += large ? "<div class=\"gallery large\">\n" : "<div class=\"gallery\">\n";
}
void Page::end_gallery() { body_ += "</div>\n"; }

std::string Page::document() && {
  if (left_out_ > 0) {
    note(fmt::format("{} {} left out, so that this page stays small.", left_out_,
                     left_out_ == 1 ? "picture is" : "pictures are"));
  }
  end_section();
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n"
      "<a class=\"skip\" href=\"#main\">Skip to content</a>\n"
      "<header><h1>{0}</h1><p>{2}</p></header>\n"
      "<nav aria-label=\"Contents\"><ul>\n{3}</ul></nav>\n<main id=\"main\">\n{4}</main>\n"
      "<footer>Written by Fovea.</footer>\n<script>{5}</script>\n</body>\n</html>\n",
      escaped(title_), style(), escaped(subtitle_), contents_, body_, script());
}

}  // namespace fovea::report
