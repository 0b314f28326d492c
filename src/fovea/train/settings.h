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

/// Everything that determines a training run. The same command, machine and seed give the same
/// bits.
struct Settings {
  std::string data = "fashion-mnist";  ///< as data::open reads it
  std::string task;                    ///< as tasks::make reads it; "": by the data set's targets
  std::string model = "small_cnn";     ///< of the registry, or the file of a net's text
  /// For a model in TOML, its text: a run's folder has it beside config.toml.
  std::shared_ptr<const models::NetText> net;
  Arguments choices;           ///< as models::Options; others are the model's defaults
  std::string input;           ///< HxW or CxHxW that images are resized to; "": as they are
  std::string weights;         ///< file of initial weights; "": random ones, by seed
  std::string freeze;          ///< as models::select reads it
  int64_t unfreeze_after = 0;  ///< epochs after which everything is trained; 0: never
  double backbone_lr = 0;      ///< learning rate of arrays that were frozen; 0: a tenth of lr
  std::string group;           ///< arrays trained in their own way: see Groups
  int64_t limit = 0;           ///< training images to use, drawn by seed; 0: all
  int64_t epochs = 10;
  int64_t batch = 128;
  std::string precision = "f32";  ///< or bf16, f16; auto: the faster one, see choose_precision
  int64_t accumulate = 1;         ///< batches whose gradients are added for one update
  bool drop_last = false;         ///< leave out the last batch of an epoch if it is smaller
  bool no_winograd = false;       ///< see Winograd::never
  bool deterministic = false;     ///< see set_deterministic
  bool tune = false;              ///< see TuningSession
  bool recompute = false;         ///< see StepOptions
  std::string optimizer = "sgd";  ///< as optim::parse reads it
  double lr = 0.1;
  std::string weight_decay = "5e-4";  ///< as optim::parse reads it
  std::string schedule = "cosine";    ///< as optim::Schedule reads it
  double warmup = 1;                  ///< epochs
  double clip = 0;                    ///< largest gradient norm; 0: no clipping
  double clip_value = 0;              ///< largest element of a gradient; 0: no clipping
  double ema = 0;       ///< decay of an average of the weights that is evaluated; 0: none
  std::string average;  ///< as Averaging reads it; "": none
  std::string loss;     ///< as tasks::parse_losses reads it; "": the task's default
  double label_smoothing = 0;
  std::string class_weights;          ///< as tasks::class_weights reads it; "": none
  std::string sampling = "shuffled";  ///< as data::parse_sampling reads it
  std::string augment = "standard";   ///< as data::Augmentation reads it
  std::string mix;                    ///< as data::parse_mixing reads it; "": none
  double val = 0.1;                   ///< fraction of the training set held out for validation
  std::string on_bad_image = "fail";  ///< or "skip": leave out samples that cannot be read
  std::string tta;        ///< views in the test, as TestViews::parse reads them; "": one
  std::string monitor;    ///< metric that decides which epoch is best; "": the task's default
  int64_t patience = 0;   ///< epochs without improvement that end the run; 0: none do
  double min_change = 0;  ///< an improvement of the metric is larger than this
  /// As SaveEvery reads it; "": a checkpoint after every epoch and every 5 minutes.
  std::string save_every;
  int64_t keep = 0;                     ///< latest files of epochs to keep; 0: all
  std::string tensorboard = "scalars";  ///< its event files: "off", "scalars" or "histograms"
  int64_t workers = 1;                  ///< threads that load ahead
  std::string cache = "auto";  ///< bytes for decoded images, as parse_bytes; "auto": by the memory
  int64_t seed = 1;
  int64_t threads = 0;  ///< 0: all that the process may use
};

/// One setting: the flag --NAME, the key NAME of config.toml (with _ for -), its help and how to
/// access it.
struct Setting {
  std::string name, help;
  /// Where its value is: in a member, or for a choice of the model in Settings::choices.
  std::variant<std::string Settings::*, int64_t Settings::*, double Settings::*, bool Settings::*,
               Argument>
      member;
  double minimum = 0, maximum = 0;  ///< of a numeric member, inclusive
  bool resumable = false;           ///< whether a run can be resumed with another value
  bool repeatable = false;          ///< its flag may be repeated: values are joined by semicolons

  /// What it takes; any text counts as a word.
  ArgumentType type() const;

  /// Whether a model file records it: what determined the weights, nothing that depends on time,
  /// place, machine or speed. Settings newer than the format are recorded only if they are set, so
  /// that older commands still give the same file.
  bool in_model_file(const Settings& settings) const;

  /// The value as text, numbers as the shortest that read back. A choice that is not set is "", or
  /// "false" if that is the default of all models that have it.
  std::string get(const Settings& settings) const;
  /// Sets it from text. Errors: usage, naming the flag, the text and what is accepted.
  void set(Settings& settings, std::string_view text) const;
};

/// The one table: the flags of `train`, their help and config.toml all follow it. It has a row for
/// each of models::choices(). Errors: usage when a registered model has a choice with the name of
/// another setting.
std::vector<Setting> settings_table();

/// The settings with the text of a model in TOML, read if it was not yet. From then on `model` is
/// the file's name without its folder. Errors: as models::read_net; usage for the name config.toml,
/// which a run's folder already has.
Settings with_net(Settings settings);

/// Epochs of warm-up: none, by default, for a schedule that begins with a rise of its own.
double warmup(const Settings& settings);

/// The name of the model: the registry's, or what the net's text says. Errors: as
/// models::net_entry.
std::string model_name(const Settings& settings);

/// The type of the narrow values of a precision: "f32", "bf16" or "f16"; f32 for "auto" as long as
/// it is not resolved (see choose_precision). Errors: usage for other texts, naming the flag.
DType parse_precision(std::string_view text);

/// The options of the model that the settings choose, for this number of outputs and shape of
/// inputs.
models::Options model_options(const Settings& settings, int64_t outputs, const Shape& input);

/// config.toml: every setting, one per line, with its help as a comment.
std::string to_toml(const Settings& settings);
/// Reads it, or a recipe, back, and the text beside it for a model in TOML; settings that it does
/// not mention keep their defaults. Errors: model when that text is missing; data when the file is
/// missing or is not valid TOML; usage for an unknown key (with the nearest) or a bad value, naming
/// the file and line.
Settings from_toml(const std::filesystem::path& path);
/// The same from a text, which messages call `name`; nets in files are relative to `folder`.
Settings from_toml_text(std::string_view text, const std::string& name,
                        const std::filesystem::path& folder = {});

}  // namespace fovea::train
