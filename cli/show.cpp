#include "show.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/draw/terminal.h"
#include "fovea/draw/terminal_chart.h"

namespace fovea::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The terminal's answer to `question`, up to the letter `end`; "" if there is none in time.
std::string asked(std::string_view question, char end) {
  constexpr int patience_ms = 300;
  constexpr size_t longest = 256;
  const Descriptor terminal(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios before{};
  if (terminal.get() < 0 || tcgetattr(terminal.get(), &before) != 0) return "";
  termios raw = before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  if (tcsetattr(terminal.get(), TCSANOW, &raw) != 0) return "";
  std::string answer;
  if (write(terminal.get(), question.data(), question.size()) ==
      static_cast<ssize_t>(question.size())) {
    pollfd ready{terminal.get(), POLLIN, 0};
    char letter = 0;
    while (answer.size() < longest && poll(&ready, 1, patience_ms) == 1 &&
           read(terminal.get(), &letter, 1) == 1) {
      answer += letter;
      if (letter == end) break;
    }
  }
  tcsetattr(terminal.get(), TCSANOW, &before);
  return answer;
}

/// Attribute 4 of a terminal's primary device attributes is sixel graphics.
bool knows_sixel() {
  std::string answer = asked("\x1b[c", 'c');
  const size_t start = answer.find('?');
  if (start == std::string::npos || answer.back() != 'c') return false;
  answer.pop_back();
  const std::vector<std::string> attributes = split(answer.substr(start + 1), ';');
  return std::find(attributes.begin() + 1, attributes.end(), "4") != attributes.end();
}

draw::TerminalPictures kind_of_terminal() {
  if (!environment("KITTY_WINDOW_ID").empty() || environment("TERM") == "xterm-kitty" ||
      environment("TERM") == "xterm-ghostty") {
    return draw::TerminalPictures::kitty;
  }
  return knows_sixel() ? draw::TerminalPictures::sixel : draw::TerminalPictures::blocks;
}

}  // namespace

void check_show(const Console& console) {
  if (console.json) {
    throw Error(ErrorKind::usage, "--show and --json cannot be given together")
        .with("try", "--out DIR for the pictures as files");
  }
  if (isatty(STDOUT_FILENO) == 1 && environment("TERM") != "dumb") return;
  throw Error(ErrorKind::usage,
              "--show draws in a terminal with colours, and standard output is none")
      .with("try", "--out DIR for the pictures as files");
}

void show(Console& console, const Image& picture) {
  check_show(console);
  static const draw::TerminalPictures how = kind_of_terminal();
  console.result(draw::terminal_picture(picture, how, terminal_size(STDOUT_FILENO).columns));
}

void show(Console& console, const draw::Chart& chart) {
  check_show(console);
  constexpr int rows = 10;
  console.result(draw::terminal_chart(chart, terminal_size(STDOUT_FILENO).columns - 1, rows, true));
}

}  // namespace fovea::cli
