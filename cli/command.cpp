#include "command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::cli {
namespace {

/// "DIR", "RUN", "FILE.json", "X.npy", ...
bool names_path(std::string_view placeholder) {
  return placeholder.starts_with("DIR") || placeholder.starts_with("FILE") ||
         placeholder.starts_with("RUN") || placeholder.starts_with("X.");
}

}  // namespace

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

Option& Option::default_text(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Option& Option::help(const std::string& text) {
  option_->description(text);
  return *this;
}

Option& Option::join(char separator) {
  option_->join(separator);
  return *this;
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option Command::text(const std::string& name, std::string& value, const std::string& help,
                     const std::string& placeholder) {
  CLI::Option* option = app_->add_option(name, value, help)->type_name(placeholder);
  // Such as --resume "$RUN" without a RUN, which must not start another.
  if (names_path(placeholder)) {
    option->check([](const std::string& given) {
      return given.empty() ? std::string("the name of a file or folder is empty") : std::string();
    });
  }
  return Option(*option);
}

Option Command::texts(const std::string& name, std::vector<std::string>& values,
                      const std::string& help) {
  return Option(*app_->add_option(name, values, help));
}

Option Command::flag(const std::string& name, bool& value, const std::string& help) {
  return Option(*app_->add_flag(name, value, help));
}

Option Command::count(const std::string& name, int64_t& value, const std::string& help,
                      int64_t minimum, int64_t maximum) {
  CLI::Option* option = app_->add_option(name, value, help)->type_name("N");
  option->check(CLI::Range(minimum, maximum).description(""));
  if (value >= minimum && value <= maximum) option->capture_default_str();
  return Option(*option);
}

Option Command::number(const std::string& name, double& value, const std::string& help,
                       double minimum, double maximum) {
  CLI::Option* option = app_->add_option(name, value, help)->type_name("X");
  option->check(CLI::Range(minimum, maximum).description(""))->capture_default_str();
  option->check([](const std::string& given) {  // NaN compares as if it were in every range
    return parse_number(given) ? std::string() : given + " is not a number";
  });
  return Option(*option);
}

Option Command::word(const std::string& name, std::string& value, const std::string& help,
                     const std::vector<std::string>& words) {
  CLI::Option* option = app_->add_option(name, value, help)->type_name("WORD");
  option->check(CLI::IsMember(words));
  if (!value.empty()) option->capture_default_str();
  return Option(*option);
}

Option Command::argument(const std::string& name, std::string& value, ArgumentType type,
                         const std::string& help) {
  if (type == ArgumentType::flag) return Option(*app_->add_flag(name, value, help));
  constexpr const char* placeholders[] = {"N", "X", "", "TEXT", "N[xN...]", "X[xX...]"};
  return text(name, value, help, placeholders[static_cast<size_t>(type)]);
}

Option Command::max_pixels(int64_t& value) {
  return count(
      "--max-pixels", value,
      "Refuse pictures with more pixels; decoding takes up to 12 bytes of memory per pixel", 1,
      int64_t{1} << 40);
}

void Command::footer(const std::string& text) { app_->footer(text); }

bool Command::given(const std::string& name) const { return app_->count(name) > 0; }

void Command::require(const std::string& name) const {
  if (given(name)) return;
  throw Error(ErrorKind::usage, fmt::format("{} is missing", name))
      .with("try", full_name(*app_) + " --help");
}

}  // namespace fovea::cli
