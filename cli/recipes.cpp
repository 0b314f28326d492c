#include <fmt/format.h>

#include <algorithm>

#include "commands.h"
#include "fovea/train/recipe.h"

namespace fovea::cli {
namespace {

int list(Console& console) {
  Json document = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const train::Recipe& recipe : train::recipes()) {
    const train::Settings settings = train::from_recipe(recipe.name);
    document.push_back({{"name", recipe.name},
                        {"about", recipe.about},
                        {"data", settings.data},
                        {"model", settings.model},
                        {"epochs", settings.epochs}});
    rows.push_back({recipe.name, settings.model, settings.data, std::to_string(settings.epochs),
                    recipe.about});
  }
  console.document(document);
  console.result(table({"name", "model", "data", "epochs", "about"}, rows, "lllrl"));
  return 0;
}

/// Prints the text of a recipe, which can be the start of another.
int show(const std::string& name, Console& console) {
  (void)train::from_recipe(name);  // or says that it does not exist
  const auto found = std::ranges::find(train::recipes(), name, &train::Recipe::name);
  if (found == train::recipes().end()) {
    throw Error(ErrorKind::usage,
                fmt::format("recipes: {} is a file, not the name of a recipe", name));
  }
  console.document({{"name", found->name}, {"about", found->about}, {"text", found->text}});
  console.result(found->text);
  return 0;
}

}  // namespace

void add_recipes(Commands& commands) {
  const auto name = std::make_shared<std::string>();
  Command command = commands.add(
      commands.root(), "recipes", "List the recipes of `train --recipe`, or print one",
      [name](Console& console) { return name->empty() ? list(console) : show(*name, console); });
  command.text("NAME", *name, "The recipe whose text is printed");
}

}  // namespace fovea::cli
