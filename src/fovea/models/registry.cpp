#include "fovea/models/registry.h"

#include <fnmatch.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/families.h"

namespace fovea::models {
namespace {

std::vector<Entry>& entries() {
  static std::vector<Entry> all = [] {
    std::vector<Entry> result;
    for (const auto& family :
         {small_cnn, deeper_cnn, lenet_cnn, vgg_style_cnn, resnet_cifar, simple_cnn_224}) {
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

/// C, H, W of what was asked for, the default where nothing was.
Shape image_shape(std::string_view model, const Shape& usual, const Options& options) {
  const Shape given = options.input.value_or(usual);
  if (given.rank() != 2 && given.rank() != 3) {
    throw bad(model, "the input " + to_string(given) + " has " + std::to_string(given.rank()) +
                         " axes; C, H, W or H, W are expected");
  }
  const bool says_channels = options.input && given.rank() == 3;
  const int64_t channels = says_channels ? given[0] : options.in_channels.value_or(usual[0]);
  if (options.in_channels && *options.in_channels != channels) {
    throw bad(model, "the input " + to_string(given, "CHW") + " has " + std::to_string(channels) +
                         " channels, in_channels is " + std::to_string(*options.in_channels))
        .with("try", "one of the two alone");
  }
  const Shape shape{std::max<int64_t>(channels, 0), given[-2], given[-1]};
  require_positive(model, "the number of input channels", channels);
  require_positive(model, "the input's height", shape[1]);
  require_positive(model, "the input's width", shape[2]);
  return shape;
}

}  // namespace

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
  throw unknown_name("model", name, names).with("try", "fovea models, which lists all");
}

Config configure(std::string_view name, const Options& options) {
  Config config = entry(name).defaults;
  config.input = image_shape(name, config.input, options);
  config.classes = options.classes.value_or(config.classes);
  require_positive(name, "the number of classes", config.classes);
  if (options.dropout) {
    const double p = *options.dropout;
    if (config.dropout == 0 && p != 0) throw bad(name, "this model has no dropout");
    if (!(p >= 0 && p < 1)) {
      throw bad(name, "dropout is " + std::to_string(p) + ", from 0 up to 1 is allowed");
    }
    config.dropout = p;
  }
  return config;
}

std::unique_ptr<nn::Module> make(std::string_view name, const Options& options) {
  const Entry chosen = entry(name);
  return chosen.build(nn::Scope(chosen.name, chosen.where), configure(name, options));
}

}  // namespace fovea::models
