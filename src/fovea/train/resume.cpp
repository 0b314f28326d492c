#include "fovea/train/resume.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/folder_index.h"
#include "fovea/data/registry.h"
#include "fovea/train/checkpoint.h"
#include "fovea/train/run_folder.h"

namespace fovea::train {
namespace {

std::string flag(std::string_view name) { return "--" + std::string(name); }

Setting setting_named(const std::string& name) {
  std::vector<std::string> known;
  for (const Setting& setting : settings_table()) {
    if (setting.name == name) return setting;
    known.push_back(setting.name);
  }
  throw unknown_name("setting", name, known);
}

Error cannot_change(const Setting& setting, const Settings& run, const Settings& wanted,
                    const std::filesystem::path& folder) {
  const std::string value = setting.get(wanted);
  std::vector<std::string> possible;
  for (const Setting& other : settings_table()) {
    if (other.resumable) possible.push_back(flag(other.name));
  }
  return Error(ErrorKind::usage,
               fmt::format("{} cannot change when a run is resumed", flag(setting.name)))
      .with("run", setting.get(run))
      .with("given", value)
      .with("possible", join(possible, ", "))
      .with("try", fmt::format("a new run that starts from this one's weights: --weights {}",
                               (folder / "last.safetensors").string()));
}

std::string numbers_text(const std::vector<double>& numbers) {
  std::vector<std::string> words;
  for (double number : numbers) words.push_back(format_number(number));
  return join(words, " ");
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  for (const std::string& word : split(text, ' ')) {
    const std::optional<double> number = parse_number(word);
    if (!number)
      throw Error(ErrorKind::model, fmt::format("checkpoint: \"{}\" is not a number", word));
    numbers.push_back(*number);
  }
  return numbers;
}

/// How the images were normalised; none if an older checkpoint does not say.
std::optional<Preprocessing> learned(const std::map<std::string, std::string>& progress) {
  if (!progress.contains("images.mean")) return std::nullopt;
  Preprocessing p;
  p.mean = numbers_of(progress.at("images.mean"));
  p.std = numbers_of(progress.at("images.std"));
  p.channels = static_cast<int>(p.mean.size());
  p.filter = filter_named(progress.at("images.filter")).value_or(Filter::bilinear);
  return p;
}

/// Errors: data when the training images are not those that the run began with.
void check_data(const Resumption& run, const data::DataSets& sets) {
  const auto known = run.progress.find("data.fingerprint");
  if (known == run.progress.end()) return;
  const std::string found = data::fingerprint(*sets.train);
  if (found == known->second) return;
  throw Error(ErrorKind::data,
              fmt::format("--data {} is not what this run trains on", run.settings.data))
      .with("run", fmt::format("{}, fingerprint {}", run.progress.at("data.name"), known->second))
      .with("found", fmt::format("{}, fingerprint {}", sets.name, found))
      .with("try", "--data NAME:DIR, the place where the run's images are; or a new run");
}

}  // namespace

Resumption read_run(const std::filesystem::path& folder, const Changes& changes) {
  const bool there = exists(folder, ErrorKind::data);
  if (there && !is_folder(folder, ErrorKind::data)) {
    throw Error(ErrorKind::data,
                fmt::format("--resume: {} is a file, not the folder of a run", folder.string()))
        .with("try", fmt::format("--resume {}", folder.parent_path().string()));
  }
  if (!exists(folder / "config.toml", ErrorKind::data)) {
    throw Error(
        ErrorKind::data,
        fmt::format("--resume: {} {}", folder.string(),
                    there ? "has no config.toml: it is not the folder of a run" : "does not exist"))
        .with("try", "a folder that `fovea train` made, such as runs/small_cnn-fashion-mnist-001");
  }
  Resumption run{.lock = std::make_unique<const RunLock>(folder),
                 .settings = from_toml(folder / "config.toml"),
                 .notes = {},
                 .progress = checkpoint_progress(folder),
                 .index = read_index(folder / data::folder_index_name)};
  remove_abandoned(folder);
  const Settings before = run.settings;
  for (const auto& [name, value] : changes) {
    const Setting setting = setting_named(name);
    setting.set(run.settings, value);
    const std::string old = setting.get(before), now = setting.get(run.settings);
    if (old == now) continue;
    if (!setting.resumable) throw cannot_change(setting, before, run.settings, folder);
    run.notes.push_back(name + " is " + now + " instead of " + old);
    if (name == "epochs") run.notes.back() += ": the schedule follows the new total";
  }
  if (run.settings.epochs != before.epochs && run.progress.contains("epoch")) {
    const auto number = [&](const char* key) {
      return parse_number(run.progress[key]).value_or(0);
    };
    const double begun = number("epoch") + (number("batch") > 0 ? 1 : 0);
    if (static_cast<double>(run.settings.epochs) < begun) {
      throw Error(ErrorKind::usage, fmt::format("--epochs {}: the run is in epoch {} already",
                                                run.settings.epochs, format_number(begun)))
          .with("try", fmt::format("--epochs {} or more", format_number(begun)));
    }
  }
  return run;
}

Setup setup_of(const Resumption& run) {
  data::DataSets sets =
      tasks::sets_for(run.settings.task, data::open(run.settings.data, run.index));
  check_data(run, sets);
  const std::optional<Preprocessing> images = learned(run.progress);
  Settings settings = run.settings;
  // What these files gave is in the checkpoint.
  if (images) settings.weights.clear();
  if (run.progress.contains("data.fingerprint")) settings.class_weights.clear();
  Setup setup(settings, std::move(sets), images);
  setup.settings.weights = run.settings.weights;
  setup.settings.class_weights = run.settings.class_weights;
  if (const auto known = run.progress.find("class_weights"); known != run.progress.end())
    setup.class_weights = numbers_of(known->second);
  if (const auto known = run.progress.find("weights.fingerprint"); known != run.progress.end())
    setup.start.fingerprint = known->second;
  return setup;
}

std::map<std::string, std::string> origin(const Setup& setup, const std::string& fingerprint) {
  std::map<std::string, std::string> facts{{"data.name", setup.sets.name},
                                           {"data.fingerprint", fingerprint},
                                           {"weights.fingerprint", setup.start.fingerprint}};
  if (!setup.class_weights.empty()) facts["class_weights"] = numbers_text(setup.class_weights);
  if (const std::optional<Preprocessing>& p = setup.preprocessing) {
    facts["images.mean"] = numbers_text(p->mean);
    facts["images.std"] = numbers_text(p->std);
    facts["images.filter"] = name(p->filter);
  }
  return facts;
}

}  // namespace fovea::train
