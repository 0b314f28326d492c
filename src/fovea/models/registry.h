#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea::models {

/// A model as a text, which models/net_file.h reads.
struct NetText {
  std::string file = {};  ///< that it is from: for messages, and the model's name by default
  std::string text = {};  ///< TOML
};

/// What may be chosen about a model. What is left out is as its entry says.
struct Options {
  std::optional<int64_t> classes = {};      ///< at least 1
  std::optional<int64_t> in_channels = {};  ///< at least 1; the input's when `input` says it
  std::optional<Shape> input = {};          ///< of one image: C, H, W or H, W; each at least 1
  std::optional<double> dropout = {};       ///< from 0 up to 1; only 0 for a model that has none
  std::optional<double> drop_path = {};     ///< the same, of whole blocks (stochastic depth)
  std::optional<double> width = {};         ///< above 0, below 100; for models that come in widths
  std::optional<bool> aux = {};             ///< only false for a model that has no such heads
  std::optional<std::string> stem = {};     ///< "imagenet" or "cifar"; for models that have both
  std::shared_ptr<const NetText> net = {};  ///< of a model that is not of the registry, or none
};

/// All that a model is built from, nothing left open: what a model file has to remember.
struct Config {
  int64_t classes = 10;
  Shape input{3, 32, 32};  ///< of one image: C, H, W
  double dropout = 0;      ///< 0 also where the model has none
  double drop_path = 0;    ///< of the last block, less before it; 0 also where the model has none
  /// What all numbers of channels are multiplied with, before they are rounded to multiples of 8;
  /// nothing where the model has no such choice.
  std::optional<double> width = {};
  /// Whether there are auxiliary heads: outputs "aux1", ... of a train graph, for losses of their
  /// own. Nothing where the model has no such choice.
  std::optional<bool> aux = {};
  /// How the net begins: "imagenet", which quarters the image, or "cifar", which keeps its size,
  /// for those of 32x32. Nothing where the model has no such choice.
  std::optional<std::string> stem = {};
  std::shared_ptr<const NetText> net = {};  ///< of a model that a text describes, or none

  ~Config();  // out of line: GCC 12 warns of what an inline one does in lists of entries

  /// The choices that make the same model again: `make(name, config)`.
  operator Options() const {
    return {.classes = classes,
            .input = input,
            .dropout = dropout,
            .drop_path = drop_path,
            .width = width,
            .aux = aux,
            .stem = stem,
            .net = net};
  }
};

/// One model of the registry, or one that a text describes.
struct Entry {
  std::string name;
  Config defaults;
  std::function<std::unique_ptr<nn::Module>(const nn::Scope&, const Config&)> build;
  Where where = std::source_location::current();
};

/// The entries whose name matches `glob` ("*", "res*", "resnet[13]*"), in the registry's order.
std::vector<Entry> list(std::string_view glob = "*");

/// Puts a model of your own behind the others, so that train::train and model files know it by its
/// name. Not thread-safe: before anything is made. Errors: usage when the name is taken.
///
///     models::add({"dot_net", {.classes = 2, .input = {1, 8, 8}},
///                  [](const nn::Scope& s, const models::Config& c) {
///                    return std::make_unique<DotNet>(s, c.classes);
///                  }});
void add(Entry entry);

/// The entry of that name. Errors: usage when there is none, with the nearest names.
Entry entry(std::string_view name);

/// The entry's defaults with what `options` chooses. Errors: usage for an unknown name, a value out
/// of range, an input of another rank, in_channels that contradicts the input, or a choice that the
/// model does not have (dropout for one without). With `options.net` the model is that one,
/// whatever `name` says; errors then also as net_entry.
Config configure(std::string_view name, const Options& options = {});

/// The model, a module that takes x [N, C, H, W] and gives logits [N, classes]; its arrays get
/// values when a State is asked for them (nn::declare). Layers whose size depends on the image are
/// sized for `input`. Errors: as configure; usage when the image is smaller than such a model can
/// take, naming the layer.
std::unique_ptr<nn::Module> make(std::string_view name, const Options& options = {});

}  // namespace fovea::models
