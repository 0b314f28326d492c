#include "fovea/train/recipe.h"

#include <algorithm>

#include <toml++/toml.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::train {
namespace {

Recipe made_of(const char* name, const char* text) {
  const toml::table document = toml::parse(text);
  return {name, document["about"].value_or(std::string()), text};
}

bool is_file(std::string_view recipe) {
  return recipe.find('/') != std::string_view::npos || recipe.ends_with(".toml");
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all{
#define RECIPE(name, text) made_of(name, text),
#include "recipes.inc"
#undef RECIPE
  };
  return all;
}

Settings from_recipe(const std::string& recipe) {
  if (is_file(recipe)) return from_toml(recipe);
  const auto found = std::ranges::find(recipes(), recipe, &Recipe::name);
  if (found != recipes().end()) return from_toml_text(found->text, "recipe " + found->name);
  std::vector<std::string> names;
  for (const Recipe& row : recipes()) names.push_back(row.name);
  throw unknown_name("recipe", recipe, names)
      .with("try", "fovea recipes, which lists all; or a file of your own: NAME.toml");
}

}  // namespace fovea::train
