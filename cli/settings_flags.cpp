#include "settings_flags.h"

#include <filesystem>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/data/transform.h"
#include "fovea/optim/schedule.h"

namespace fovea::cli {
namespace {

const char* type_name(const train::Setting& setting) {
  constexpr const char* names[] = {"TEXT", "N", "X", "X", ""};
  return names[setting.member.index()];
}

/// --threads is every command's flag.
bool is_flag(const train::Setting& setting) { return setting.name != "threads"; }

/// NAME:DIR with the whole path, so that --resume finds it from any folder.
std::string from_anywhere(const std::string& data) {
  const size_t colon = data.find(':');
  if (colon == std::string::npos) return data;
  const std::filesystem::path folder = data.substr(colon + 1);
  return data.substr(0, colon + 1) + std::filesystem::absolute(folder).lexically_normal().string();
}

}  // namespace

void SettingsFlags::add(CLI::App& app) {
  app_ = &app;
  const auto& table = train::settings_table();
  values_.resize(table.size());
  for (size_t i = 0; i < table.size(); ++i) {
    if (!is_flag(table[i])) continue;
    const std::string name = "--" + std::string(table[i].name), help(table[i].help);
    if (std::holds_alternative<bool train::Settings::*>(table[i].member)) {
      app.add_flag(name, values_[i], help);
      continue;
    }
    app.add_option(name, values_[i], help)
        ->type_name(type_name(table[i]))
        ->default_str(table[i].get(train::Settings{}));
  }
  app.footer("Schedules:\n" + listing(choices_of(optim::schedules())) +
             "\nTransforms of --augment:\n" + listing(choices_of(data::transforms())));
}

bool SettingsFlags::given(std::string_view name) const {
  return app_->count("--" + std::string(name)) > 0;
}

train::Settings SettingsFlags::read() const {
  train::Settings settings;
  const auto& table = train::settings_table();
  for (size_t i = 0; i < table.size(); ++i) {
    if (is_flag(table[i]) && given(table[i].name)) table[i].set(settings, values_[i]);
  }
  settings.data = from_anywhere(settings.data);
  if (!settings.weights.empty() && !is_stream(settings.weights))
    settings.weights = std::filesystem::absolute(settings.weights).lexically_normal().string();
  return settings;
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
