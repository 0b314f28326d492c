#include "fovea/models/registry.h"

#include <fmt/format.h>

#include <fnmatch.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/families.h"
#include "fovea/models/net_file.h"

namespace fovea::models {

// families.inc: a line FAMILY(NAME) for each file of models, in the order of `fovea models`.
#define FAMILY(name) std::vector<Entry> name();
#include "families.inc"
#undef FAMILY

namespace {

Error bad(std::string_view model, const std::string& what) {
  return {ErrorKind::usage, fmt::format("{}: {}", model, what)};
}

/// Names that mean something in every model or in a net's text.
constexpr std::string_view reserved[] = {
    "model", "name",     "input", "in_channels", "classes", "axes",  "height", "outputs",
    "net",   "net_file", "init",  "layers",      "axis1",   "axis2", "axis3",  "module"};

bool is_choice_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name[0] >= 'a' && std::ranges::all_of(name, fits) &&
         std::ranges::count(reserved, name) == 0;
}

/// Merges the choices of one model into those of all. Errors: usage, as `add`.
void merge(std::vector<Argument>& all, const Argument& choice, std::string_view model) {
  const auto refuse = [&](const std::string& why) {
    return bad(model, fmt::format("its choice \"{}\" {}", choice.name, why));
  };
  if (!is_choice_name(choice.name))
    throw refuse("needs another name: of a-z, 0-9 and _, and not one that every model has");
  if (!choice.accepts(choice.default_value))
    throw refuse("has no valid default").with("expected", choice.expected());
  const auto known = std::ranges::find(all, choice.name, &Argument::name);
  if (known == all.end()) {
    all.push_back(choice);
    return;
  }
  if (known->type != choice.type) throw refuse("has a different type in another model");
  if (choice.minimum < known->minimum) {
    known->minimum = choice.minimum;
    known->open_minimum = choice.open_minimum;
  }
  if (choice.maximum > known->maximum) {
    known->maximum = choice.maximum;
    known->open_maximum = choice.open_maximum;
  }
  for (const std::string& word : choice.words) {
    if (std::ranges::count(known->words, word) == 0) known->words.push_back(word);
  }
  if (known->default_value != choice.default_value) known->default_value = {};
}

struct Registry {
  std::vector<Entry> entries;
  std::vector<Argument> choices;

  Registry() {
#define FAMILY(name) \
  for (Entry & entry : models::name()) add(std::move(entry));
#include "families.inc"
#undef FAMILY
  }

