#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/json.h"
#include "fovea/core/text.h"
#include "terminal.h"

namespace fovea::cli {

/// A command's output: results to standard output, messages and progress to standard error.
/// Failures to write to standard error are ignored.
class Console {
 public:
  Console();

  bool json = false;   ///< the only result is one JSON document
  bool quiet = false;  ///< no messages, no progress

  /// A result for people; not printed with --json.
  void result(std::string_view text);
  /// The document of --json; not printed without it.
  void document(const Json& document);
  /// A message of one or more lines, without a trailing newline.
  void note(std::string_view text);
  /// Announces that `flag` writes data to `path`. If that is standard output, results for people
  /// become messages. Errors: usage with --json, whose document goes there.
  void data_goes_to(std::string_view flag, const std::string& path);
  /// The error that ends a command, printed even with --quiet; with --json it is the document.
  void failure(const Error& error);
  /// An error after which the command continues, printed even with --quiet: only to standard error.
  void complaint(const Error& error);

  /// The progress of long work (share from 0 to 1) and a short text: on a terminal one line,
  /// redrawn at most ten times per second, elsewhere a line every ten seconds. On a terminal
  /// `drawing`, lines that each end with a line feed, is above it (see status_area).
  void status(double share, std::string_view text, std::string_view drawing = {});
  void clear_status();
  /// Where a drawing above the progress can be; none if standard error is not a terminal in which
  /// lines can be drawn anew, and with --quiet.
  std::optional<DrawingArea> status_area() const;

  /// Flushes the output. A closed standard output (`| head`)
  /// is not an error. Errors: io when it cannot be written.
  void flush();

  /// Green text if standard output, or standard error for `note`, is a terminal that supports
  /// colours.
  std::string green(std::string_view text, bool for_note = false) const;
  /// The same of standard output, for results that are drawn anew or in curves; none with --json.
  std::optional<DrawingArea> result_area() const;

 private:
  using Clock = std::chrono::steady_clock;

  void print(std::string_view text);

  bool terminal_;                        ///< whether standard error is one
  bool error_draws_, result_draws_;      ///< whether each stream is one with a cursor that moves
  bool error_colours_, result_colours_;  ///< whether it also supports colours, and they are wanted
  bool data_output_ = false;             ///< standard output is used for data
  RedrawnLines status_;                  ///< on the screen
  Clock::time_point next_status_;
  int output_error_ = 0;  ///< errno of the first failed write to standard output
};

/// {"error": {"kind": "data", "message": ..., "details": {...}, "exit_code": 3}}
Json to_json(const Error& error);

/// Rows under a header, in aligned columns two spaces apart. `align` has one letter per column, l
/// or r.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows, std::string_view align);

/// The name of a file, or another text from outside, as a terminal may be given it: control
/// characters become "\x1b". Of lines, line feeds stay.
std::string visible(std::string_view text, bool of_lines = false);

/// "1.5 MiB", "812 B".
std::string bytes_text(size_t bytes);
/// "0:07", "1:23", "1:02:03".
std::string duration_text(double seconds);
/// `text` as one word of a shell command.
std::string shell_word(const std::string& text);

}  // namespace fovea::cli
