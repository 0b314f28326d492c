#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/nn/module.h"

namespace fovea::models {

/// A model as a text, which models/net_file.h reads.
struct NetText {
  std::string file = {};  ///< that it is from: for messages, and the model's name by default
  std::string text = {};  ///< TOML
};

/// What may be chosen about a model. What is left out is as its entry says.
struct Options {
  std::optional<int64_t> outputs = {};      ///< numbers per sample (of classes: logits); at least 1
  std::optional<int64_t> in_channels = {};  ///< at least 1; the input's when `input` says it
  std::optional<Shape> input = {};          ///< of one sample: C, spatial... or H, W; at least 1
  /// By name: {{"dropout", 0.5}}. Of a choice that the model does not have only 0 or false.
  Arguments choices = {};
  std::shared_ptr<const NetText> net = {};  ///< of a model that is not of the registry, or none
};

/// All that a model is built from, nothing left open: what a model file has to remember.
struct Config {
  int64_t outputs = 10;
  Shape input{3, 32, 32};                   ///< of one sample: C, spatial...
  Arguments choices = {};                   ///< a value for each choice of the entry
  std::shared_ptr<const NetText> net = {};  ///< of a model that a text describes, or none

  ~Config();  // out of line: GCC 12 warns of what an inline one does in lists of entries

  /// The choices that make the same model again: `make(name, config)`.
  operator Options() const {
    return {.outputs = outputs, .input = input, .choices = choices, .net = net};
  }
};

/// What a model has by default, as published or as another library counts it.
struct Counts {
  int64_t parameters = 0;
  int64_t buffers = 0;  ///< running statistics, without the counters of batches
  int64_t macs = 0;     ///< of convolutions and linear layers, one sample
};

/// One model of the registry, or one that a text describes.
struct Entry {
  std::string name;
  int64_t outputs = 10;                ///< by default
  Shape input{3, 32, 32};              ///< by default, of one sample: C, spatial...
  std::vector<Argument> choices = {};  ///< what it leaves open; each has a default
  std::optional<Counts> counts = {};   ///< where they are known
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Config&)> build = nullptr;
  std::shared_ptr<const NetText> net = {};  ///< the text, where it is one
  Where where = std::source_location::current();
};

/// The entries whose name matches `glob` ("*", "res*", "resnet[13]*"), in the registry's order.
std::vector<Entry> list(std::string_view glob = "*");

/// Puts a model of your own after the others. It is known by its name from then on, and its choices
/// are flags, settings and arguments of model files like those of any model. Not thread-safe:
/// before anything is made. Errors: usage when the name is taken, a choice has no valid default, a
/// name that every model has ("input"), or another type than the choice of that name of another
/// model.
///
///     models::add({.name = "dot_net",
///                  .outputs = 2,
///                  .input = {1, 8, 8},
///                  .choices = {{.name = "hidden",
///                               .type = ArgumentType::integer,
///                               .default_value = int64_t{16},
///                               .minimum = 1,
///                               .maximum = 4096,
///                               .help = "width of the hidden layer"}},
///                  .build = [](const nn::Scope& s, const models::Config& c) {
///                    return std::make_unique<DotNet>(s, c.outputs, c.choices.integer("hidden"));
///                  }});
void add(Entry entry);

/// The choices of all models, each once, in the order in which the registry has them first. Its
/// range is that of all models that have it; its default theirs, none where they differ.
std::vector<Argument> choices();

/// The entry of that name. Errors: usage when there is none, with the nearest names.
Entry entry(std::string_view name);

/// The entry's defaults with what `options` chooses. Errors: usage for an unknown name, a value out
/// of range, an input of another rank, in_channels that contradicts the input, or a choice that the
/// model does not have (dropout of 0.5 for one without). With `options.net` the model is that one,
/// whatever `name` says; errors then also as net_entry.
Config configure(std::string_view name, const Options& options = {});

/// The model, a module that takes x [N, C, spatial...] and gives [N, outputs]; its arrays get
/// values when a State is asked for them (nn::declare). Layers whose size depends on the image are
/// sized for `input`. Errors: as configure; usage when the image is smaller than such a model can
/// take, naming the layer.
std::unique_ptr<nn::Module> make(std::string_view name, const Options& options = {});

}  // namespace fovea::models
