#include "fovea/train/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <toml++/toml.h>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/registry.h"
#include "fovea/models/net_file.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/tasks/task.h"
#include "fovea/train/averaging.h"

namespace fovea::train {
namespace {

std::string key_of(const Setting& setting) {
  std::string key = setting.name;
  for (char& c : key) c = c == '-' ? '_' : c;
  return key;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char digits[] = "0123456789abcdef";
      result += std::string("\\u00") + digits[c >> 4] + digits[c & 15];
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const tasks::Entry& entry : tasks::list()) names.push_back(entry.name);
  return names;
}

}  // namespace

ArgumentType Setting::type() const {
  if (const auto* choice = std::get_if<Argument>(&member)) return choice->type;
  constexpr ArgumentType types[] = {ArgumentType::word, ArgumentType::integer, ArgumentType::number,
                                    ArgumentType::flag};
  return types[member.index()];
}

std::string Setting::get(const Settings& settings) const {
  if (const auto* choice = std::get_if<Argument>(&member)) {
    if (settings.choices.contains(choice->name))
      return to_string(settings.choices.value(choice->name));
    return choice->default_value == ArgumentValue(false) ? "false" : "";
  }
  if (auto* text = std::get_if<std::string Settings::*>(&member)) return settings.**text;
  if (auto* integer = std::get_if<int64_t Settings::*>(&member))
    return std::to_string(settings.**integer);
  if (auto* flag = std::get_if<bool Settings::*>(&member))
    return settings.**flag ? "true" : "false";
  return format_number(settings.*std::get<double Settings::*>(member));
}

bool Setting::in_model_file(const Settings& settings) const {
  constexpr std::string_view elsewhere[] = {
      "threads", "workers",       "cache",       "data", "weights",  "save-every",
      "keep",    "class-weights", "tensorboard", "tune", "recompute"};
  constexpr std::string_view newer[] = {
      "deterministic", "no-winograd", "drop-last", "task",       "monitor", "on-bad-image",
      "group",         "clip-value",  "patience",  "min-change", "tta",     "sampling",
      "precision",     "accumulate",  "ema",       "average",    "mix",     "loss"};
  constexpr std::string_view choices[] = {"aux", "dropout", "drop-path", "stem", "width"};
  if (std::ranges::count(elsewhere, name) > 0) return false;
  const bool choice = std::holds_alternative<Argument>(member);
  const bool is_newer =
      choice ? std::ranges::count(choices, name) == 0 : std::ranges::count(newer, name) > 0;
  return !is_newer || get(settings) != get(Settings{});
}

void Setting::set(Settings& settings, std::string_view text) const {
  if (const auto* choice = std::get_if<Argument>(&member)) {
    settings.choices.erase(choice->name);
    if (text != get(settings)) settings.choices.set(choice->name, choice->read_flag(text));
    return;
  }
  if (auto* string = std::get_if<std::string Settings::*>(&member)) {
    settings.** string = std::string(text);
    return;
  }
  const Argument argument{.name = name, .type = type(), .minimum = minimum, .maximum = maximum};
  const ArgumentValue value = argument.read_flag(text);
  if (auto* flag = std::get_if<bool Settings::*>(&member)) {
    settings.** flag = std::get<bool>(value);
  } else if (auto* integer = std::get_if<int64_t Settings::*>(&member)) {
    settings.** integer = std::get<int64_t>(value);
  } else {
    settings.*std::get<double Settings::*>(member) = std::get<double>(value);
  }
}

