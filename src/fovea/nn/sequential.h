#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea::nn {

/// Modules applied in order, named "0", "1", ... as in PyTorch, or with given names. If empty, it
/// returns its input.
///
///     head.add<nn::Flatten>();
///     head.add<nn::Linear>(features, 10);
///     head.add_named<nn::Softmax>("probabilities");
class Sequential : public Module {
 public:
  explicit Sequential(const Scope& scope) : Module(scope) {}

  /// Constructs an M from its scope and `args` and appends it. Messages about it name the line that
  /// defines this Sequential.
  template <std::derived_from<Module> M, class... Args>
  M& add(Args&&... args) {
    return add_named<M>(std::to_string(size()), std::forward<Args>(args)...);
  }
  /// The same with a given name. Errors: as Module.
  template <std::derived_from<Module> M, class... Args>
  M& add_named(std::string_view name, Args&&... args) {
    auto module = std::make_unique<M>(at(name, where()), std::forward<Args>(args)...);
    M& added = *module;
    modules_.push_back(std::move(module));
    return added;
  }

  size_t size() const { return modules_.size(); }
  Tensor forward(Tensor x) const override {
    for (const auto& module : modules_) x = (*module)(x);
    return x;
  }

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace fovea::nn
