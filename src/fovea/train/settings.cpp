#include "fovea/train/settings.h"

#include <algorithm>
#include <cmath>

#include <toml++/toml.h>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/registry.h"
#include "fovea/models/net_file.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/tasks/task.h"

namespace fovea::train {
namespace {

std::string key_of(const Setting& setting) {
  std::string key(setting.name);
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

std::string Setting::get(const Settings& settings) const {
  if (auto* text = std::get_if<std::string Settings::*>(&member)) return settings.**text;
  if (auto* whole = std::get_if<int64_t Settings::*>(&member))
    return std::to_string(settings.**whole);
  if (auto* optional = std::get_if<std::optional<double> Settings::*>(&member)) {
    const std::optional<double>& value = settings.**optional;
    return value ? format_number(*value) : "";
  }
  if (auto* flag = std::get_if<bool Settings::*>(&member))
    return settings.**flag ? "true" : "false";
  return format_number(settings.*std::get<double Settings::*>(member));
}

bool Setting::in_model_file(const Settings& settings) const {
  constexpr std::string_view elsewhere[] = {"threads", "workers", "data", "weights"};
  constexpr std::string_view newer[] = {"drop-last", "task", "monitor"};
  if (std::ranges::count(elsewhere, name) > 0) return false;
  return std::ranges::count(newer, name) == 0 || get(settings) != get(Settings{});
}

void Setting::set(Settings& settings, std::string_view text) const {
  if (auto* string = std::get_if<std::string Settings::*>(&member)) {
    settings.** string = std::string(text);
    return;
  }
  if (auto* flag = std::get_if<bool Settings::*>(&member)) {
    if (text != "true" && text != "false") {
      throw Error(ErrorKind::usage, "--" + std::string(name) + ": \"" + std::string(text) +
                                        "\" is not true or false");
    }
    settings.** flag = text == "true";
    return;
  }
  auto* optional = std::get_if<std::optional<double> Settings::*>(&member);
  if (optional != nullptr && text.empty()) {
    (settings.**optional).reset();
    return;
  }
  const std::optional<double> number = parse_number(text);
  const auto* whole = std::get_if<int64_t Settings::*>(&member);
  if (!number || *number < least || *number > most ||
      (whole != nullptr && *number != std::floor(*number))) {
    const auto bound = [&](double value) {  // 1000000, not 1e+06
      return whole != nullptr ? std::to_string(static_cast<int64_t>(value)) : format_number(value);
    };
    throw Error(ErrorKind::usage, "--" + std::string(name) + ": \"" + std::string(text) +
                                      "\" is not a " +
                                      (whole != nullptr ? "whole number" : "number") + " from " +
                                      bound(least) + " to " + bound(most));
  }
  if (whole != nullptr) {
    settings.** whole = static_cast<int64_t>(*number);
  } else if (optional != nullptr) {
    settings.** optional = *number;
  } else {
    settings.*std::get<double Settings::*>(member) = *number;
  }
}

const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table{
      {"data", "data set: " + data::usage(), &Settings::data, 0, 0, true},
      {"task",
       "what is learned: " + join(task_names(), " or ") + "; by the data set's targets by default",
       &Settings::task},
      {"model", "model of `fovea models`, or a file of a net, NET.toml", &Settings::model},
      {"aux", "train the model's auxiliary heads too, each loss with the weight 0.3",
       &Settings::aux},
      {"dropout", "probability that dropout sets a value to 0; the model's own by default",
       &Settings::dropout, 0, 1},
      {"drop-path", "how often the last block is left out; the model's own by default",
       &Settings::drop_path, 0, 1},
      {"width", "factor of all numbers of channels; the model's own by default", &Settings::width,
       0, 100},
      {"stem", "how a ResNet or DenseNet begins: imagenet, or cifar; the model's own by default",
       &Settings::stem},
      {"input",
       "HxW that images are resized to, or CxHxW: C is 3 for RGB (gray is repeated) or 1 for gray; "
       "as they are by default",
       &Settings::input},
      {"weights", "file that the net starts from; layers for other classes start anew",
       &Settings::weights},
      {"freeze", "arrays that stay: backbone (all but the head), or globs of names",
       &Settings::freeze},
      {"unfreeze-after", "epochs after which all is trained; 0: never", &Settings::unfreeze_after,
       0, 1e6},
      {"backbone-lr", "learning rate of what was frozen; 0: a tenth of --lr",
       &Settings::backbone_lr, 0, 1e6},
      {"limit", "training images to use, drawn by seed; 0: all", &Settings::limit, 0, 1e12},
      {"epochs", "passes over the training set", &Settings::epochs, 1, 1e6, true},
      {"batch", "images a step", &Settings::batch, 1, 1e6},
      {"drop-last", "leave out the last batch of an epoch where it has fewer images",
       &Settings::drop_last},
      {"optimizer",
       "how weights follow their gradients: " + usages(choices_of(optim::optimizers())),
       &Settings::optimizer},
      {"lr", "learning rate at its highest", &Settings::lr, 0, 1e6},
      {"weight-decay", "X, or X:weights to leave norms and biases alone", &Settings::weight_decay},
      {"schedule", "learning rate over the run: " + usages(choices_of(optim::schedules())),
       &Settings::schedule},
      {"warmup", "epochs in which the learning rate rises from 0", &Settings::warmup, 0, 1e6},
      {"clip", "largest norm of all gradients together; 0: any", &Settings::clip, 0, 1e12},
      {"label-smoothing", "share of the target spread over all classes", &Settings::label_smoothing,
       0, 1},
      {"augment", data::Augmentation::usage(), &Settings::augment},
      {"val", "share of the training set kept to choose the best epoch", &Settings::val, 0, 0.99},
      {"monitor", "metric that says which epoch is best, such as accuracy or loss; by the task",
       &Settings::monitor},
      {"workers", "threads that load images ahead", &Settings::workers, 0, 256, true},
      {"seed", "of first weights, order, augmentation and dropout", &Settings::seed, 0,
       9007199254740991.0},
      {"threads", "threads to compute with; 0: all", &Settings::threads, 0, 1024, true},
  };
  return table;
}

Settings with_net(Settings settings) {
  if (settings.net) return settings;
  if (!models::is_net_file(settings.model) && !is_stream(settings.model)) return settings;
  models::NetText net = models::read_net(settings.model);
  net.file = settings.model = std::filesystem::path(net.file).filename().string();
  settings.net = std::make_shared<const models::NetText>(std::move(net));
  if (settings.model == "config.toml") {
    throw Error(ErrorKind::usage, "--model: a net's file may not be called config.toml")
        .with("try", "another name: the folder of a run keeps its settings under this one");
  }
  return settings;
}

std::string model_name(const Settings& settings) {
  return settings.net ? models::net_entry(*settings.net).name : settings.model;
}

models::Options model_options(const Settings& settings, int64_t outputs, const Shape& input) {
  models::Options options{.classes = outputs,
                          .input = input,
                          .dropout = settings.dropout,
                          .drop_path = settings.drop_path,
                          .width = settings.width,
                          .net = settings.net};
  if (settings.aux) options.aux = true;
  if (!settings.stem.empty()) options.stem = settings.stem;
  return options;
}

std::string to_toml(const Settings& settings) {
  std::string text =
      "# All settings of this run: `fovea train --resume` of its folder reads them.\n";
  for (const Setting& setting : settings_table()) {
    const std::string value = setting.get(settings);
    const bool string =
        value.empty() || std::holds_alternative<std::string Settings::*>(setting.member);
    text += "\n# " + std::string(setting.help) + "\n" + key_of(setting) + " = " +
            (string ? quoted(value) : value) + "\n";
  }
  return text;
}

Settings from_toml(const std::filesystem::path& path) {
  toml::table document;
  try {
    document = toml::parse(read_text(path, ErrorKind::data, size_t{1} << 20), path.string());
  } catch (const toml::parse_error& e) {
    throw Error(ErrorKind::data, path.string() + ": " + std::string(e.description()))
        .with("line", std::to_string(e.source().begin.line));
  }
  Settings settings;
  std::vector<std::string> known;
  for (const Setting& setting : settings_table()) known.push_back(key_of(setting));
  for (const auto& [key, node] : document) {
    const std::string name(key.str());
    const std::string line = path.string() + ":" + std::to_string(node.source().begin.line);
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) throw unknown_name("setting", name, known).with("at", line);
    const Setting& setting = settings_table()[static_cast<size_t>(found - known.begin())];
    std::string value;
    if (auto text = node.value_exact<std::string>()) {
      value = *text;
    } else if (auto whole = node.value_exact<int64_t>()) {
      value = std::to_string(*whole);
    } else if (auto number = node.value_exact<double>()) {
      value = format_number(*number);
    } else if (auto flag = node.value_exact<bool>()) {
      value = *flag ? "true" : "false";
    } else {
      throw Error(ErrorKind::usage, name + ": a text, a number, true or false is expected")
          .with("at", line);
    }
    try {
      setting.set(settings, value);
    } catch (Error& e) {
      throw e.with("at", line);
    }
  }
  if (models::is_net_file(settings.model)) {
    models::NetText net = models::read_net(path.parent_path() / settings.model);
    net.file = settings.model;
    settings.net = std::make_shared<const models::NetText>(std::move(net));
  }
  return settings;
}

}  // namespace fovea::train
