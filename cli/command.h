#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"

namespace CLI {  // parses command lines; its header takes seconds to compile and stays in
                 // command.cpp
class App;
class Option;
}  // namespace CLI

namespace fovea::cli {

/// A flag or a positional argument that was declared; what few of them need.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  /// Its default in the help; by default the value before parsing, for counts, numbers and words.
  Option& default_text(const std::string& text);
  Option& help(const std::string& text);
  /// Given several times, its values are joined by `separator`; otherwise the last one counts.
  Option& join(char separator);
  Option& required();

 private:
  CLI::Option* option_;
};

/// One command, or a group of commands: a handle to declare its flags and positional arguments, and
/// to ask which were given. Names are "--flag" or "POSITIONAL"; `value` is set by parsing, and must
/// live until then; `placeholder` stands for the value in the help.
class Command {
 public:
  Command() = default;
  explicit Command(CLI::App& app) : app_(&app) {}

  Option text(const std::string& name, std::string& value, const std::string& help,
              const std::string& placeholder = "TEXT");
  Option texts(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Option flag(const std::string& name, bool& value, const std::string& help);
  /// An integer from `minimum` to `maximum`; a `value` outside, such as 0, is not shown as default.
  Option count(const std::string& name, int64_t& value, const std::string& help,
               int64_t minimum = 1, int64_t maximum = 1'000'000);
  /// A number from `minimum` to `maximum`.
  Option number(const std::string& name, double& value, const std::string& help, double minimum,
                double maximum);
  /// One of several words; an empty `value` is not shown as default.
  Option word(const std::string& name, std::string& value, const std::string& help,
              const std::vector<std::string>& words);
  /// A value that an Argument of this type parses.
  Option argument(const std::string& name, std::string& value, ArgumentType type,
                  const std::string& help);
  /// --max-pixels, for commands that read pictures.
  Option max_pixels(int64_t& value);

  /// Text after the flags in the help.
  void footer(const std::string& text);

  bool given(const std::string& name) const;
  /// Errors: usage when the flag or argument was not given.
  void require(const std::string& name) const;

  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_ = nullptr;
};

/// "fovea data info".
std::string full_name(const CLI::App& app);

}  // namespace fovea::cli
