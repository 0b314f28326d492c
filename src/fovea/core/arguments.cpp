#include "fovea/core/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"

namespace fovea {
namespace {

using Type = ArgumentType;

constexpr double largest_integer = 9007199254740992.0;  // 2^53: exact in a double, as all below
constexpr size_t largest_list = 3;                      // one number per spatial axis

bool is_integral(Type type) { return type == Type::integer || type == Type::integers; }
bool is_list(Type type) { return type == Type::integers || type == Type::numbers; }

/// Whether a value of the argument's type is in its range.
struct InRange {
  const Argument& argument;

  bool operator()(std::monostate) const { return false; }
  bool operator()(bool) const { return true; }
  bool operator()(const std::string& word) const {
    return std::ranges::count(argument.words, word) > 0;
  }
  bool operator()(double value) const {
    return (argument.open_minimum ? value > argument.minimum : value >= argument.minimum) &&
           (argument.open_maximum ? value < argument.maximum : value <= argument.maximum);
  }
  bool operator()(int64_t value) const {
    const auto number = static_cast<double>(value);
    return std::abs(number) <= largest_integer && (*this)(number);
  }
  template <class Number>
  bool operator()(const std::vector<Number>& values) const {
    return !values.empty() && values.size() <= largest_list && std::ranges::all_of(values, *this);
  }
};

/// A bound: 1000000, not 1e+06.
std::string bound_text(double value) {
  const bool integral = value == std::floor(value) && std::abs(value) <= largest_integer;
  return integral ? std::to_string(static_cast<int64_t>(value)) : format_number(value);
}

/// " from 1 to 64", " above 0", " of at least 0 and below 1"; "" where every number is in range.
std::string range_text(const Argument& a) {
  const bool low = std::isfinite(a.minimum), high = std::isfinite(a.maximum);
  const std::string minimum = bound_text(a.minimum), maximum = bound_text(a.maximum);
  if (low && high && !a.open_minimum && !a.open_maximum) {
    return " from " + minimum + " to " + maximum;
  }
  std::vector<std::string> bounds;
  if (low) bounds.push_back((a.open_minimum ? "above " : "of at least ") + minimum);
  if (high) {
    bounds.push_back((a.open_maximum ? "below " : low ? "at most " : "of at most ") + maximum);
  }
  return bounds.empty() ? "" : fmt::format(" {}", join(bounds, " and "));
}

/// Whether a text can refer to it.
bool is_name(std::string_view name) {
  return !name.empty() && name.find_first_of(":,=") == std::string_view::npos;
}

/// "a, b or c".
std::string alternatives(std::vector<std::string> parts) {
  const std::string last = parts.back();
  parts.pop_back();
  return parts.empty() ? last : join(parts) + " or " + last;
}

std::string upper(std::string name) {
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  const std::optional<double> value = parse_number(text);
  if (!value || *value != std::floor(*value) || std::abs(*value) > largest_integer) return {};
  return static_cast<int64_t>(*value);
}

template <class Number>
std::optional<std::vector<Number>> parse_list(
    std::string_view text, std::optional<Number> (*parse)(std::string_view part)) {
  std::vector<Number> values;
  for (const std::string& part : split(text, 'x')) {
    const std::optional<Number> value = parse(part);
    if (!value) return {};
    values.push_back(*value);
  }
  return values;
}

template <class Value>
ArgumentValue value_or_word(const std::optional<Value>& value, std::string_view text) {
  if (value) return *value;
  return std::string(text);
}

/// A value of that type, whatever its range; the text itself, as a word, if it is not of that type.
ArgumentValue parse(Type type, std::string_view text) {
  switch (type) {
    case Type::integer:
      return value_or_word(parse_integer(text), text);
    case Type::number:
      return value_or_word(parse_number(text), text);
    case Type::integers:
      return value_or_word(parse_list(text, parse_integer), text);
    case Type::numbers:
      return value_or_word(parse_list(text, parse_number), text);
    case Type::flag:
      if (text == "true" || text == "false") return text == "true";
      break;
    case Type::word:
      break;
  }
  return std::string(text);
}

/// "      gamma: factor of each change, a number of at least 0 (default: 0.1)\n".
std::string argument_line(const Argument& argument) {
  const std::string value =
      argument.follows.empty() ? to_string(argument.default_value) : argument.follows;
  return "      " + argument.name + ": " + argument.help + (argument.help.empty() ? "" : ", ") +
         argument.expected() + (argument.required() ? "" : " (default: " + value + ")") + "\n";
}

/// "no arguments", "1 argument", "2 arguments" or, when some are optional, "at most ...".
std::string argument_count(const Choice& choice) {
  const size_t count = choice.arguments.size();
  if (count == 0) return "no arguments";
  const bool optional = !choice.arguments.back().required();
  return (optional ? "at most " : "") + std::to_string(count) +
         (count == 1 ? " argument" : " arguments");
}

template <class Number>
std::string list_text(const std::vector<Number>& values) {
  std::vector<std::string> parts;
  for (const Number value : values) parts.push_back(to_string(ArgumentValue(value)));
  return join(parts, "x");
}

}  // namespace

std::string_view name(ArgumentType type) {
  constexpr std::string_view names[] = {"integer", "number", "flag", "word", "integers", "numbers"};
  return names[static_cast<size_t>(type)];
}

bool Argument::required() const {
  return std::holds_alternative<std::monostate>(default_value) && follows.empty();
}

std::string Argument::expected() const {
  if (type == Type::flag) return "true or false";
  std::vector<std::string> accepted;
  if (type != Type::word) {
    accepted.push_back((is_integral(type) ? "an integer" : "a number") + range_text(*this));
  }
  if (is_list(type)) accepted.emplace_back("a list with one per axis");
  for (const std::string& word : words) accepted.push_back('"' + word + '"');
  return alternatives(accepted);
}

std::string Argument::mismatch(std::string_view given) const {
  return name + " must be " + expected() + ", not " + printable(given);
}

bool Argument::accepts(const ArgumentValue& value) const {
  const bool typed = value.index() == static_cast<size_t>(type) + 1;  // after none
  return (typed || std::holds_alternative<std::string>(value)) && std::visit(InRange{*this}, value);
}

ArgumentValue Argument::read(std::string_view text) const {
  const ArgumentValue value = parse(type, text);
  return accepts(value) ? value : ArgumentValue{};
}

std::string Argument::flag() const {
  std::string text = "--" + name;
  std::ranges::replace(text, '_', '-');
  return text;
}

ArgumentValue Argument::read_flag(std::string_view text) const {
  ArgumentValue value = read(text);
  if (!std::holds_alternative<std::monostate>(value)) return value;
  throw Error(ErrorKind::usage,
              fmt::format("{} must be {}, not \"{}\"", flag(), expected(), printable(text)));
}

std::string to_string(const ArgumentValue& value) {
  if (const auto* v = std::get_if<int64_t>(&value)) return std::to_string(*v);
  if (const auto* v = std::get_if<double>(&value)) return format_number(*v);
  if (const auto* v = std::get_if<bool>(&value)) return *v ? "true" : "false";
  if (const auto* v = std::get_if<std::string>(&value)) return *v;
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) return list_text(*v);
  if (const auto* v = std::get_if<std::vector<double>>(&value)) return list_text(*v);
  return "";
}

