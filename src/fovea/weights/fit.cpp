#include "fovea/weights/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fovea/core/text.h"

namespace fovea {
namespace {

using Weights = std::vector<std::pair<std::string, Array>>;
using ByName = std::map<std::string, const Array*>;

/// Names of parts in other versions of a network, and in ours.
constexpr std::pair<std::string_view, std::string_view> other_names[] = {
    {".shortcut.", ".downsample."},  // CIFAR ResNets
    {".norm.1.", ".norm1."},         // torchvision's published DenseNets
    {".norm.2.", ".norm2."},
    {".conv.1.", ".conv1."},
    {".conv.2.", ".conv2."},
    {".inner_blocks.0.", ".inner_blocks.0.0."},  // torchvision's published RetinaNet
    {".inner_blocks.1.", ".inner_blocks.1.0."},
    {".inner_blocks.2.", ".inner_blocks.2.0."},
    {".layer_blocks.0.", ".layer_blocks.0.0."},
    {".layer_blocks.1.", ".layer_blocks.1.0."},
    {".layer_blocks.2.", ".layer_blocks.2.0."},
    {"_head.conv.0.", "_head.conv.0.0."},
    {"_head.conv.2.", "_head.conv.1.0."},
    {"_head.conv.4.", "_head.conv.2.0."},
    {"_head.conv.6.", "_head.conv.3.0."},
};

constexpr std::string_view auxiliary_heads[] = {"aux1.", "aux2.", "AuxLogits.", "aux_classifier."};

bool is_counter(const nn::Variable& variable) {
  return variable.role() == Role::buffer && variable.name().ends_with("num_batches_tracked");
}

/// The array in the file for `name`, removed from `given`; null if there is none.
const Array* take(const std::string& name, ByName& given) {
  auto found = given.find(name);
  for (const auto& [theirs, ours] : other_names) {
    const size_t at = name.find(ours);
    if (found != given.end() || at == std::string::npos) continue;
    found = given.find(std::string(name).replace(at, ours.size(), theirs));
  }
  if (found == given.end()) return nullptr;
  const Array* array = found->second;
  given.erase(found);
  return array;
}

/// How many of the model's arrays are in `names`.
size_t found(const std::vector<const nn::Variable*>& variables, ByName names) {
  return static_cast<size_t>(std::ranges::count_if(
      variables, [&](const nn::Variable* v) { return take(v->name(), names) != nullptr; }));
}

/// The dotted prefixes that all names share, "a.", "a.b.", ..., up to the depth of nets.
std::vector<std::string> shared_prefixes(const std::vector<std::string_view>& names) {
  constexpr size_t most = 16;
  std::vector<std::string> prefixes;
  if (names.empty()) return prefixes;
  for (size_t dot = names[0].find('.'); dot != std::string_view::npos && prefixes.size() < most;
       dot = names[0].find('.', dot + 1)) {
    const std::string_view prefix = names[0].substr(0, dot + 1);
    const bool all =
        std::ranges::all_of(names, [&](std::string_view name) { return name.starts_with(prefix); });
    if (!all) break;
    prefixes.emplace_back(prefix);
  }
  return prefixes;
}

/// A line for each of the first five, and how many more.
void list(Error& error, std::string_view key, const std::vector<std::string>& lines) {
  constexpr size_t most = 5;
  for (size_t i = 0; i < std::min(most, lines.size()); ++i) error.with(key, lines[i]);
  if (lines.size() > most) {
    error.with(key, fmt::format("and {} more", lines.size() - most));
  }
}

Error misfit(const nn::Module& model, const std::vector<const nn::Variable*>& missing,
             const std::vector<std::string>& shapes, const ByName& unexpected) {
  std::vector<std::string> unused, wanted;
  for (const auto& [name, array] : unexpected) unused.push_back(printable(name));
  for (const nn::Variable* variable : missing) {
    const std::vector<std::string> near = nearest_names(variable->name(), unused, 1);
    wanted.push_back(variable->name() +
                     (near.empty() ? "" : fmt::format(" (there is {})", near[0])));
  }
  Error error(ErrorKind::model, fmt::format("the weights do not fit the model {}", model.name()));
  list(error, "missing", wanted);
  list(error, "shape", shapes);
  list(error, "unexpected", unused);
  return error;
}

}  // namespace

Weights shared_weights_of(const nn::Module& model, State& state) {
  Weights weights;
  for (const nn::Variable* variable : model.variables()) {
    weights.emplace_back(variable->name(), state.get(variable->name()));
  }
  return weights;
}

MatchedNames match_names(const nn::Module& model, Weights weights) {
  const std::vector<const nn::Variable*> variables = model.variables();
  const auto names_of = [](const auto& list, const auto& name) {
    std::vector<std::string_view> names;
    for (const auto& entry : list) names.push_back(name(entry));
    return names;
  };
  // Each way to change the names: characters removed, and prefix added.
  std::vector<std::pair<size_t, std::string>> ways{{0, ""}};
  for (const std::string& prefix : shared_prefixes(
           names_of(weights, [](const auto& w) { return std::string_view(w.first); }))) {
    ways.emplace_back(prefix.size(), "");
  }
  for (const std::string& prefix : shared_prefixes(names_of(
           variables, [](const nn::Variable* v) { return std::string_view(v->name()); }))) {
    ways.emplace_back(0, prefix);
  }
  size_t best = 0, most = 0;
  for (size_t i = 0; i < ways.size(); ++i) {
    ByName names;
    for (const auto& [name, array] : weights) {
      names[ways[i].second + name.substr(ways[i].first)] = &array;
    }
    const size_t count = found(variables, std::move(names));
    if (count <= most) continue;
    best = i;
    most = count;
  }
  const auto& [less, before] = ways[best];
  std::string note;
  if (less > 0)
    note = fmt::format("names without \"{}\"", printable(weights[0].first.substr(0, less)));
  if (!before.empty()) note = fmt::format("names with \"{}\" before them", before);
  for (auto& [name, array] : weights) name = before + name.substr(less);
  return {std::move(weights), note};
}

Weights weights_of(const nn::Module& model, State& state) {
  Weights weights = shared_weights_of(model, state);
  for (auto& [name, array] : weights) array = array.clone();
  return weights;
}

Weights fit_weights(const nn::Module& model, const Weights& weights) {
  const MatchedNames matched = match_names(model, weights);
  ByName given;
  for (const auto& [name, array] : matched.weights) given[name] = &array;
  Weights fitting;
  std::vector<const nn::Variable*> missing;
  std::vector<std::string> shapes;
  for (const nn::Variable* variable : model.variables()) {
    const Array* array = take(variable->name(), given);
    if (array != nullptr && array->shape() == variable->shape()) {
      fitting.emplace_back(variable->name(), *array);
    } else if (array != nullptr && is_counter(*variable) && array->numel() == 1) {
      fitting.emplace_back(variable->name(), array->reshaped(variable->shape()));
    } else if (array != nullptr) {
      shapes.push_back(fmt::format("{} is {} instead of {}", variable->name(),
                                   to_string(array->shape()), to_string(variable->shape())));
    } else if (is_counter(*variable)) {
      fitting.emplace_back(variable->name(), Array::zeros(DType::i64, variable->shape()));
    } else {
      missing.push_back(variable);
    }
  }
  std::erase_if(given, [](const auto& entry) {
    if (entry.first.ends_with(".num_batches_tracked")) return true;  // the norm is frozen
    return std::any_of(std::begin(auxiliary_heads), std::end(auxiliary_heads),
                       [&](std::string_view head) { return entry.first.starts_with(head); });
  });
  if (missing.empty() && shapes.empty() && given.empty()) return fitting;
  throw misfit(model, missing, shapes, given);
}

std::optional<int64_t> image_channels(const nn::Module& model, int64_t channels,
                                      const Weights& weights) {
  for (const nn::Variable* parameter : model.parameters()) {
    const Shape& own = parameter->shape();  // [out, in, height, width]
    if (own.rank() != 4) continue;
    if (own[1] != channels) return std::nullopt;
    for (const auto& [name, array] : weights) {
      if (name != parameter->name() || array.shape().rank() != 4) continue;
      const int64_t in = array.dim(1);
      if (array.shape() != Shape{own[0], in, own[2], own[3]}) return std::nullopt;
      return in;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

void load_weights(const nn::Module& model, State& state, const Weights& weights) {
  for (const auto& [name, array] : fit_weights(model, weights)) {
    state.set(name, array.astype(state.type(name).dtype));
  }
}

}  // namespace fovea
