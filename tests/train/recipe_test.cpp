#include "fovea/train/recipe.h"

#include <gtest/gtest.h>

#include <fstream>

#include "error_text.h"
#include "fovea/core/text.h"
#include "fovea/data/augmentation.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

TEST(Recipes, EachMakesARun) {
  // A recipe with a typing error would only be found by the user who chooses it.
  for (const Recipe& recipe : recipes()) {
    SCOPED_TRACE(recipe.name);
    EXPECT_FALSE(recipe.about.empty());
    const Settings s = from_recipe(recipe.name);
    EXPECT_NO_THROW(optim::parse(s.optimizer, s.weight_decay));
    EXPECT_NO_THROW(optim::Schedule(s.schedule, static_cast<double>(s.epochs), s.warmup));
    EXPECT_NO_THROW(data::Augmentation::parse(s.augment));
    EXPECT_NO_THROW(models::make(s.model, model_options(s, 10, models::configure(s.model).input)));
  }
}

TEST(Recipes, AFileOverridesTheDefaults) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "mine.toml";
  std::ofstream(path) << "about = \"mine\"\nlr = 0.5\nmodel = \"resnet18_cifar\"\n";
  const Settings s = from_recipe(path.string());
  EXPECT_EQ(s.lr, 0.5);
  EXPECT_EQ(s.model, "resnet18_cifar");
  EXPECT_EQ(s.epochs, Settings{}.epochs);
}

TEST(Recipes, AnUnknownOneNamesTheNearest) {
  expect_error(ErrorKind::usage,
               "unknown recipe \"cifar10-resnet\"\n"
               "  nearest cifar10-resnet18\n"
               "  try     fovea recipes, which lists all; or a file of your own: NAME.toml",
               [] { from_recipe("cifar10-resnet"); });
}

TEST(Recipes, ErrorsNameTheirLine) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "mine.toml";
  std::ofstream(path) << "lr = 0.5\nepoch = 3\n";
  try {
    from_recipe(path.string());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.headline(), "unknown setting \"epoch\"");
    EXPECT_NE(std::string(error.what()).find("mine.toml:2"), std::string::npos);
  }
}

}  // namespace
}  // namespace fovea::train
