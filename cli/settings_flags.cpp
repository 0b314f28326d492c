#include "settings_flags.h"

#include <filesystem>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/data/registry.h"
#include "fovea/data/transform.h"
#include "fovea/formats/model_file.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/train/averaging.h"
#include "fovea/train/recipe.h"
#include "model.h"

namespace fovea::cli {
namespace {

/// --threads is a flag of every command.
bool is_flag(const train::Setting& setting) { return setting.name != "threads"; }

}  // namespace

void SettingsFlags::add(Command command) {
  command_ = command;
  command.text(
      "--recipe", recipe_,
      "Settings that go together, which other flags override: a name of `fovea recipes`, or "
      "a file such as the config.toml of a run",
      "NAME|FILE.toml");
  for (const train::Setting& setting : train::settings_table()) {
    if (!is_flag(setting)) continue;
    std::string& value = values_[setting.name];
    Option flag = command.argument("--" + setting.name, value, setting.type(), setting.help);
    if (setting.repeatable) flag.join(';');
    if (setting.type() != ArgumentType::flag) flag.default_text(setting.get(train::Settings{}));
  }
  command.footer("Optimizers:\n" + listing(choices_of(optim::optimizers())) + "\nSchedules:\n" +
                 listing(choices_of(optim::schedules())) +
                 "  any of them takes per=epoch: the rate changes only between epochs\n"
                 "\nAverages:\n" +
                 listing(choices_of(train::averages())) + "\nTransforms of --augment:\n" +
                 listing(choices_of(data::transforms())));
}

bool SettingsFlags::given(std::string_view name) const {
  return command_.given("--" + std::string(name));
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
  settings.data = data::from_anywhere(settings.data);  // for --resume
  if (!settings.weights.empty() && !is_stream(settings.weights))
    settings.weights = std::filesystem::absolute(settings.weights).lexically_normal().string();
  if (!settings.class_weights.empty() && settings.class_weights != "balanced" &&
      !is_stream(settings.class_weights)) {
    settings.class_weights =
        std::filesystem::absolute(settings.class_weights).lexically_normal().string();
  }
  return settings;
}

train::Settings SettingsFlags::for_trial(Console& console) const {
  train::Settings settings = train::with_net(read());
  settings.threads = fovea::threads();
  choose_kernels(settings, console);
  if (names_file(settings.model)) {
    if (settings.weights.empty()) settings.weights = settings.model;
    settings.model = load_model(settings.model).architecture;
  }
  return settings;
}

void SettingsFlags::choose_kernels(const train::Settings& settings, Console& console) const {
  tuning_ = KernelFlags{settings.no_winograd, settings.deterministic, settings.tune}.apply(console);
}

train::Changes SettingsFlags::changes() const {
  train::Settings settings = read();
  settings.threads = threads();
  train::Changes changes;
  for (const train::Setting& setting : train::settings_table()) {
    if (given(setting.name)) changes.emplace_back(setting.name, setting.get(settings));
  }
  return changes;
}

}  // namespace fovea::cli
