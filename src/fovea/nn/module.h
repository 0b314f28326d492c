#pragma once

#include <concepts>
#include <ranges>
#include <source_location>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "fovea/nn/parameter.h"

namespace fovea::nn {

/// A part of a model: its parameters and buffers, the modules inside it, and what it computes.
///
///     /// Two layers with a relu between them.
///     class Mlp : public nn::Module {
///      public:
///       Mlp(nn::Scope s, int in, int classes)
///           : Module(s), fc1(at("fc1"), in, 128), fc2(at("fc2"), 128, classes) {}
///       Tensor forward(Tensor x) const override { return fc2(relu(fc1(x))); }
///       nn::Linear fc1, fc2;
///     };
///     Mlp net(nn::Scope("mlp"), 784, 10);
///
/// A module is constructed in its parent's constructor with a scope from `at`, which registers it:
/// that order is the order of all lists. It can neither be copied nor moved, and tracing never
/// changes it; train or eval is the graph's mode. Calling a module twice shares its weights.
class Module {
 public:
  /// Errors: usage when the parent already has a child of that name, or the name is empty or
  /// contains a dot.
  explicit Module(const Scope& scope);
  virtual ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// What the module computes, for modules with one input and one output. Others have their own
  /// `forward` and are called through `call`. Errors: internal when there is none.
  virtual Tensor forward(Tensor x) const;
  /// Runs `forward` as a call of this module (see Graph::calls), so that nodes and messages name
  /// it. Errors: usage when the shapes do not fit, naming this module and the line that defines it.
  Tensor operator()(Tensor x) const;

  /// The name within its parent, or the title of a root: "conv1".
  const std::string& name() const { return name_; }
  /// The dotted path from the root, excluding the root: "layer1.0.conv1".
  const std::string& path() const { return path_; }
  const Where& where() const { return where_; }
  /// The title of a graph that is traced from here: the names from the root to this module, such as
  /// "resnet18.layer1", so that title and scopes together are the path from the root.
  std::string title() const;

  /// The direct children, in the order in which they were constructed.
  const std::vector<Module*>& children() const { return children_; }
  /// All arrays of this module and the modules inside, as PyTorch's state_dict orders them: a
  /// module's parameters, its buffers, then its children. Each array is listed once, however often
  /// its module is called.
  std::vector<const Variable*> variables() const;
  /// The `variables` that are parameters, and those that are buffers.
  std::vector<const Variable*> parameters() const;
  std::vector<const Variable*> buffers() const;

 protected:
  /// The scope of a module or array inside this one. Inside a part of a net file, the file's line
  /// is more useful than a line of code, so it takes its place.
  Scope at(std::string_view name, const Where& where = std::source_location::current());

 private:
  friend class Scope;
  friend class Variable;
  friend class Entered;
  std::string full_name() const;
  void collect(std::vector<const Variable*>& into) const;
  void claim(const std::string& name) const;

  Module* parent_;
  std::string name_, path_;
  Where where_;
  std::vector<Module*> children_;
  std::vector<Variable*> variables_;
};

/// The Tensors in an argument or result of a module's `forward`, in order: the value itself, or
/// those in containers, pairs, tuples and optionals.
template <class T>
void collect_tensors(const T& value, Tensors& into) {
  if constexpr (std::convertible_to<const T&, Tensor>) {
    into.push_back(value);
  } else if constexpr (std::ranges::range<const T>) {
    if constexpr (!std::same_as<std::ranges::range_value_t<const T>, T>) {  // not for paths
      for (const auto& part : value) collect_tensors(part, into);
    }
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply([&](const auto&... parts) { (collect_tensors(parts, into), ...); }, value);
  } else if constexpr (requires { value.has_value(), *value; }) {
    if (value.has_value()) collect_tensors(*value, into);
  }
}

/// A call of `module`, open while it lives: see Graph::enter.
class Entered {
 public:
  Entered(Graph& graph, const Module& module, const Tensors& inputs = {});
  ~Entered() {
    if (open_) graph_.leave();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

  /// Closes the call with its `outputs`.
  void leave(const Tensors& outputs);

 private:
  Graph& graph_;
  bool open_ = true;
};

/// Calls a module whose `forward` does not map one Tensor to one Tensor:
/// `call(attention, query, key)`. The first argument must be a Tensor.
/// The class says `using Module::forward;` to hide none of its forms.
/// The graph records the inputs and outputs that collect_tensors finds,
/// so not Tensors in user-defined structs. Errors: as Module::operator().
template <std::derived_from<Module> M, class... Args>
auto call(const M& module, const Tensor& x, Args&&... args) {
  Tensors inputs{x}, outputs;
  (collect_tensors(args, inputs), ...);
  Entered entered(x.graph(), module, inputs);
  auto result = module.forward(x, std::forward<Args>(args)...);
  collect_tensors(result, outputs);
  entered.leave(outputs);
  return result;
}

/// Calls f(M&) for `root` and every module inside it that is an M, in the order of `children`.
template <std::derived_from<Module> M, class F>
void for_each(Module& root, const F& f) {
  if (auto* module = dynamic_cast<M*>(&root)) f(*module);
  for (Module* child : root.children()) for_each<M>(*child, f);
}

/// Declares every parameter and buffer of `module` in `state`, to be filled from (seed, name) on
/// first use. Batch counters are i64, all others have `dtype`, f32 or f64. Errors: usage when one
/// of the names is already declared with another type.
void declare(State& state, const Module& module, uint64_t seed, DType dtype = DType::f32);

}  // namespace fovea::nn
