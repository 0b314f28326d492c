#include "fovea/core/arguments.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"

namespace fovea {
namespace {

using Type = ArgumentType;

bool is_integral(Type type) { return type == Type::integer || type == Type::integers; }

/// In the range, and for integers: one that a double holds exactly.
bool fits(const Argument& argument, double value) {
  const bool low = argument.open_minimum ? value > argument.minimum : value >= argument.minimum;
  const bool high = argument.open_maximum ? value < argument.maximum : value <= argument.maximum;
  return low && high && (!is_integral(argument.type) || value == std::floor(value));
}

std::string number_text(Type type, double value) {  // 1000000, not 1e+06
  return is_integral(type) ? std::to_string(static_cast<int64_t>(value)) : format_number(value);
}

std::string range_text(const Argument& a) {
  const std::string low = number_text(a.type, a.minimum), high = number_text(a.type, a.maximum);
  if (!a.open_minimum && !a.open_maximum) return " from " + low + " to " + high;
  return (a.open_minimum ? " above " : " of at least ") + low +
         (a.open_maximum ? " and below " : " and at most ") + high;
}

std::string upper(std::string name) {
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

template <class Number>
std::vector<Number> converted(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

template <class Number>
std::string list_text(const std::vector<Number>& values) {
  std::vector<std::string> parts;
  for (const Number value : values) parts.push_back(format_number(static_cast<double>(value)));
  return join(parts, "x");
}

}  // namespace

bool Argument::required() const {
  return std::holds_alternative<std::monostate>(default_value) && follows.empty();
}

std::string Argument::expected() const {
  std::vector<std::string> possible;
  if (type == Type::flag) return "true or false";
  if (type != Type::word) {
    possible.push_back((is_integral(type) ? "an integer" : "a number") + range_text(*this));
  }
  if (type == Type::integers || type == Type::numbers) possible.push_back("a list, one per axis");
  for (const std::string& word : words) possible.push_back('"' + word + '"');
  return join(possible, " or ");
}

bool Argument::accepts(const ArgumentValue& value) const {
  const auto all_fit = [&](const auto& list) {
    return !list.empty() &&
           std::ranges::all_of(list, [&](auto v) { return fits(*this, static_cast<double>(v)); });
  };
  if (const auto* word = std::get_if<std::string>(&value))
    return std::ranges::count(words, *word) > 0;
  switch (type) {
    case Type::integer: {
      const auto* v = std::get_if<int64_t>(&value);
      return v != nullptr && fits(*this, static_cast<double>(*v));
    }
    case Type::number: {
      const auto* v = std::get_if<double>(&value);
      return v != nullptr && fits(*this, *v);
    }
    case Type::flag:
      return std::holds_alternative<bool>(value);
    case Type::integers: {
      const auto* v = std::get_if<std::vector<int64_t>>(&value);
      return v != nullptr && all_fit(*v);
    }
    case Type::numbers: {
      const auto* v = std::get_if<std::vector<double>>(&value);
      return v != nullptr && all_fit(*v);
    }
    case Type::word:
      return false;
  }
  return false;
}

ArgumentValue Argument::read(std::string_view text) const {
  const std::string word(text);
  if (std::ranges::count(words, word) > 0) return word;
  if (type == Type::word) return {};
  if (type == Type::flag) {
    if (word == "true" || word == "false") return word == "true";
    return {};
  }
  const bool list = type == Type::integers || type == Type::numbers;
  std::vector<double> values;
  for (const std::string& part : list ? split(text, 'x') : std::vector<std::string>{word}) {
    const std::optional<double> value = parse_number(part);
    if (!value || !fits(*this, *value)) return {};
    values.push_back(*value);
  }
  switch (type) {
    case Type::integer:
      return static_cast<int64_t>(values[0]);
    case Type::integers:
      return converted<int64_t>(values);
    case Type::numbers:
      return values;
    default:
      return values[0];
  }
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
  require(found != values_.end(), "an argument is read that was not declared");
  return found->second;
}

bool Arguments::has(std::string_view name) const {
  return !std::holds_alternative<std::monostate>(value(name));
}

template <class T>
const T& Arguments::get(std::string_view name) const {
  const T* typed = std::get_if<T>(&value(name));
  require(typed != nullptr, "an argument is read as another type than it was declared with");
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
    return Error(ErrorKind::usage, std::string(what) + ": " + headline);
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
      if (!named) {
        throw fail(choice.name + " takes " + std::to_string(choice.arguments.size()) +
                   " arguments, not " + std::to_string(texts.size()))
            .with("expected", choice.usage());
      }
      throw fail(choice.name + " has no argument \"" + printable(name) + "\"")
          .with("expected", choice.usage());
    }
    ArgumentValue value = argument->read(named ? text.substr(equals + 1) : text);
    if (std::holds_alternative<std::monostate>(value)) {
      throw fail("the " + argument->name + " of " + choice.name + " is \"" +
                 printable(named ? text.substr(equals + 1) : text) + "\", " + argument->expected() +
                 " is possible")
          .with("expected", choice.usage());
    }
    if (!values.emplace(argument->name, std::move(value)).second) {
      throw fail("the " + argument->name + " of " + choice.name + " is given twice")
          .with("expected", choice.usage());
    }
  }
  for (const Argument& argument : choice.arguments) {
    if (values.contains(argument.name)) continue;
    if (argument.required()) {
      throw fail("the " + argument.name + " of " + choice.name + " is missing")
          .with("expected", choice.usage());
    }
    values.emplace(argument.name, argument.default_value);
  }
  return Arguments(std::move(values));
}

std::string to_text(const Choice& choice, const Arguments& arguments) {
  std::string text = choice.name, pending;
  for (const Argument& argument : choice.arguments) {
    const ArgumentValue& value = arguments.value(argument.name);
    pending += ":" + to_string(value);
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

Error unknown_choice(std::string_view what, std::string_view name,
                     std::span<const Choice* const> known) {
  std::vector<std::string> names;
  for (const Choice* choice : known) names.push_back(choice->name);
  return unknown_name(what, name, names).with("known", usages(known));
}

}  // namespace fovea