const ArgumentValue& Arguments::value(std::string_view name) const {
  const auto found = values_.find(name);
  require(found != values_.end(), "an undeclared argument is read");
  return found->second;
}

bool Arguments::has(std::string_view name) const {
  return !std::holds_alternative<std::monostate>(value(name));
}

void Arguments::erase(std::string_view name) {
  if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
}

template <class T>
const T& Arguments::get(std::string_view name) const {
  const T* typed = std::get_if<T>(&value(name));
  require(typed != nullptr, "an argument is read with a type other than its declared one");
  return *typed;
}

template const int64_t& Arguments::get(std::string_view) const;
template const double& Arguments::get(std::string_view) const;
template const bool& Arguments::get(std::string_view) const;
template const std::string& Arguments::get(std::string_view) const;

int64_t Arguments::integer(std::string_view name, int64_t otherwise) const {
  return has(name) ? integer(name) : otherwise;
}

std::optional<double> Arguments::optional_number(std::string_view name) const {
  if (std::holds_alternative<std::string>(value(name))) return std::nullopt;
  return number(name);
}

const std::vector<int64_t>& Arguments::integers(std::string_view name) const {
  return get<std::vector<int64_t>>(name);
}

const std::vector<double>& Arguments::numbers(std::string_view name) const {
  return get<std::vector<double>>(name);
}

std::string Choice::usage() const {
  std::string text = name, closing;
  for (const Argument& argument : arguments) {
    const bool optional = !argument.required();
    text += (optional ? "[:" : ":") + upper(argument.name);
    if (optional) closing += ']';
  }
  return text + closing;
}

