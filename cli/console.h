#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::cli {

using Json = nlohmann::ordered_json;

/// Where a command's words go: results to standard output, messages and progress to standard error.
/// Standard error that cannot be written is passed over.
class Console {
 public:
  Console();

  bool json = false;   ///< one JSON document is the only result
  bool quiet = false;  ///< no messages, no progress

  /// A result for people: nothing with --json.
  void result(std::string_view text);
  /// The document of --json: nothing without.
  void document(const Json& document);
  /// A message of one or more lines, without the last line's end.
  void note(std::string_view text);
  /// Says that `flag` writes data to `path`. Where that is standard output, results for people are
  /// messages. Errors: usage with --json, whose document goes there.
  void data_goes_to(std::string_view flag, const std::string& path);
  /// The error that ends a command, also with --quiet; with --json it is the document.
  void failure(const Error& error);
  /// An error that the command goes on after, also with --quiet: only to standard error.
  void complaint(const Error& error);

  /// How far long work is (share from 0 to 1) and a few words about it: on a terminal one line that
  /// is drawn over at most ten times a second, elsewhere a line every ten seconds.
  void status(double share, std::string_view text);
  void clear_status();

  /// Hands everything over. Standard output that nobody reads any more (`| head`) is no error.
  /// Errors: io when it cannot be written.
  void flush();

  /// Text in green where standard output, or standard error for `note`, is a terminal that shows
  /// colours.
  std::string green(std::string_view text, bool for_note = false) const;

 private:
  using Clock = std::chrono::steady_clock;

  void print(std::string_view text);

  bool terminal_;                        ///< standard error is one
  bool error_colours_, result_colours_;  ///< whether each stream shows them
  bool data_output_ = false;             ///< standard output is taken by data
  bool drawn_ = false;                   ///< a status line is on the screen
  Clock::time_point next_status_;
  int output_error_ = 0;  ///< errno of the first failed write to standard output
};

/// {"error": {"kind": "data", "message": ..., "details": {...}, "exit_code": 3}}
Json to_json(const Error& error);

/// Rows under a header, in columns of even width, two spaces apart. `align` has a letter a column,
/// l or r.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows, std::string_view align);

/// "1.5 MiB", "812 B".
std::string bytes_text(size_t bytes);
/// "0:07", "1:23", "1:02:03".
std::string duration_text(double seconds);
/// `text` as one word of a shell command.
std::string shell_word(const std::string& text);

}  // namespace fovea::cli
