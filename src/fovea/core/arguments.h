#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/core/error.h"

// What is chosen by name and takes arguments: "step:30:0.1" as a schedule, "crop:4,flip" as
// transforms, `{ type = "Conv2d", kernel_size = 3 }` as a layer, --dropout 0.2 of a model. Each
// declares its arguments once; reading, checking, help and messages come from that.
namespace fovea {

/// The value of an argument: none, an integer, a number, true or false, a word, integers or numbers
/// (one per spatial axis).
using ArgumentValue = std::variant<std::monostate, int64_t, double, bool, std::string,
                                   std::vector<int64_t>, std::vector<double>>;

/// What an argument takes: the kinds of ArgumentValue, in its order. In a text, a list of one
/// number stands for all axes.
enum class ArgumentType : uint8_t { integer, number, flag, word, integers, numbers };

/// The type as --json prints it: "integer", "numbers", ...
std::string_view name(ArgumentType type);

/// One argument of something that is chosen by name.
struct Argument {
  std::string name;
  ArgumentType type = ArgumentType::number;
  ArgumentValue default_value = {};  ///< none: it is required, or `follows` says what it is
  double minimum = 0;                ///< of numbers, included unless open; -infinity: no bound
  double maximum = std::numeric_limits<double>::infinity();  ///< likewise
  bool open_minimum = false, open_maximum = false;           ///< the bound itself is not accepted
  std::vector<std::string> words = {};  ///< accepted besides numbers; of a word: the only values
  std::string follows = {};             ///< what it is when it is not given: "the input's"
  std::string help = {};                ///< one line, without a full stop

  bool required() const;
  /// What is accepted: "an integer from 1 to 64 or \"same\"", "a number of at least 0 and below 1".
  std::string expected() const;
  /// The message for a value that is not accepted, `given` as the user wrote it: "epochs must be an
  /// integer of at least 1, not 0".
  std::string mismatch(std::string_view given) const;
  /// Whether `value` is of the argument's type and in its range. Integers are at most 2^53 in size,
  /// lists hold one to three numbers.
  bool accepts(const ArgumentValue& value) const;
  /// The value that a text stands for, none if it is not accepted. Lists are "3" or "3x5".
  ArgumentValue read(std::string_view text) const;
  /// Its flag on a command line: "--drop-path" for drop_path.
  std::string flag() const;
  /// The value given to its flag. Errors: usage when it is not accepted:
  /// "--drop-path must be a number of at least 0 and below 1, not "2"".
  ArgumentValue read_flag(std::string_view text) const;
};

/// As `read` takes it: "3", "0.5", "true", "reflect", "3x5"; "" for none.
std::string to_string(const ArgumentValue& value);

/// The values of all arguments of one choice, given or by default.
class Arguments {
 public:
  using Values = std::map<std::string, ArgumentValue, std::less<>>;

  Arguments() = default;
  explicit Arguments(Values values) : values_(std::move(values)) {}
  /// {{"dropout", 0.5}, {"stem", "cifar"}}
  Arguments(std::initializer_list<Values::value_type> values) : values_(values) {}

  /// Errors of all getters: internal when there is no such argument, or it has another type.
  int64_t integer(std::string_view name) const { return get<int64_t>(name); }
  /// `otherwise` when it was not given and has no default.
  int64_t integer(std::string_view name, int64_t otherwise) const;
  double number(std::string_view name) const { return get<double>(name); }
  /// None if a word was given instead.
  std::optional<double> optional_number(std::string_view name) const;
  bool flag(std::string_view name) const { return get<bool>(name); }
  const std::string& word(std::string_view name) const { return get<std::string>(name); }
  const std::vector<int64_t>& integers(std::string_view name) const;
  const std::vector<double>& numbers(std::string_view name) const;

  /// Whether it has a value.
  bool has(std::string_view name) const;
  const ArgumentValue& value(std::string_view name) const;
  /// Whether there is an argument of that name, with a value or without.
  bool contains(std::string_view name) const { return values_.find(name) != values_.end(); }
  void set(std::string name, ArgumentValue value) { values_[std::move(name)] = std::move(value); }
  void erase(std::string_view name);
  const Values& values() const { return values_; }