namespace {

/// The settings before the choices of models, and those after them.
std::vector<Setting> first_settings() {
  return {
      {"data", "data set: " + data::usage(), &Settings::data, 0, 0, true},
      {"task",
       "what to learn: " + join(task_names(), " or ") + "; by the data set's targets by default",
       &Settings::task},
      {"model", "model of `fovea models`, or a file of a net, NET.toml", &Settings::model},
  };
}

std::vector<Setting> last_settings() {
  return {
      {"input",
       "HxW that images are resized to, or CxHxW: C is 3 for RGB (gray is repeated) or 1 for gray; "
       "as they are by default",
       &Settings::input},
      {"weights", "file of initial weights; layers for other classes are reinitialised",
       &Settings::weights},
      {"freeze",
       "arrays to keep unchanged: backbone (all but the head), head, norms, vectors (biases and "
       "norms), or globs of names",
       &Settings::freeze},
      {"unfreeze-after", "epochs after which everything is trained; 0: never",
       &Settings::unfreeze_after, 0, 1e6},
      {"backbone-lr", "learning rate of arrays that were frozen; 0: a tenth of --lr",
       &Settings::backbone_lr, 0, 1e6},
      {"group",
       "arrays trained in their own way, SELECTION:KEY=VALUE,...: as for --freeze, and the keys "
       "lr, "
       "lr-scale, weight-decay, optimizer, schedule, from, until (epochs); may be repeated, the "
       "first "
       "that matches counts",
       &Settings::group, 0, 0, false, true},
      {"limit", "training samples to use, drawn by seed; 0: all", &Settings::limit, 0, 1e12},
      {"epochs", "passes over the training set", &Settings::epochs, 1, 1e6, true},
      {"batch", "samples per step", &Settings::batch, 1, 1e6},
      {"accumulate", "batches whose gradients are added for one update, as of a larger batch",
       &Settings::accumulate, 1, 1e6},
      {"drop-last", "leave out the last batch of an epoch if it has fewer samples",
       &Settings::drop_last},
      {"no-winograd",
       "compute all convolutions directly, without Winograd's faster and less exact algorithm",
       &Settings::no_winograd, 0, 0, true},
      {"deterministic", "the same result for any number of threads, at the cost of some speed",
       &Settings::deterministic},
      {"tune",
       "before the first step, measure which kernels are the fastest on this machine, and keep "
       "that "
       "for later runs; a resumed run takes the choices that it began with",
       &Settings::tune},
      {"recompute",
       "keep only some results of the forward pass, and compute the others again in the backward "
       "pass: less memory, up to a third more time, the same bits",
       &Settings::recompute},
      {"precision",
       "f32, or mixed precision with 16-bit values beside f32 parameters: bf16, f16, or auto, "
       "which "
       "measures f32 and bf16 and takes the faster one",
       &Settings::precision},
      {"optimizer", "update rule: " + usages(choices_of(optim::optimizers())),
       &Settings::optimizer},
      {"lr", "peak learning rate", &Settings::lr, 0, 1e6},
      {"weight-decay", "X, or X:weights to exempt norms and biases", &Settings::weight_decay},
      {"schedule", "learning rate over the run: " + usages(choices_of(optim::schedules())),
       &Settings::schedule},
      {"warmup",
       "epochs in which the learning rate rises from 0; 0 for a schedule with a rise of its own",
       &Settings::warmup, 0, 1e6},
      {"clip", "maximum norm of all gradients together; 0: no clipping", &Settings::clip, 0, 1e12},
      {"clip-value", "maximum size of each element of a gradient, after --clip; 0: no clipping",
       &Settings::clip_value, 0, 1e12},
      {"ema",
       "decay of an exponential average of the weights, which is evaluated and saved instead of "
       "them, such as 0.999; 0: none",
       &Settings::ema, 0, 1},
      {"average", "other averages of the weights: " + usages(choices_of(averages())),
       &Settings::average},
      {"loss",
       "losses to add up, joined by +: cross-entropy, dice, focal for masks; mse, l1, ssim to "
       "reconstruct; the first by default",
       &Settings::loss},
      {"label-smoothing", "fraction of the target spread over all classes",
       &Settings::label_smoothing, 0, 1},
      {"class-weights",
       "weights of the classes in the loss: balanced, or a table FILE.csv with the columns "
       "name,weight; of several labels, those of their presence",
       &Settings::class_weights},
      {"sampling",
       "samples of an epoch: shuffled, each once, or balanced: drawn with replacement, every class "
       "equally likely",
       &Settings::sampling},
      {"augment", data::Augmentation::usage(), &Settings::augment},
      {"mix", "mixing of the samples of a training batch: " + data::mixing_usage(), &Settings::mix},
      {"val", "fraction of the training set held out to choose the best epoch", &Settings::val, 0,
       0.99},
      {"on-bad-image",
       "what to do about a file that cannot be read: fail, or skip, which reads all files first",
       &Settings::on_bad_image},
      {"tta",
       "views of an image whose outputs are averaged in the test, and by eval and predict: none, "
       "flip (also mirrored), shift (also moved by a pixel up left and down right), or flip,shift",
       &Settings::tta},
      {"monitor", "metric that decides which epoch is best, such as accuracy or loss; by the task",
       &Settings::monitor},
      {"patience", "epochs without improvement of that metric after which the run ends; 0: never",
       &Settings::patience, 0, 1e6},
      {"min-change", "that metric counts as improved only if it changed by more than this",
       &Settings::min_change, 0, 1e12},
      {"save-every",
       "N: keep the model of every N-th epoch in a file of its own; Nm: write a checkpoint every N "
       "minutes instead of every 5",
       &Settings::save_every, 0, 0, true},
      {"keep", "number of such files, of which the oldest are removed; 0: all", &Settings::keep, 0,
       1e6, true},
      {"tensorboard",
       "event files for TensorBoard in the run's folder: off, scalars (with pictures of the first "
       "batches and the settings), or histograms: also those of weights and gradients, each epoch",
       &Settings::tensorboard, 0, 0, true},
      {"workers", "threads that load samples ahead", &Settings::workers, 0, 256, true},
      {"cache",
       "memory in which samples stay once decoded: 1G, 500M, 0 for none; auto is a quarter of what "
       "is "
       "free",
       &Settings::cache, 0, 0, true},
      {"seed", "seed of initial weights, order, augmentation and dropout", &Settings::seed, 0,
       9007199254740991.0},
      {"threads", "threads to compute with; 0: all", &Settings::threads, 0, 1024, true},
  };
}

}  // namespace

