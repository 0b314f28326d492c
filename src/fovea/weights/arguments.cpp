#include "fovea/weights/arguments.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "fovea/core/arguments.h"
#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea {
namespace {

using FileArguments = std::map<std::string, std::string>;

/// The value of an argument; none if the file does not have it. Errors: model.
ArgumentValue read(const FileArguments& arguments, const std::string& key,
                   const Argument& argument) {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return {};
  std::string text = found->second;
  if (argument.type == ArgumentType::flag && text == "1") text = "true";
  if (argument.type == ArgumentType::flag && text == "0") text = "false";
  ArgumentValue value = argument.read(text);
  if (!std::holds_alternative<std::monostate>(value)) return value;
  Argument named = argument;
  named.name = key;
  throw Error(ErrorKind::model, fmt::format("model file: its argument {}",
                                            named.mismatch('"' + found->second + '"')));
}

int64_t integer(const FileArguments& arguments, const std::string& key) {
  const Argument argument{
      .name = key, .type = ArgumentType::integer, .minimum = 1, .maximum = 1000000};
  const ArgumentValue value = read(arguments, key, argument);
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  throw Error(ErrorKind::model, fmt::format("model file: its argument {} is missing", key));
}

/// The argument that stores a choice of the model; "width" is that of the input.
std::string key_of(const std::string& choice) {
  return choice == "width" ? "width_factor" : choice;
}

}  // namespace

std::map<std::string, std::string> to_arguments(const models::Config& config) {
  std::map<std::string, std::string> arguments{{"classes", std::to_string(config.outputs)},
                                               {"in_channels", std::to_string(config.input[0])}};
  if (config.input.rank() == 3) {
    arguments["height"] = std::to_string(config.input[1]);
    arguments["width"] = std::to_string(config.input[2]);
  } else {
    arguments["axes"] = std::to_string(config.input.rank() - 1);
    for (int i = 1; i < config.input.rank(); ++i)
      arguments[fmt::format("axis{}", i)] = std::to_string(config.input[i]);
  }
  for (const auto& [name, value] : config.choices.values()) {
    const bool* flag = std::get_if<bool>(&value);
    arguments[key_of(name)] = flag != nullptr ? (*flag ? "1" : "0") : to_string(value);
  }
  // The format has these two for every model, so that saving a model again gives the same file.
  arguments.try_emplace("dropout", "0");
  arguments.try_emplace("drop_path", "0");
  if (config.net) {
    arguments["net"] = config.net->text;
    arguments["net_file"] = std::filesystem::path(config.net->file).filename().string();
  }
  if (config.module) arguments["module"] = "1";
  return arguments;
}

models::Options from_arguments(const std::map<std::string, std::string>& arguments) {
  models::Options options;
  options.outputs = integer(arguments, "classes");
  Shape input{integer(arguments, "in_channels")};
  if (arguments.contains("axes")) {
    const ArgumentValue axes =
        read(arguments, "axes", {.name = "axes", .type = ArgumentType::integer, .maximum = 3});
    for (int64_t i = 1; i <= std::get<int64_t>(axes); ++i)
      input = input.concat({integer(arguments, fmt::format("axis{}", i))});
  } else {
    input = input.concat({integer(arguments, "height"), integer(arguments, "width")});
  }
  options.input = input;
  options.module = arguments.contains("module");
  for (const Argument& choice : models::choices()) {
    const ArgumentValue value = read(arguments, key_of(choice.name), choice);
    if (!std::holds_alternative<std::monostate>(value)) options.choices.set(choice.name, value);
  }
  if (const auto text = arguments.find("net"); text != arguments.end()) {
    const auto file = arguments.find("net_file");
    options.net = std::make_shared<const models::NetText>(
        models::NetText{.file = file == arguments.end() ? "net.toml" : printable(file->second),
                        .text = text->second});
  }
  return options;
}

}  // namespace fovea
