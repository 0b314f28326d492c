#include "fovea/data/augmentation.h"

#include <algorithm>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

constexpr std::string_view standard = "crop:4,flip:0.5";

/// The error as one of --augment, with what else it accepts.
Error augment_error(const Error& error) {
  Error located(error.kind(), "--augment: " + error.headline());
  for (const auto& [key, text] : error.details()) located.with(key, text);
  return located;
}
Error augment_error(const std::string& headline) {
  return augment_error(Error(ErrorKind::usage, headline));
}

/// What a list may have besides the transforms of the table; the first two stand alone.
const std::vector<Choice> words{{.name = "none"}, {.name = "standard"}, {.name = "resize"}};

/// A transform; nothing for "resize".
std::optional<AnyTransform> parse_step(const ChoiceText& text) {
  std::vector<const Choice*> known = choices_of(transforms());
  for (const Choice& word : words) known.push_back(&word);
  const auto found = std::ranges::find(known, text.name, &Choice::name);
  if (found == known.end()) throw augment_error(unknown_choice("transform", text.name, known));
  try {
    if (std::ranges::count(words, text.name, &Choice::name) == 0) return make_transform(text);
    (void)read_arguments("transform", **found, text.arguments);
  } catch (const Error& error) {
    throw augment_error(error);
  }
  if (text.name == "resize") return {};
  throw augment_error("\"" + text.name + "\" stands alone, not in a list");
}

template <class Steps, class T>
T chained(const Steps& steps, T value) {
  for (const auto& step : steps) {
    try {
      value = step->output(value);
    } catch (const Error& error) {
      throw augment_error(error);
    }
  }
  return value;
}

}  // namespace

std::string Augmentation::usage() {
  return "none, standard (" + std::string(standard) + "), or a comma-separated list of resize, " +
         usages(choices_of(transforms()));
}

Augmentation Augmentation::parse(std::string_view text) {
  Augmentation result;
  if (text == "none") return result;
  const std::vector<ChoiceText> steps = parse_choices(text == "standard" ? standard : text);
  const auto resizes = std::ranges::count(steps, "resize", &ChoiceText::name);
  if (resizes > 1) throw augment_error("\"resize\" stands once in a list");
  bool resized = resizes == 0;
  for (const ChoiceText& chosen : steps) {
    const std::optional<AnyTransform> step = parse_step(chosen);
    if (!step) {
      resized = true;
    } else if (const auto* mixing = std::get_if<std::shared_ptr<const BatchTransform>>(&*step)) {
      result.batch.push_back(*mixing);
    } else {
      (resized ? result.after : result.before)
          .push_back(std::get<std::shared_ptr<const Transform>>(*step));
    }
  }
  return result;
}

std::string Augmentation::text() const {
  if (empty()) return "none";
  std::vector<std::string> words;
  for (const auto& step : before) words.push_back(step->text());
  if (!before.empty()) words.emplace_back("resize");
  for (const auto& step : after) words.push_back(step->text());
  for (const auto& step : batch) words.push_back(step->text());
  return join(words, ",");
}

Type output(const std::vector<std::shared_ptr<const Transform>>& steps, Type input) {
  return chained(steps, std::move(input));
}

Targets output(const std::vector<std::shared_ptr<const BatchTransform>>& steps, Targets targets) {
  return chained(steps, std::move(targets));
}

}  // namespace fovea::data
