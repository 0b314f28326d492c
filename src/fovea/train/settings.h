#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/models/registry.h"

namespace fovea::train {

/// All that says what a training run does. The same command, machine and seed give the same bits.
struct Settings {
  std::string data = "fashion-mnist";  ///< as data::open reads it
  std::string task;                    ///< as tasks::make reads it; "": by the data set's targets
  std::string model = "small_cnn";     ///< of the registry, or the file of a net's text
  /// The text, where the model is one: in a run's folder it lies beside config.toml.
  std::shared_ptr<const models::NetText> net;
  Arguments choices;           ///< as models::Options; what is left out is the model's own
  std::string input;           ///< HxW or CxHxW that images are resized to; "": as they are
  std::string weights;         ///< file that the net starts from; "": first weights by seed
  std::string freeze;          ///< as models::frozen reads it
  int64_t unfreeze_after = 0;  ///< epochs after which all is trained; 0: never
  double backbone_lr = 0;      ///< learning rate of what was frozen; 0: a tenth of lr
  int64_t limit = 0;           ///< training images to use, drawn by seed; 0: all
  int64_t epochs = 10;
  int64_t batch = 128;
  bool drop_last = false;         ///< leave out the last batch of an epoch where it is smaller
  std::string optimizer = "sgd";  ///< as optim::parse reads it
  double lr = 0.1;
  std::string weight_decay = "5e-4";  ///< as optim::parse reads it
  std::string schedule = "cosine";    ///< as optim::Schedule reads it
  double warmup = 1;                  ///< epochs
  double clip = 0;                    ///< largest gradient norm; 0: no clipping
  double label_smoothing = 0;
  std::string augment = "standard";   ///< as data::Augmentation reads it
  double val = 0.1;                   ///< share of the training set kept for validation
  std::string on_bad_image = "fail";  ///< or "skip": samples that cannot be read are left out
  std::string monitor;                ///< metric that says which epoch is best; "": the task's
  int64_t workers = 1;                ///< threads that load ahead
  int64_t seed = 1;
  int64_t threads = 0;  ///< 0: all the process may use
};

/// One setting: the flag --NAME, the key NAME of config.toml (with _ for -), its help and how to
/// reach it.
struct Setting {
  std::string name, help;
  /// Where its value is: a member, or for a choice of the model's Settings::choices.
  std::variant<std::string Settings::*, int64_t Settings::*, double Settings::*, bool Settings::*,
               Argument>
      member;
  double minimum = 0, maximum = 0;  ///< of a member that is a number, both included
  bool resumable = false;           ///< a run that goes on may do so with another value

  /// What it takes; any text is a word.
  ArgumentType type() const;

  /// Whether a model file remembers it: where the weights came from, nothing that depends on time,
  /// place, machine or speed. Those that are newer than the format only where they are chosen, so
  /// that what was trained as before gives the same file.
  bool in_model_file(const Settings& settings) const;

  /// The value as text, numbers as the shortest that read back. A choice that was not made is "",
  /// or "false" where that is the default of all models that have it.
  std::string get(const Settings& settings) const;
  /// Sets it from text. Errors: usage, naming the flag, the text and what is possible.
  void set(Settings& settings, std::string_view text) const;
};

/// The one table: the flags of `train`, their help, and config.toml are all made from it. It has a
/// row for each of models::choices(). Errors: usage when a model that was added has a choice of the
/// name of another setting.
std::vector<Setting> settings_table();

/// The settings with the net's text, where the model is a file that was not read yet. From then on
/// `model` is the file's name without its folder. Errors: as models::read_net; usage for the name
/// config.toml, which a run's folder has already.
Settings with_net(Settings settings);

/// The name of the model: the registry's, or what the net's text says. Errors: as
/// models::net_entry.
std::string model_name(const Settings& settings);

/// What the settings choose about the model, for a task of so many outputs and inputs of this
/// shape.
models::Options model_options(const Settings& settings, int64_t outputs, const Shape& input);

/// config.toml: every setting, one a line, with its help as a comment.
std::string to_toml(const Settings& settings);
/// Reads it back, and the net's text beside it where the model is one; what it does not say keeps
/// its default. Errors: model when that text is missing; data when the file is missing or
/// is not valid TOML; usage for an unknown key (with the nearest) or a bad value, naming the file
/// and line.
Settings from_toml(const std::filesystem::path& path);

}  // namespace fovea::train