ChoiceText parse_choice(std::string_view text) {
  const size_t colon = text.find(':');
  ChoiceText parsed{.name = std::string(text.substr(0, colon)), .arguments = {}};
  if (colon == std::string_view::npos) return parsed;
  std::string arguments(text.substr(colon + 1));
  std::ranges::replace(arguments, ',', ':');
  parsed.arguments = split(arguments, ':');
  return parsed;
}

std::vector<ChoiceText> parse_choices(std::string_view list) {
  std::vector<ChoiceText> parsed;
  for (const std::string& text : split(list, ',')) parsed.push_back(parse_choice(text));
  return parsed;
}

Arguments read_arguments(std::string_view what, const Choice& choice,
                         std::span<const std::string> texts) {
  const auto fail = [&](const std::string& headline) {
    return Error(ErrorKind::usage, fmt::format("{} {}{}", what, choice.name, headline))
        .with("usage", choice.usage());
  };
  std::map<std::string, ArgumentValue, std::less<>> values;
  size_t place = 0;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const bool named = equals != std::string::npos;
    const std::string name = text.substr(0, named ? equals : 0);
    const auto argument = named ? std::ranges::find(choice.arguments, name, &Argument::name)
                                : choice.arguments.begin() + static_cast<ptrdiff_t>(std::min(
                                                                 place++, choice.arguments.size()));
    if (argument == choice.arguments.end()) {
      if (named) throw fail(" has no argument \"" + printable(name) + "\"");
      throw fail(fmt::format(" takes {}, not {}", argument_count(choice), texts.size()));
    }
    const std::string given = named ? text.substr(equals + 1) : text;
    ArgumentValue value = argument->read(given);
    if (std::holds_alternative<std::monostate>(value)) {
      throw fail(": " + argument->mismatch('"' + given + '"'));
    }
    if (!values.emplace(argument->name, std::move(value)).second) {
      throw fail(": " + argument->name + " is given twice");
    }
  }
  for (const Argument& argument : choice.arguments) {
    if (values.contains(argument.name)) continue;
    if (argument.required()) throw fail(": " + argument.name + " is missing");
    values.emplace(argument.name, argument.default_value);
  }
  return Arguments(std::move(values));
}

void check(std::string_view what, const Choice& choice) {
  if (!is_name(choice.name)) {
    throw Error(ErrorKind::usage,
                fmt::format("{} \"{}\": a name must not be empty or contain : , or =", what,
                            printable(choice.name)));
  }
  bool optional = false;
  for (const Argument& argument : choice.arguments) {
    const auto fail = [&](const std::string& mistake) {
      return Error(ErrorKind::usage,
                   fmt::format("{} {}: {}{}", what, choice.name, argument.name, mistake));
    };
    if (!is_name(argument.name)) throw fail(": a name must not be empty or contain : , or =");
    if (std::ranges::count(choice.arguments, argument.name, &Argument::name) > 1) {
      throw fail(" is declared twice");
    }
    if (argument.type == Type::word && argument.words.empty()) throw fail(" accepts no word");
    if (argument.required() && optional) throw fail(" is required but follows an optional one");
    optional = optional || !argument.required();
    const ArgumentValue& value = argument.default_value;
    if (!std::holds_alternative<std::monostate>(value) && !argument.accepts(value)) {
      throw fail(" has the default " + to_string(value) + ", but must be " + argument.expected());
    }
  }
}

std::string to_text(const Choice& choice, const Arguments& arguments) {
  std::string text = choice.name, pending;
  for (const Argument& argument : choice.arguments) {
    const ArgumentValue& value = arguments.value(argument.name);
    pending += fmt::format(":{}", to_string(value));
    if (value == argument.default_value) continue;
    text += pending;
    pending.clear();
  }
  return text;
}

std::string usages(std::span<const Choice* const> choices) {
  std::vector<std::string> all;
  for (const Choice* choice : choices) all.push_back(choice->usage());
  return join(all);
}

std::string listing(std::span<const Choice* const> choices) {
  size_t width = 0;
  for (const Choice* choice : choices) width = std::max(width, choice->usage().size());
  std::string text;
  for (const Choice* choice : choices) {
    std::string usage = choice->usage();
    usage.append(width - usage.size(), ' ');
    text += "  " + usage + "  " + choice->help + "\n";
    for (const Argument& argument : choice->arguments) text += argument_line(argument);
  }
  return text;
}

Error unknown_choice(std::string_view what, std::string_view name,
                     std::span<const Choice* const> known) {
  constexpr size_t long_line = 320;
  std::vector<std::string> names;
  for (const Choice* choice : known) names.push_back(choice->name);
  const std::string all = usages(known);
  return unknown_name(what, name, names).with("known", all.size() < long_line ? all : join(names));
}

}  // namespace fovea
