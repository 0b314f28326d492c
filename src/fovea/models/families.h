#pragma once

#include "fovea/models/choices.h"
#include "fovea/models/registry.h"

// What the model files share. Each defines the entries of one family, in a function named after the
// file; CMakeLists.txt lists the files, and the registry calls those functions.
namespace fovea::models {

/// The `build` of an entry whose model's constructor takes (Scope, Config, plan...); `plan` is what
/// tells the members of its family apart.
template <class Net, class... Plan>
auto build(const Plan&... plan) {
  return [=](const nn::Scope& scope, const Config& config) -> std::unique_ptr<nn::Module> {
    return std::make_unique<Net>(scope, config, plan...);
  };
}

/// Whether an output of this name is that of an auxiliary head, with a loss of its own in training.
inline bool is_auxiliary(std::string_view name) { return name.starts_with("aux"); }

/// Where the graph has side outputs, names a value of the net; in a training graph only that of an
/// auxiliary head.
void add_named_output(const std::string& name, const Tensor& value);

/// Where the graph has side outputs, adds the output of an auxiliary head for `x` under that name.
void add_side_output(const std::string& name, const nn::Module& head, const Tensor& x);

/// `channels` rounded to the nearest multiple of 8, at least 8, or up to the next one where that
/// would lose more than 10%: how nets with a width factor round (as TensorFlow's MobileNets do).
int64_t round_channels(double channels);

}  // namespace fovea::models
