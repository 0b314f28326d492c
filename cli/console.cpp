#include "console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fovea/core/files.h"

namespace fovea::cli {
namespace {

/// Whether a stream is a terminal with a cursor that moves.
bool draws(int descriptor) {
  const char* kind = std::getenv("TERM");
  return isatty(descriptor) == 1 && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

bool wants_colours() {
  const char* none = std::getenv("NO_COLOR");
  return none == nullptr || *none == '\0';
}

/// Writes to standard error and ignores failures: a closed terminal or pipe or a full disk is no
/// reason to stop the work in progress.
void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// "[=====>    ] text", at most `width` columns; without the bar if there is no space for it.
std::string status_line(double share, std::string_view text, size_t width) {
  constexpr size_t least_bar = 8, most_bar = 30, frame = 3;
  if (width < text.size() + least_bar + frame) return std::string(text.substr(0, width));
  const size_t bar = std::min(most_bar, width - text.size() - frame);
  const auto done =
      static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(bar)));
  std::string line = "[" + std::string(done, '=') + std::string(bar - done, ' ') + "] ";
  if (done > 0 && done < bar) line[done] = '>';
  return line.append(text);
}

}  // namespace

Console::Console()
    : terminal_(isatty(STDERR_FILENO) == 1),
      error_draws_(draws(STDERR_FILENO)),
      result_draws_(draws(STDOUT_FILENO)),
      error_colours_(error_draws_ && wants_colours()),
      result_colours_(result_draws_ && wants_colours()),
      next_status_(Clock::now() + std::chrono::seconds(terminal_ ? 0 : 10)) {}

void Console::result(std::string_view text) {
  if (json) return;
  if (data_output_) return note(text.substr(0, text.find_last_not_of('\n') + 1));
  clear_status();
  print(text);
}

void Console::data_goes_to(std::string_view flag, const std::string& path) {
  if (!is_standard_output(path)) return;
  if (json) {
    throw Error(ErrorKind::usage,
                fmt::format("{} {} and --json cannot both use standard output", flag, path))
        .with("try", fmt::format("a file name for {}", flag));
  }
  data_output_ = true;
}

void Console::document(const Json& document) {
  if (!json) return;
  clear_status();
  print(document.dump(2) + "\n");
}

void Console::note(std::string_view text) {
  if (quiet) return;
  clear_status();
  say(fmt::format("{}\n", text));
}

void Console::failure(const Error& error) {
  document(to_json(error));
  complaint(error);
}

void Console::complaint(const Error& error) {
  clear_status();
  say(fmt::format("{}{}\n", error_colours_ ? "\x1b[31merror:\x1b[0m " : "error: ",
                  visible(error.what(), true)));
}

void Console::status(double share, std::string_view text, std::string_view drawing) {
  const Clock::time_point now = Clock::now();
  if (quiet || now < next_status_) return;
  if (!terminal_) {
    next_status_ = now + std::chrono::seconds(10);
    say(fmt::format("{}\n", text));
    return;
  }
  next_status_ = now + std::chrono::milliseconds(100);
  const int columns = terminal_size(STDERR_FILENO).columns;
  const std::string line = status_line(share, text, static_cast<size_t>(columns - 1));
  say(status_.replace(fmt::format("{}{}", drawing, line), columns));
}

void Console::clear_status() {
  if (!status_.empty()) say(status_.replace("", terminal_size(STDERR_FILENO).columns));
}

std::optional<DrawingArea> Console::status_area() const {
  if (quiet || !error_draws_) return std::nullopt;
  return DrawingArea{terminal_size(STDERR_FILENO), error_colours_};
}

std::optional<DrawingArea> Console::result_area() const {
  if (json || data_output_ || !result_draws_) return std::nullopt;
  return DrawingArea{terminal_size(STDOUT_FILENO), result_colours_};
}

void Console::flush() {
  clear_status();
  if (std::fflush(stdout) != 0 && output_error_ == 0) output_error_ = errno;
  if (output_error_ != 0 && output_error_ != EPIPE) {
    throw Error(ErrorKind::io,
                std::string("cannot write to standard output: ") + std::strerror(output_error_));
  }
}

void Console::print(std::string_view text) {
  const bool complete = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!complete && output_error_ == 0) output_error_ = errno;  // the first is the most informative
}

std::string Console::green(std::string_view text, bool for_note) const {
  return (for_note ? error_colours_ : result_colours_) ? fmt::format("\x1b[32m{}\x1b[0m", text)
                                                       : std::string(text);
}

Json to_json(const Error& error) {
  Json details = Json::object();
  for (const auto& [key, text] : error.details()) {  // a key may be repeated
    details[key] = details.contains(key) ? details[key].get<std::string>() + "\n" + text : text;
  }
  return {{"error",
           {{"kind", name(error.kind())},
            {"message", error.headline()},
            {"details", details},
            {"exit_code", error.exit_code()}}}};
}

std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows, std::string_view align) {
  std::vector<size_t> widths;
  for (const std::string& title : header) widths.push_back(title.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string words;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) words += "  ";
      words += align[i] == 'r' ? fmt::format("{:>{}}", cells[i], widths[i])
                               : fmt::format("{:<{}}", cells[i], widths[i]);
    }
    text += words.substr(0, words.find_last_not_of(' ') + 1) + "\n";
  };
  line(header);
  for (const auto& row : rows) line(row);
  return text;
}

std::string visible(std::string_view text, bool of_lines) {
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    // Beyond ASCII some are of two bytes, the first of which is 0xc2.
    const auto next = static_cast<uint8_t>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool wide = c == 0xc2 && next >= 0x80 && next < 0xa0;
    if (wide) ++i;
    const bool control = wide || c == 0x7f || (c < 0x20 && !(of_lines && c == '\n'));
    if (control) {
      shown += fmt::format("\\x{:02x}", wide ? next : c);
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::string bytes_text(size_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration_text(double seconds) {
  const auto all = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  if (all < 3600) return fmt::format("{}:{:02}", all / 60, all % 60);
  return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string word = "'";
  for (char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace fovea::cli
