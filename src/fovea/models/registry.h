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

class Backbone;
struct BackboneOptions;

/// A model in TOML: see models/net_file.h.
struct NetText {
  std::string file = {};  ///< where it is from: for messages, and the model's default name
  std::string text = {};  ///< TOML
};

/// What can be chosen about a model; the rest takes the defaults of its entry.
struct Options {
  std::optional<int64_t> outputs = {};  ///< numbers per sample (for classes: logits); at least 1
  std::optional<int64_t> in_channels = {};  ///< at least 1; by default those of `input`
  std::optional<Shape> input = {};          ///< of one sample: C, spatial... or H, W; at least 1
  /// By name: {{"dropout", 0.5}}. A choice that the model does not have may only be 0 or false.
  Arguments choices = {};
  std::shared_ptr<const NetText> net = {};  ///< for a model in TOML, else null
  bool module = false;  ///< a module of a C++ program: only that program can build it
};

/// Everything a model is built from, with no choice left open: what a model file stores.
struct Config {
  int64_t outputs = 10;
  Shape input{3, 32, 32};                   ///< of one sample: C, spatial...
  Arguments choices = {};                   ///< a value for each choice of the entry
  std::shared_ptr<const NetText> net = {};  ///< for a model in TOML, else null
  bool module = false;                      ///< as Options::module

  ~Config();  // out of line: GCC 12 warns about an inline one in lists of entries

  /// The options that build the same model again: `make(name, config)`.
  operator Options() const {
    return {.outputs = outputs, .input = input, .choices = choices, .net = net, .module = module};
  }
};

/// The counts of a model with its defaults, as published or as another library has them.
struct Counts {
  int64_t parameters = 0;
  int64_t buffers = 0;  ///< running statistics, without batch counters
  int64_t macs = 0;     ///< of convolutions and linear layers, per sample
};

/// One model of the registry, or one in TOML.
struct Entry {
  std::string name;
  int64_t outputs = 10;                ///< by default
  Shape input{3, 32, 32};              ///< by default, of one sample: C, spatial...
  std::vector<Argument> choices = {};  ///< each has a default
  std::optional<Counts> counts = {};   ///< where they are known
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Config&)> build = nullptr;
  std::string task = "classify";  ///< that it is made for: see tasks/task.h
  /// The net without its head, for nets built on it: see models/backbone.h.
  std::function<std::unique_ptr<Backbone>(const nn::Scope&, const BackboneOptions&)> backbone =
      nullptr;
  std::shared_ptr<const NetText> net = {};  ///< for a model in TOML
  Where where = std::source_location::current();
};

/// The entries whose name matches `glob` ("*", "res*", "resnet[13]*"), in the registry's order.
std::vector<Entry> list(std::string_view glob = "*");

/// Registers a model of your own. From then on it can be chosen by name, and its choices are flags,
/// settings and arguments of model files like those of any model. Not thread-safe: call it before
/// anything is built. Errors: usage when the name is taken, or a choice has no valid default, a
/// reserved name ("input"), or a different type from the choice of that name in another model.
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

/// The choices of all models, each once, in the order in which they first occur in the registry.
/// The range of each covers all models that have it; its default is theirs, or none where they
/// differ.
std::vector<Argument> choices();

/// The entry of that name. Errors: usage for an unknown one, with the nearest names.
Entry entry(std::string_view name);

/// The entry's defaults, overridden by `options`. Errors: usage for an unknown name, a value out of
/// range, an input of the wrong rank, in_channels that contradicts the input, or a choice that the
/// model does not have (dropout 0.5 for a model without dropout). `options.net`, if given, is the
/// model, whatever `name` says; errors then also as net_entry. Errors: usage for `options.module`.
Config configure(std::string_view name, const Options& options = {});

/// Builds the model, a module that maps x [N, C, spatial...] to [N, outputs]; its arrays get values
/// when a State is asked for them (nn::declare). Layers whose size depends on the image are sized
/// for `input`. Errors: as configure; usage when the image is too small for the model, naming the
/// layer.
std::unique_ptr<nn::Module> make(std::string_view name, const Options& options = {});

/// `net` itself, which stays the caller's and must live as long, or if it is null the model that
/// `make` builds.
std::shared_ptr<const nn::Module> given_or_made(const nn::Module* net, std::string_view name,
                                                const Options& options = {});

}  // namespace fovea::models
