#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdint>

#include "fovea/core/text.h"

namespace fovea::cli {
namespace {

/// How many characters of a line are seen: codes in it, such as those of colours, are not.
int displayed_width(std::string_view line) {
  int width = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      while (i + 1 < line.size() && line[i] != 'm') ++i;
    } else if ((static_cast<uint8_t>(line[i]) & 0xc0) != 0x80) {  // not inside a character
      ++width;
    }
  }
  return width;
}

/// The rows of a terminal that a line takes.
int rows_of(std::string_view line, int columns) {
  return std::max(1, (displayed_width(line) + columns - 1) / columns);
}

}  // namespace

TerminalSize terminal_size(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

std::string RedrawnLines::replace(std::string_view text, int columns) {
  std::vector<std::string> next;
  if (!text.empty()) next = split(text, '\n');
  size_t first = 0;  // that differs, or the last one, where the cursor is
  if (columns == columns_ && !lines_.empty()) {
    const size_t shared = std::min(lines_.size(), next.size());
    while (first < shared && lines_[first] == next[first]) ++first;
    if (first == lines_.size() && first == next.size()) return "";
    first = std::min(first, std::max<size_t>(shared, 1) - 1);
  }
  int up = -1;
  for (size_t i = first; i < lines_.size(); ++i) up += rows_of(lines_[i], columns);
  std::string codes = up > 0 ? fmt::format("\r\x1b[{}A", up) : "\r";
  for (size_t i = first; i < next.size(); ++i)
    codes += fmt::format("{}{}\x1b[K", i > first ? "\n" : "", next[i]);
  if (lines_.size() > next.size() || columns != columns_) codes += "\x1b[J";
  lines_ = std::move(next);
  columns_ = columns;
  return codes;
}

}  // namespace fovea::cli
