#include "settings_flags.h"

#include <filesystem>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/data/transform.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/train/recipe.h"

namespace fovea::cli {
namespace {

/// --threads is a flag of every command.
bool is_flag(const train::Setting& setting) { return setting.name != "threads"; }

/// NAME:DIR with the absolute path, so that --resume finds it from any folder.
std::string from_anywhere(const std::string& data) {
  const size_t colon = data.find(':');
  if (colon == std::string::npos) return data;
  const std::filesystem::path folder = data.substr(colon + 1);
  return data.substr(0, colon + 1) + std::filesystem::absolute(folder).lexically_normal().string();
}

}  // namespace

void SettingsFlags::add(CLI::App& app) {
  app_ = &app;
  app.add_option(
         "--recipe", recipe_,
         "Settings that go together, which other flags override: a name of `fovea recipes`, or "
         "a file such as the config.toml of a run")
      ->type_name("NAME|FILE.toml");
  for (const train::Setting& setting : train::settings_table()) {
    if (!is_flag(setting)) continue;
    std::string& value = values_[setting.name];
    CLI::Option* flag = add_argument(app, "--" + setting.name, value, setting.type(), setting.help);
    if (setting.repeatable) flag->join(';');
    if (setting.type() != ArgumentType::flag) flag->default_str(setting.get(train::Settings{}));
  }
  app.footer("Optimizers:\n" + listing(choices_of(optim::optimizers())) + "\nSchedules:\n" +
             listing(choices_of(optim::schedules())) +
             "  any of them takes per=epoch: the rate changes only between epochs\n"
             "\nTransforms of --augment:\n" +
             listing(choices_of(data::transforms())));
}

bool SettingsFlags::given(std::string_view name) const {
  return app_->count("--" + std::string(name)) > 0;
}

train::Settings SettingsFlags::read() const {
  train::Settings settings;
  if (!recipe_.empty()) {
    settings = train::from_recipe(recipe_);
    if (given("model")) settings.net.reset();
  }
  for (const train::Setting& setting : train::settings_table()) {
    if (is_flag(setting) && given(setting.name)) setting.set(settings, values_.at(setting.name));
  }
  settings.data = from_anywhere(settings.data);
  if (!settings.weights.empty() && !is_stream(settings.weights))
    settings.weights = std::filesystem::absolute(settings.weights).lexically_normal().string();
  return settings;
}

train::Changes SettingsFlags::changes() const {
  if (!recipe_.empty()) {
    throw Error(ErrorKind::usage, "--recipe: a run that is resumed keeps its settings")
        .with("try", "a new run, or --resume without --recipe");
  }
  train::Settings settings = read();
  settings.threads = threads();
  train::Changes changes;
  for (const train::Setting& setting : train::settings_table()) {
    if (given(setting.name)) changes.emplace_back(setting.name, setting.get(settings));
  }
  return changes;
}

}  // namespace fovea::cli