 private:
  template <class T>
  const T& get(std::string_view name) const;

  Values values_;
};

/// Something chosen by a short text: its name and its arguments.
struct Choice {
  std::string name;
  std::vector<Argument> arguments = {};  ///< required ones first
  std::string help = {};                 ///< one line, without a full stop

  /// How it is written: "step:EPOCHS[:GAMMA]".
  std::string usage() const;
};

/// The parts of such a text: "step:30:0.1", "step:30,0.1" and "step:30:gamma=0.1" are the same.
struct ChoiceText {
  std::string name;
  std::vector<std::string> arguments;
};
ChoiceText parse_choice(std::string_view text);
/// A comma-separated list of them, whose arguments follow colons: "crop:4,flip:0.5".
std::vector<ChoiceText> parse_choices(std::string_view list);

/// The arguments that a text gives, in order or by name ("gamma=0.1"), the others by default.
/// Errors: usage, beginning with `what` and the choice's name and showing its usage, for a value
/// that is not accepted, one argument too many, an unknown name, one given twice or missing.
Arguments read_arguments(std::string_view what, const Choice& choice,
                         std::span<const std::string> texts);

/// The text that reads back as the same choice: "step:30:0.1", without trailing arguments that have
/// their default values.
std::string to_text(const Choice& choice, const Arguments& arguments);

/// The usages of all choices: "constant, cosine[:FINAL], step:EPOCHS[:GAMMA]".
std::string usages(std::span<const Choice* const> choices);

/// The help text of all choices: one line each with usage and help, and one per argument.
std::string listing(std::span<const Choice* const> choices);

/// The error for a name that is not among `known`: with the nearest names, and all usages.
Error unknown_choice(std::string_view what, std::string_view name,
                     std::span<const Choice* const> known);

/// Errors: usage, beginning with `what` and the choice's name, when a name is empty or contains a
/// separator, or an argument is declared twice, has a default that it does not accept, or is
/// required after an optional one.
void check(std::string_view what, const Choice& choice);

template <class Rows>
std::vector<const Choice*> choices_of(const Rows& rows) {
  std::vector<const Choice*> all;
  for (const auto& row : rows) all.push_back(&row.choice);
  return all;
}

/// The row of that name of a table; rows have a member `choice`. Errors: as unknown_choice.
template <class Rows>
const auto& find_choice(std::string_view what, const Rows& rows, std::string_view name) {
  for (const auto& row : rows) {
    if (row.choice.name == name) return row;
  }
  throw unknown_choice(what, name, choices_of(rows));
}

/// A row of a table, and the arguments it was chosen with.
template <class Row>
struct Chosen {
  Row row;
  Arguments arguments;
};

/// What can be chosen by name: the built-in rows, each with a member `choice`, and those that are
/// added from outside. Not thread-safe while rows are being added.
template <class Row>
class ChoiceTable {
 public:
  /// `what` messages call a row: "schedule".
  ChoiceTable(std::string what, std::vector<Row> rows) : what_(std::move(what)) {
    for (Row& row : rows) add(std::move(row));
  }

  const std::vector<Row>& rows() const { return rows_; }

  /// Errors: usage when the name is taken, or as check.
  void add(Row row) {
    check(what_, row.choice);
    for (const Row& known : rows_) {
      if (known.choice.name != row.choice.name) continue;
      throw Error(ErrorKind::usage, what_ + " \"" + row.choice.name + "\": the name is taken");
    }
    rows_.push_back(std::move(row));
  }

  /// Errors: as find_choice and read_arguments.
  Chosen<Row> read(const ChoiceText& text) const {
    const Row& row = find_choice(what_, rows_, text.name);
    return {row, read_arguments(what_, row.choice, text.arguments)};
  }
  Chosen<Row> read(std::string_view text) const { return read(parse_choice(text)); }

 private:
  std::string what_;
  std::vector<Row> rows_;
};

}  // namespace fovea
