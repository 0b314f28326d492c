#include "fovea/models/selection.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/glob.h"
#include "fovea/core/text.h"
#include "fovea/nn/norm.h"

namespace fovea::models {

ArrayNames head(std::string_view name, const Config& config) {
  Config more = config;
  ++more.outputs;
  const auto model = make(name, config);
  std::unique_ptr<nn::Module> other;
  try {
    other = make(name, more);
  } catch (const Error&) {
    return {};  // a net whose text fixes the number of outputs
  }
  const auto arrays = model->variables(), others = other->variables();
  ArrayNames names;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i]->shape() != others[i]->shape()) names.insert(arrays[i]->name());
  }
  return names;
}

namespace {

/// The head or, with `others`, all arrays but the head's.
ArrayNames parts_of(const nn::Module& model, const ArrayNames& head, bool others) {
  ArrayNames names;
  if (head.empty()) return names;
  for (const nn::Variable* v : model.variables()) {
    if (head.contains(v->name()) != others) names.insert(v->name());
  }
  return names;
}

template <class... Classes>
bool is_any_of(const nn::Module& module) {
  return (... || (dynamic_cast<const Classes*>(&module) != nullptr));
}

/// Adds the arrays of all normalisation layers.
void add_norms(const nn::Module& module, ArrayNames& names) {
  if (is_any_of<nn::BatchNorm, nn::LayerNorm, nn::LayerNormChannels, nn::GroupNorm,
                nn::InstanceNorm, nn::GlobalResponseNorm>(module)) {
    for (const nn::Variable* v : module.variables()) names.insert(v->name());
  }
  for (const nn::Module* child : module.children()) add_norms(*child, names);
}

/// The error for a part of a selection that selects nothing, with the nearest names and the first.
Error no_match(std::string_view flag, const std::string& part, const nn::Module& model) {
  constexpr size_t shown = 8;
  std::vector<std::string> all;
  for (const nn::Variable* v : model.variables()) all.push_back(v->name());
  std::string names =
      join({all.begin(), all.begin() + std::ptrdiff_t(std::min(shown, all.size()))});
  if (all.size() > shown) names += " and " + std::to_string(all.size() - shown) + " more";
  return unknown_name(std::string(flag), part, all)
      .with("arrays", names)
      .with("try",
            "backbone, head, norms, vectors, or globs of the names in fovea summary: 'layer1.*'");
}

}  // namespace

ArrayNames select(std::string_view flag, std::string_view text, const nn::Module& model,
                  const ArrayNames& head) {
  ArrayNames selected;
  if (text.empty()) return selected;
  for (const std::string& part : split(text, ',')) {
    ArrayNames found;
    if (part == "head" || part == "backbone") {
      found = parts_of(model, head, part == "backbone");
      if (found.empty()) {
        throw Error(
            ErrorKind::usage,
            fmt::format("{} {}: no array of the net is known to depend on the number of outputs",
                        flag, part))
            .with("try", "globs of the names in fovea summary: 'layer1.*'");
      }
    } else if (part == "norms") {
      add_norms(model, found);
    } else {
      for (const nn::Variable* v : model.variables()) {
        const bool is = part == "vectors" ? v->shape().rank() < 2 : matches_glob(part, v->name());
        if (is) found.insert(v->name());
      }
    }
    if (found.empty()) {
      throw no_match(flag, part, model);
    }
    selected.merge(found);
  }
  return selected;
}

}  // namespace fovea::models
