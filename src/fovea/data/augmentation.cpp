#include "fovea/data/augmentation.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

constexpr std::string_view standard = "crop:4,flip:0.5";

Error augment_error(const std::string& headline) {
  return {ErrorKind::usage, "--augment: " + headline};
}

std::string known() {
  std::vector<std::string> usages;
  for (const TransformEntry& entry : transforms()) usages.push_back(entry.usage);
  return "none, standard (" + std::string(standard) + "), or a comma list of " + join(usages);
}

AnyTransform parse_step(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const bool given = colon != std::string::npos;
  if (text == "none" || text == "standard") {
    throw augment_error("\"" + text + "\" stands alone, not in a list").with("known", known());
  }
  const auto entry = std::ranges::find(transforms(), name, &TransformEntry::name);
  if (entry == transforms().end()) {
    throw augment_error("unknown augmentation \"" + text + "\"").with("known", known());
  }
  try {
    return entry->make(given ? text.substr(colon + 1) : "", given);
  } catch (const Error& e) {
    throw augment_error(e.headline()).with("known", known());
  }
}

template <class Steps, class T>
T chained(const Steps& steps, T value) {
  for (const auto& step : steps) {
    try {
      value = step->output(value);
    } catch (const Error& e) {
      Error located = augment_error(e.headline());
      for (const auto& [key, text] : e.details()) located.with(key, text);
      throw located;
    }
  }
  return value;
}

}  // namespace

Augmentation Augmentation::parse(std::string_view text) {
  Augmentation result;
  if (text == "none") return result;
  const std::vector<std::string> words = split(text == "standard" ? standard : text, ',');
  const auto resizes = std::ranges::count(words, "resize");
  if (resizes > 1) throw augment_error("\"resize\" stands once in a list");
  bool resized = resizes == 0;
  for (const std::string& word : words) {
    if (word == "resize") {
      resized = true;
      continue;
    }
    const AnyTransform step = parse_step(word);
    if (const auto* mixing = std::get_if<std::shared_ptr<const BatchTransform>>(&step)) {
      result.batch.push_back(*mixing);
    } else {
      (resized ? result.after : result.before)
          .push_back(std::get<std::shared_ptr<const Transform>>(step));
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
