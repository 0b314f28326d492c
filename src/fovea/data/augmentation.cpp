#include "fovea/data/augmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

constexpr std::string_view for_one_size = "crop:4,flip:0.5", for_clips = "crop:4",
                           for_sizes = "random-resized-crop,flip:0.5",
                           for_boxes = "scale-jitter,flip:0.5";

/// The error as one of --augment, with what it accepts.
Error augment_error(const Error& error) {
  Error located(error.kind(), "--augment: " + error.headline());
  for (const auto& [key, text] : error.details()) located.with(key, text);
  return located;
}
Error augment_error(const std::string& headline) {
  return augment_error(Error(ErrorKind::usage, headline));
}

/// The words that --augment accepts besides transforms; the first two only alone.
const std::vector<Choice> words{{.name = "none"}, {.name = "standard"}, {.name = "resize"}};

/// A transform; null for "resize".
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
  throw augment_error("\"" + text.name + "\" cannot be part of a list");
}

/// Calls `action` with each step; errors become those of --augment.
template <class Steps, class Action>
void for_each_step(const Steps& steps, const Action& action) {
  for (const auto& step : steps) {
    try {
      action(*step);
    } catch (const Error& error) {
      throw augment_error(error);
    }
  }
}

using Steps = std::vector<std::shared_ptr<const Transform>>;

/// The name of a graph's input: the random numbers `k` of step `i`.
std::string random_name(size_t i, size_t k) { return fmt::format("mix:{}.{}", i, k); }

void move_to_end(Steps& from, Steps& to) {
  to.insert(to.end(), from.begin(), from.end());
  from.clear();
}

}  // namespace

std::string Augmentation::usage() {
  std::vector<std::string> names;
  for (const TransformEntry& row : transforms()) names.push_back(row.choice.name);
  return fmt::format(
      "none, standard ({}; where images differ in size {}, with boxes {}, of clips {}), or a "
      "comma-separated list of resize, {}",
      for_one_size, for_sizes, for_boxes, for_clips, join(names));
}

std::string_view Augmentation::standard(const Dataset& samples) {
  const std::optional<Type> type = samples.typical_input();
  if (type) return is_image(*type) ? for_one_size : is_clip(*type) ? for_clips : "none";
  return is_boxes(samples.targets().type) ? for_boxes : for_sizes;
}

Augmentation Augmentation::parse(std::string_view text, std::string_view standard) {
  Augmentation result;
  if (text == "standard") text = standard;
  if (text == "none") return result;
  bool resized = false;
  for (const ChoiceText& chosen : parse_choices(text)) {
    const std::optional<AnyTransform> any = parse_step(chosen);
    if (!any) {
      if (resized) throw augment_error("\"resize\" may occur only once");
      resized = true;
      move_to_end(result.after, result.before);
    } else if (const auto* mixing = std::get_if<std::shared_ptr<const BatchTransform>>(&*any)) {
      result.batch.push_back(*mixing);
    } else {
      const auto& step = std::get<std::shared_ptr<const Transform>>(*any);
      result.after.push_back(step);
      if (!step->frames()) continue;
      if (resized) throw augment_error("\"" + chosen.name + "\" stands before \"resize\"");
      move_to_end(result.after, result.before);
    }
  }
  return result;
}

namespace {

/// The rows of the table that are transforms of batches; an example is what tells them apart.
std::vector<const Choice*> mixing_choices() {
  std::vector<const Choice*> choices;
  for (const TransformEntry& row : transforms()) {
    if (row.example.empty()) continue;
    const AnyTransform example = make_transform(parse_choices(row.example).at(0));
    if (std::holds_alternative<std::shared_ptr<const BatchTransform>>(example))
      choices.push_back(&row.choice);
  }
  return choices;
}

}  // namespace

std::shared_ptr<const BatchTransform> parse_mixing(std::string_view text) {
  const std::vector<ChoiceText> chosen = parse_choices(text);
  if (chosen.size() == 1) {
    const AnyTransform any = make_transform(chosen[0]);
    if (const auto* mixing = std::get_if<std::shared_ptr<const BatchTransform>>(&any))
      return *mixing;
  }
  throw Error(ErrorKind::usage,
              fmt::format("--mix: \"{}\" is not one transform of batches", printable(text)))
      .with("known", mixing_usage())
      .with("try", "--augment for transforms of single images");
}

std::string mixing_usage() { return usages(mixing_choices()); }

bool Augmentation::frames() const {
  return std::ranges::any_of(before, [](const auto& step) { return step->frames(); });
}

std::string Augmentation::text() const {
  if (empty()) return "none";
  std::vector<std::string> words;
  for (const auto& step : before) words.push_back(step->text());
  if (!before.empty() && !before.back()->frames()) words.emplace_back("resize");
  for (const auto& step : after) words.push_back(step->text());
  for (const auto& step : batch) words.push_back(step->text());
  return join(words, ",");
}

Targets targets_after(const std::vector<std::shared_ptr<const Transform>>& steps, Targets targets) {
  for_each_step(steps, [&](const Transform& step) { targets = step.targets(targets); });
  return targets;
}

Type output(const std::vector<std::shared_ptr<const Transform>>& steps, Type input) {
  for_each_step(steps, [&](const Transform& step) { input = step.output(input); });
  return input;
}

Mixing::Mixing(std::vector<std::shared_ptr<const BatchTransform>> steps, const Type& input,
               Targets targets)
    : steps_(std::move(steps)) {
  for_each_step(steps_, [&](const BatchTransform& step) {
    step.check_input(input);
    Targets after = step.output(targets);
    targets_.push_back(std::exchange(targets, std::move(after)));
  });
}

std::vector<std::vector<Array>> Mixing::numbers(const Shape& inputs, uint64_t seed,
                                                int64_t step) const {
  Random random(seed, "mix", static_cast<uint64_t>(step));
  std::vector<std::vector<Array>> all;
  for (const auto& transform : steps_) all.push_back(transform->draw(inputs, random));
  return all;
}

BatchTensors Mixing::trace(BatchTensors batch) const {
  const auto example = numbers(batch.inputs.shape(), 0, 0);
  Graph& graph = batch.inputs.graph();
  for (size_t i = 0; i < steps_.size(); ++i) {
    Tensors random;
    for (const Array& array : example[i])
      random.push_back(graph.input(random_name(i, random.size()), {array.dtype(), array.shape()}));
    batch = steps_[i]->trace(batch, targets_[i], random);
  }
  return batch;
}

std::map<std::string, Array, std::less<>> Mixing::draw(const Shape& inputs, uint64_t seed,
                                                       int64_t step) const {
  std::map<std::string, Array, std::less<>> named;
  const auto all = numbers(inputs, seed, step);
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = 0; k < all[i].size(); ++k) named.emplace(random_name(i, k), all[i][k]);
  }
  return named;
}

}  // namespace fovea::data
