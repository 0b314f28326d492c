#include "fovea/models/freeze.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/glob.h"
#include "fovea/core/text.h"

namespace fovea::models {
std::set<std::string, std::less<>> head(std::string_view name, const Config& config) {
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
  std::set<std::string, std::less<>> names;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i]->shape() != others[i]->shape()) names.insert(arrays[i]->name());
  }
  return names;
}

Frozen frozen(std::string_view text, std::string_view name, const Config& config) {
  if (text.empty()) return {};
  if (text == "backbone") {
    const auto kept = head(name, config);
    if (kept.empty()) {
      throw Error(ErrorKind::usage,
                  "--freeze backbone: no array of the net depends on the number of outputs")
          .with("try", "globs of the names in fovea summary: 'layer1.*'");
    }
    return [kept](std::string_view array) { return !kept.contains(array); };
  }
  const std::vector<std::string> globs = split(text, ',');
  const auto model = make(name, config);
  std::vector<std::string> arrays;
  for (const nn::Variable* v : model->variables()) arrays.push_back(v->name());
  for (const std::string& glob : globs) {
    if (std::any_of(arrays.begin(), arrays.end(),
                    [&](const std::string& array) { return matches_glob(glob, array); })) {
      continue;
    }
    throw unknown_name("--freeze", glob, arrays)
        .with("try", "backbone, or globs of the names in fovea summary: 'layer1.*'");
  }
  return [globs](std::string_view name_of_array) {
    const std::string array(name_of_array);
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return matches_glob(glob, array); });
  };
}

}  // namespace fovea::models
