#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/train/settings.h"

namespace fovea::train {

/// Settings that go together: a text like config.toml, which may also say what it is in `about`.
struct Recipe {
  std::string name;   ///< "cifar10-resnet18"
  std::string about;  ///< one line
  std::string text;   ///< TOML
};

/// The recipes that are part of the program: the files of recipes/, by name.
const std::vector<Recipe>& recipes();

/// The settings of a recipe: defaults, overridden by its text. `recipe` is the name of one of
/// recipes(), or the file of another (with a slash, or ending in .toml), such as the config.toml of
/// a run, which then is repeated. Errors: as from_toml; usage for an unknown name, with the
/// nearest.
Settings from_recipe(const std::string& recipe);

}  // namespace fovea::train
