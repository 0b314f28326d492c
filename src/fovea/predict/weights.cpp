#include "fovea/predict/weights.h"

#include <algorithm>
#include <map>

#include "fovea/core/text.h"

namespace fovea {
namespace {

using Weights = std::vector<std::pair<std::string, Array>>;
using ByName = std::map<std::string, const Array*>;

/// What other versions of a network call a part, and what ours does.
constexpr std::pair<std::string_view, std::string_view> other_names[] = {
    {".shortcut.", ".downsample."},  // CIFAR ResNets
    {".norm.1.", ".norm1."},         // torchvision's published DenseNets
    {".norm.2.", ".norm2."},        {".conv.1.", ".conv1."}, {".conv.2.", ".conv2."},
};

constexpr std::string_view auxiliary_heads[] = {"aux1.", "aux2.", "AuxLogits."};

bool is_counter(const nn::Variable& variable) {
  return variable.role() == Role::buffer && variable.name().ends_with("num_batches_tracked");
}

/// The array that the file has for `name`, taken out of `given`; null when there is none.
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

/// A line for each of the first five, and how many more.
void list(Error& error, std::string_view key, const std::vector<std::string>& lines) {
  constexpr size_t most = 5;
  for (size_t i = 0; i < std::min(most, lines.size()); ++i) error.with(key, lines[i]);
  if (lines.size() > most) {
    error.with(key, "and " + std::to_string(lines.size() - most) + " more");
  }
}

Error misfit(const nn::Module& model, const std::vector<const nn::Variable*>& missing,
             const std::vector<std::string>& shapes, const ByName& unexpected) {
  std::vector<std::string> unused, wanted;
  for (const auto& [name, array] : unexpected) unused.push_back(name);
  for (const nn::Variable* variable : missing) {
    const std::vector<std::string> near = nearest_names(variable->name(), unused, 1);
    wanted.push_back(variable->name() + (near.empty() ? "" : " (there is " + near[0] + ")"));
  }
  Error error(ErrorKind::model, "the weights do not fit the model " + model.name());
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

Weights weights_of(const nn::Module& model, State& state) {
  Weights weights = shared_weights_of(model, state);
  for (auto& [name, array] : weights) array = array.clone();
  return weights;
}

Weights fit_weights(const nn::Module& model, const Weights& weights) {
  ByName given;
  for (const auto& [name, array] : weights) given[name] = &array;
  Weights fitting;
  std::vector<const nn::Variable*> missing;
  std::vector<std::string> shapes;
  for (const nn::Variable* variable : model.variables()) {
    const Array* array = take(variable->name(), given);
    if (array != nullptr && array->shape() == variable->shape()) {
      fitting.emplace_back(variable->name(), *array);
    } else if (array != nullptr) {
      shapes.push_back(variable->name() + " is " + to_string(array->shape()) + " instead of " +
                       to_string(variable->shape()));
    } else if (is_counter(*variable)) {
      fitting.emplace_back(variable->name(), Array::zeros(DType::i64, variable->shape()));
    } else {
      missing.push_back(variable);
    }
  }
  std::erase_if(given, [](const auto& entry) {
    return std::any_of(std::begin(auxiliary_heads), std::end(auxiliary_heads),
                       [&](std::string_view head) { return entry.first.starts_with(head); });
  });
  if (missing.empty() && shapes.empty() && given.empty()) return fitting;
  throw misfit(model, missing, shapes, given);
}

void load_weights(const nn::Module& model, State& state, const Weights& weights) {
  for (const auto& [name, array] : fit_weights(model, weights)) {
    state.set(name, array.astype(state.type(name).dtype));
  }
}

}  // namespace fovea