std::vector<Setting> settings_table() {
  std::vector<Setting> table = first_settings(), last = last_settings();
  for (const Argument& choice : models::choices()) {
    const std::string name = choice.flag().substr(2);
    if (std::ranges::count(last, name, &Setting::name) > 0 ||
        std::ranges::count(table, name, &Setting::name) > 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("a model has a choice \"{}\", which is already a training setting",
                              choice.name))
          .with("try", "another name for it in models::add");
    }
    table.push_back({name, choice.help + "; the model's own by default", choice});
  }
  std::ranges::move(last, std::back_inserter(table));
  return table;
}

Settings with_net(Settings settings) {
  if (settings.net) return settings;
  if (!models::is_net_file(settings.model) && !is_stream(settings.model)) return settings;
  models::NetText net = models::read_net(settings.model);
  net.file = settings.model = std::filesystem::path(net.file).filename().string();
  settings.net = std::make_shared<const models::NetText>(std::move(net));
  if (settings.model == "config.toml") {
    throw Error(ErrorKind::usage, "--model: a net file must not be called config.toml")
        .with("try", "another name: the folder of a run keeps its settings under that one");
  }
  return settings;
}

double warmup(const Settings& settings) {
  const bool by_default = settings.warmup == Settings{}.warmup;
  return by_default && optim::find_schedule(settings.schedule).warms_up ? 0 : settings.warmup;
}

std::string model_name(const Settings& settings) {
  return settings.net ? models::net_entry(*settings.net).name : settings.model;
}

DType parse_precision(std::string_view text) {
  if (text == "f32" || text == "auto") return DType::f32;
  if (text == "bf16") return DType::bf16;
  if (text == "f16") return DType::f16;
  throw Error(ErrorKind::usage,
              fmt::format("--precision: \"{}\" is not a precision", printable(text)))
      .with("known", "f32, bf16, f16, auto");
}

models::Options model_options(const Settings& settings, int64_t outputs, const Shape& input) {
  return {.outputs = outputs, .input = input, .choices = settings.choices, .net = settings.net};
}

std::string to_toml(const Settings& settings) {
  std::string text =
      "# All settings of this run: `fovea train --resume` of its folder reads them.\n";
  for (const Setting& setting : settings_table()) {
    const std::string value = setting.get(settings);
    const bool word = setting.type() == ArgumentType::word ||
                      (value != "true" && value != "false" && !parse_number(value));
    text += "\n# " + setting.help + "\n" + key_of(setting) + " = " +
            (word ? quoted(value) : value) + "\n";
  }
  return text;
}

Settings from_toml(const std::filesystem::path& path) {
  return from_toml_text(read_text(path, ErrorKind::data, size_t{1} << 20), path.string(),
                        path.parent_path());
}

Settings from_toml_text(std::string_view text, const std::string& source,
                        const std::filesystem::path& folder) {
  toml::table document;
  try {
    document = toml::parse(text, source);
  } catch (const toml::parse_error& e) {
    throw Error(ErrorKind::data, fmt::format("{}: {}", source, e.description()))
        .with("line", std::to_string(e.source().begin.line));
  }
  Settings settings;
  const std::vector<Setting> table = settings_table();
  std::vector<std::string> known;
  for (const Setting& setting : table) known.push_back(key_of(setting));
  for (const auto& [key, node] : document) {
    const std::string name(key.str());
    if (name == "about") continue;  // of a recipe, for its reader
    const std::string line = source + ":" + std::to_string(node.source().begin.line);
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) throw unknown_name("setting", name, known).at(line);
    const Setting& setting = table[static_cast<size_t>(found - known.begin())];
    std::string value;
    if (auto word = node.value_exact<std::string>()) {
      value = *word;
    } else if (auto integer = node.value_exact<int64_t>()) {
      value = std::to_string(*integer);
    } else if (auto number = node.value_exact<double>()) {
      value = format_number(*number);
    } else if (auto flag = node.value_exact<bool>()) {
      value = *flag ? "true" : "false";
    } else {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: a text, a number, true or false is expected", name))
          .at(line);
    }
    try {
      setting.set(settings, value);
    } catch (Error& e) {
      throw e.at(line);
    }
  }
  if (models::is_net_file(settings.model)) {
    models::NetText net = models::read_net(folder / settings.model);
    net.file = settings.model;
    settings.net = std::make_shared<const models::NetText>(std::move(net));
  }
  return settings;
}

}  // namespace fovea::train
