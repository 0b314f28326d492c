#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea::nn {

/// Modules one after another, named "0", "1", ... as in PyTorch. Empty, it gives its input.
///
///     head.add<nn::Flatten>();
///     head.add<nn::Linear>(features, 10);
class Sequential : public Module {
 public:
  explicit Sequential(const Scope& scope) : Module(scope) {}

  /// Makes an M of its scope and `args` and appends it. Messages about it name the line where this
  /// Sequential is defined.
  template <std::derived_from<Module> M, class... Args>
  M& add(Args&&... args) {
    auto module =
        std::make_unique<M>(at(std::to_string(size()), where()), std::forward<Args>(args)...);
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
