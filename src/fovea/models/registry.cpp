#include "fovea/models/registry.h"

#include <fnmatch.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/families.h"
#include "fovea/models/net_file.h"

namespace fovea::models {
namespace {

std::vector<Entry>& entries() {
  static std::vector<Entry> all = [] {
    std::vector<Entry> result;
    for (const auto& family : {small_cnn,
                               deeper_cnn,
                               keras_cnn,
                               simple_cnn_224,
                               simple_cnn_gap,
                               simple_cnn_deep,
                               lenet_cnn,
                               vgg_style_cnn,
                               lenet5,
                               alexnet,
                               vgg,
                               googlenet,
                               inception_v3,
                               resnet,
                               densenet,
                               squeezenet,
                               mobilenet_v1,
                               mobilenet_v2,
                               mobilenet_v3,
                               shufflenet_v2,
                               efficientnet,
                               efficientnet_lite,
                               regnet,
                               convnext}) {
      for (Entry& entry : family()) result.push_back(std::move(entry));
    }
    return result;
  }();
  return all;
}

Error bad(std::string_view model, const std::string& what) {
  return {ErrorKind::usage, std::string(model) + ": " + what};
}

void require_positive(std::string_view model, const std::string& what, int64_t value) {
  if (value < 1) throw bad(model, what + " is " + std::to_string(value) + ", at least 1 is needed");
}

/// What was asked for of a probability whose default is `usual`, 0 where the model has none.
double probability(std::string_view model, const std::string& what, double usual,
                   const std::optional<double>& asked) {
  if (!asked) return usual;
  if (usual == 0 && *asked != 0) throw bad(model, "this model has no " + what);
  if (!(*asked >= 0 && *asked < 1)) {
    throw bad(model, what + " is " + std::to_string(*asked) + ", from 0 up to 1 is allowed");
  }
  return *asked;
}

/// The axes of an input of this rank: "C, H, W".
std::string axes_text(int rank) {
  std::string text = "C";
  for (const char axis : image_axes(rank + 1).substr(2)) text += std::string(", ") + axis;
  return text;
}

/// C, spatial... of what was asked for, the default where nothing was.
Shape input_shape(std::string_view model, const Shape& usual, const Options& options) {
  constexpr int most = 4;  // channels and three spatial axes
  const Shape given = options.input.value_or(usual);
  const bool any_rank = options.net != nullptr && given.rank() >= 1 && given.rank() <= most;
  const bool images = given.rank() == 2 && usual.rank() == 3 && !any_rank;  // H, W
  if (given.rank() != usual.rank() && !any_rank && !images) {
    throw bad(model, "the input " + to_string(given) + " has " + std::to_string(given.rank()) +
                         " axes; " + axes_text(usual.rank()) +
                         (usual.rank() == 3 ? " or H, W are expected" : " are expected"));
  }
  const bool says_channels = options.input && !images;
  const int64_t channels = says_channels ? given[0] : options.in_channels.value_or(usual[0]);
  if (options.in_channels && *options.in_channels != channels) {
    throw bad(model, "the input " + to_string(given, "CHW") + " has " + std::to_string(channels) +
                         " channels, in_channels is " + std::to_string(*options.in_channels))
        .with("try", "one of the two alone");
  }
  const Shape shape = Shape{std::max<int64_t>(channels, 0)}.concat(images ? given : given.slice(1));
  require_positive(model, "the number of input channels", channels);
  for (int i = 1; i < shape.rank(); ++i) {
    const bool image = shape.rank() == 3;
    require_positive(model,
                     image ? i == 1 ? "the input's height" : "the input's width"
                           : "axis " + std::to_string(i) + " of the input",
                     shape[i]);
  }
  return shape;
}

Entry chosen(std::string_view name, const Options& options) {
  return options.net ? net_entry(*options.net) : entry(name);
}

Config configure(const Entry& model, const Options& options) {
  const std::string& name = model.name;
  Config config = model.defaults;
  config.input = input_shape(name, config.input, options);
  config.classes = options.classes.value_or(config.classes);
  require_positive(name, "the number of classes", config.classes);
  config.dropout = probability(name, "dropout", config.dropout, options.dropout);
  config.drop_path = probability(name, "drop path", config.drop_path, options.drop_path);
  if (options.width) {
    const double width = *options.width;
    if (!config.width) throw bad(name, "this model comes in one width only");
    if (!(width > 0 && width < 100)) {
      throw bad(name,
                "the width is " + std::to_string(width) + ", above 0 and below 100 is allowed");
    }
    config.width = width;
  }
  if (options.aux) {
    if (!config.aux && *options.aux) throw bad(name, "this model has no auxiliary heads");
    if (config.aux) config.aux = options.aux;
  }
  if (options.stem) {
    if (!config.stem) throw bad(name, "this model has one stem only");
    if (*options.stem != "imagenet" && *options.stem != "cifar") {
      throw bad(name, "the stem is \"" + *options.stem + "\", imagenet or cifar is expected");
    }
    config.stem = options.stem;
  }
  return config;
}

}  // namespace

Config::~Config() = default;

std::vector<Entry> list(std::string_view glob) {
  std::vector<Entry> matching;
  std::copy_if(entries().begin(), entries().end(), std::back_inserter(matching),
               [pattern = std::string(glob)](const Entry& e) {
                 return fnmatch(pattern.c_str(), e.name.c_str(), 0) == 0;
               });
  return matching;
}

void add(Entry added) {
  for (const Entry& e : entries()) {
    if (e.name == added.name) throw bad(added.name, "a model of this name is in the registry");
  }
  entries().push_back(std::move(added));
}

Entry entry(std::string_view name) {
  std::vector<std::string> names;
  for (const Entry& e : entries()) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw unknown_name("model", name, names)
      .with("try",
            "fovea models, which lists all; a net of your own: NET.toml, or models::add in C++");
}

Config configure(std::string_view name, const Options& options) {
  return configure(chosen(name, options), options);
}

std::unique_ptr<nn::Module> make(std::string_view name, const Options& options) {
  const Entry model = chosen(name, options);
  return model.build(nn::Scope(model.name, model.where), configure(model, options));
}

}  // namespace fovea::models