  void add(Entry added) {
    if (std::ranges::count(entries, added.name, &Entry::name) > 0)
      throw bad(added.name, "a model of this name is already registered");
    std::vector<Argument> all = choices;
    for (const Argument& choice : added.choices) merge(all, choice, added.name);
    choices = std::move(all);
    entries.push_back(std::move(added));
  }
};

Registry& registry() {
  static Registry all;
  return all;
}

void require_positive(std::string_view model, const std::string& what, int64_t value) {
  if (value < 1) throw bad(model, fmt::format("{} must be at least 1, not {}", what, value));
}

/// The axes of an input of this rank: "C, H, W".
std::string axes_text(int rank) {
  std::string text = "C";
  for (const char axis : image_axes(rank + 1).substr(2)) text += std::string(", ") + axis;
  return text;
}

/// The requested input as C, spatial..., or the default.
Shape input_shape(std::string_view model, const Shape& default_input, const Options& options) {
  constexpr int maximum_rank = 4;  // channels and three spatial axes
  const Shape given = options.input.value_or(default_input);
  const bool any_rank = options.net != nullptr && given.rank() >= 1 && given.rank() <= maximum_rank;
  const bool images = given.rank() == 2 && default_input.rank() == 3 && !any_rank;  // H, W
  if (given.rank() != default_input.rank() && !any_rank && !images) {
    throw bad(model,
              fmt::format("the input {} has {} axes; {}{}", to_string(given), given.rank(),
                          axes_text(default_input.rank()),
                          default_input.rank() == 3 ? " or H, W are expected" : " are expected"));
  }
  const bool says_channels = options.input && !images;
  const int64_t channels =
      says_channels ? given[0] : options.in_channels.value_or(default_input[0]);
  if (options.in_channels && *options.in_channels != channels) {
    throw bad(model,
              fmt::format("the input {} has {}, but in_channels is {}", to_string(given, "CHW"),
                          counted(channels, "channel"), *options.in_channels))
        .with("try", "only one of the two");
  }
  const Shape shape = Shape{std::max<int64_t>(channels, 0)}.concat(images ? given : given.slice(1));
  require_positive(model, "the number of input channels", channels);
  for (int i = 1; i < shape.rank(); ++i) {
    const bool image = shape.rank() == 3;
    require_positive(model,
                     image ? i == 1 ? "the input's height" : "the input's width"
                           : fmt::format("axis {} of the input", i),
                     shape[i]);
  }
  return shape;
}

Entry chosen(std::string_view name, const Options& options) {
  if (options.module) {
    throw Error(
        ErrorKind::usage,
        fmt::format("\"{}\" is a net of a C++ program, which alone can build it", printable(name)))
        .with("try", "in C++: Predictor(FILE, net), with a module like the one that was trained");
  }
  return options.net ? net_entry(*options.net) : entry(name);
}

/// Accepts an integer for a number: 0 as well as 0.0.
ArgumentValue converted(const Argument& choice, const ArgumentValue& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  if (integer != nullptr && choice.type == ArgumentType::number)
    return static_cast<double>(*integer);
  return value;
}

std::vector<std::string> names(const std::vector<Argument>& choices) {
  std::vector<std::string> all;
  for (const Argument& choice : choices) all.push_back(choice.name);
  return all;
}

/// Errors: usage for a choice that the model does not have, unless it is 0 or false.
void require_declined(const Entry& model, const std::string& name, const ArgumentValue& value) {
  const auto& all = registry().choices;
  const auto known = std::ranges::find(all, name, &Argument::name);
  if (known == all.end()) throw unknown_name("choice of a model", name, names(all));
  const bool nothing = value == ArgumentValue(0.0) || value == ArgumentValue(int64_t{0}) ||
                       value == ArgumentValue(false);
  if (nothing && known->accepts(converted(*known, value))) return;
  const std::string own = join(names(model.choices));
  throw bad(model.name, fmt::format("this model has no choice \"{}\"", name))
      .with("choices", own.empty() ? "none" : own);
}

/// A value for each choice of the model. Errors: usage.
Arguments choose(const Entry& model, const Arguments& asked) {
  Arguments chosen;
  for (const Argument& choice : model.choices) chosen.set(choice.name, choice.default_value);
  for (const auto& [name, given] : asked.values()) {
    const auto choice = std::ranges::find(model.choices, name, &Argument::name);
    if (choice == model.choices.end()) {
      require_declined(model, name, given);
      continue;
    }
    const ArgumentValue value = converted(*choice, given);
    if (!choice->accepts(value)) {
      throw bad(model.name, choice->mismatch(to_string(given)));
    }
    chosen.set(name, value);
  }
  return chosen;
}

Config configure(const Entry& model, const Options& options) {
  Config config{.outputs = options.outputs.value_or(model.outputs),
                .input = input_shape(model.name, model.input, options),
                .choices = choose(model, options.choices),
                .net = model.net};
  require_positive(model.name, "the number of outputs", config.outputs);
  return config;
}

}  // namespace

Config::~Config() = default;

std::vector<Entry> list(std::string_view glob) {
  std::vector<Entry> matching;
  std::ranges::copy_if(registry().entries, std::back_inserter(matching),
                       [pattern = std::string(glob)](const Entry& e) {
                         return fnmatch(pattern.c_str(), e.name.c_str(), 0) == 0;
                       });
  return matching;
}

void add(Entry added) { registry().add(std::move(added)); }

std::vector<Argument> choices() { return registry().choices; }

Entry entry(std::string_view name) {
  std::vector<std::string> names;
  for (const Entry& e : registry().entries) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw unknown_name("model", name, names)
      .with("try",
            "fovea models, which lists all; or a net of your own: NET.toml, or models::add in C++");
}

Config configure(std::string_view name, const Options& options) {
  return configure(chosen(name, options), options);
}

std::unique_ptr<nn::Module> make(std::string_view name, const Options& options) {
  const Entry model = chosen(name, options);
  return model.build(nn::Scope(model.name, model.where), configure(model, options));
}

std::shared_ptr<const nn::Module> given_or_made(const nn::Module* net, std::string_view name,
                                                const Options& options) {
  if (net == nullptr) return make(name, options);
  return {std::shared_ptr<const nn::Module>(), net};
}

}  // namespace fovea::models
