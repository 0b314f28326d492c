#include "fovea/models/layers/rows.h"

#include <fmt/format.h>

#include "fovea/core/error.h"

namespace fovea::models::layers {

Argument integer(std::string name, double maximum, ArgumentValue default_value) {
  return {.name = std::move(name),
          .type = ArgumentType::integer,
          .default_value = std::move(default_value),
          .minimum = 1,
          .maximum = maximum};
}

Argument number(std::string name, double maximum, double default_value) {
  return {.name = std::move(name), .default_value = default_value, .maximum = maximum};
}

Argument flag(std::string name, bool default_value) {
  return {.name = std::move(name), .type = ArgumentType::flag, .default_value = default_value};
}

Argument word(std::string name, std::string default_value, std::vector<std::string> words) {
  return {.name = std::move(name),
          .type = ArgumentType::word,
          .default_value = std::move(default_value),
          .words = std::move(words)};
}

Argument channels(std::string name) {
  Argument argument = integer(std::move(name), max_channels);
  argument.words = {"classes"};
  return argument;
}

Argument inferred(std::string name) {
  Argument argument = integer(std::move(name), max_channels);
  argument.follows = "the input's";
  return argument;
}

Argument probability(std::string name, double default_value) {
  Argument argument = number(std::move(name), 1, default_value);
  argument.words = {"dropout"};
  return argument;
}

Argument sizes(std::string name) {
  return {
      .name = std::move(name), .type = ArgumentType::integers, .minimum = 1, .maximum = max_size};
}

Argument sizes(std::string name, int64_t default_value, double minimum) {
  Argument argument = sizes(std::move(name));
  argument.default_value = std::vector<int64_t>{default_value};
  argument.minimum = minimum;
  return argument;
}

int64_t channels_of(const Shape& input) {
  if (input.rank() > 1) return input[1];
  throw Error(ErrorKind::usage, fmt::format("the input {} has no channels", to_string(input)));
}

}  // namespace fovea::models::layers
