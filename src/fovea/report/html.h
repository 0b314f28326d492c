#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/draw/chart.h"
#include "fovea/images/image.h"

namespace fovea::report {

/// A page in the making: one self-contained HTML document, that asks nothing of a network. All
/// texts are escaped, so that names from data sets and paths cannot become markup.
class Page {
 public:
  /// `budget`: bytes that pictures may take; those beyond it are left out, which the page says.
  /// `parts`: among how many runs they are shared out.
  Page(std::string title, std::string subtitle, size_t budget = size_t{2200} << 10,
       size_t parts = 1);

  /// A section of its own, also in the list of contents.
  void section(std::string_view title);
  /// A title above the sections that follow, such as the name of one of several runs.
  void divider(std::string_view title);
  /// A heading inside a section.
  void heading(std::string_view title);
  void paragraph(std::string_view text);
  /// Something that could not be shown, and why.
  void note(std::string_view text);
  /// Lines as they are typed.
  void code(std::string_view text);

  /// Important numbers as tiles: what, how much.
  void tiles(const std::vector<std::pair<std::string, std::string>>& facts);
  /// Two columns: what, value.
  void facts(const std::vector<std::pair<std::string, std::string>>& rows);

  struct TableOptions {
    size_t text_columns = 1;  ///< so many columns are texts, aligned left; numbers follow
    bool sortable = false;    ///< by a click on a heading
  };
  /// `caption` also names it for screen readers.
  void table(std::string_view caption, const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows, const TableOptions& options);

  /// What follows, up to close(), can be folded away.
  void fold(std::string_view summary, bool open = false);
  void close();

  /// Curves that can be zoomed and read by pointer and keyboard, with a table of their values for
  /// who cannot see them. `explanation`: what they show, in a sentence.
  void curves(std::string_view title, std::string_view explanation, const draw::Lines& lines);
  /// A matrix of counts, shown raw or as shares of rows.
  void matrix(std::string_view title, const std::vector<std::string>& names,
              const std::vector<std::vector<double>>& counts);

  /// Curves up to end_charts() stand beside each other where there is room.
  void charts();
  void end_charts();

  /// A picture with what it shows for who cannot see it, and a caption. One that takes more than
  /// its part of `at_most` bytes is made smaller. Returns whether it found room.
  bool picture(const Image& image, std::string_view alt, std::string_view caption = {},
               size_t at_most = size_t{100} << 10);
  /// Pictures up to end_gallery() stand beside each other.
  void gallery(bool large = false);
  void end_gallery();

  /// The document. No more can be added.
  std::string document() &&;

 private:
  void end_section();

  std::string title_, subtitle_, body_, contents_;
  size_t room_, parts_;
  size_t left_out_ = 0, sections_ = 0, charts_ = 0;
  bool in_section_ = false;
};

/// The page's style and script.
std::string_view style();
std::string_view script();

}  // namespace fovea::report
