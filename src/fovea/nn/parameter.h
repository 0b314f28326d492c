#pragma once

#include <functional>
#include <optional>
#include <source_location>
#include <string>

#include "fovea/core/random.h"
#include "fovea/graph/graph.h"
#include "fovea/runtime/state.h"

namespace fovea::nn {

class Module;

/// Fills an array with its initial values. `random` is the array's own stream, so that they depend
/// only on the seed, the array's name and its shape. See init.h.
using Initializer = std::function<void(Array& array, Random& random)>;

/// Initial values that depend on data: `fill` gets the array, with the values that its Initializer
/// drew, and the inputs of its module [samples, ...] for the first `samples` training samples.
/// Training uses it (see train/initialize.h); until then the drawn values stay.
struct DataInitializer {
  int64_t samples;  ///< fewer if there are not as many
  std::function<void(Array& array, const Array& inputs)> fill;
};

/// A position in a model: the parent, the name there, and the line that defines it. Made by
/// `Module::at`; for the root, from a title.
class Scope {
 public:
  /// The scope of an entire model. The title names it in messages and is not part of any array's
  /// name.
  explicit Scope(std::string title, Where where = std::source_location::current());

  /// "resnet18.layer1.0.conv1 (src/fovea/models/resnet.cpp:41)", for the "at" of a message.
  std::string describe() const;

 private:
  friend class Module;
  friend class Variable;
  Scope(Module* parent, std::string name, Where where);
  std::string path() const;

  Module* parent_ = nullptr;
  std::string name_;
  Where where_;
};

/// A named array of the State, as seen by a module: the base of Parameter and Buffer. Its module
/// lists it; it can neither be copied nor moved.
class Variable {
 public:
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  virtual ~Variable();

  /// The full dotted name, as in PyTorch's state_dict: "layer1.0.conv1.weight".
  const std::string& name() const { return name_; }
  const Shape& shape() const { return shape_; }
  Role role() const { return role_; }

  /// Its value in a graph being traced, in the graph's dtype (counters: i64). In a train graph a
  /// parameter is trainable.
  Tensor operator()(Graph& graph) const;
  /// Its value in the graph of `like`.
  Tensor operator()(const Tensor& like) const { return (*this)(like.graph()); }

  /// Replaces the layer's own initial values; for arrays that no State has filled yet.
  void initialize(Initializer initializer) { initializer_ = std::move(initializer); }
  /// Besides these, values that depend on data.
  void initialize(DataInitializer initializer) { data_initializer_ = std::move(initializer); }
  const std::optional<DataInitializer>& data_initializer() const { return data_initializer_; }
  /// The module that it is a part of.
  const Module& owner() const { return *owner_; }
  /// Declares it in `state`, with `dtype` unless it is a counter, to be filled from Random(seed,
  /// name) on first use. Errors: usage when the name is already declared with another type.
  void declare(State& state, uint64_t seed, DType dtype) const;

 protected:
  Variable(const Scope& scope, const Shape& shape, Initializer initializer, Role role,
           std::optional<DType> dtype);

 private:
  friend class Module;
  Module* owner_;
  std::string name_;
  Shape shape_;
  Initializer initializer_;
  std::optional<DataInitializer> data_initializer_;
  Role role_;
  std::optional<DType> dtype_;  ///< if it is not the graph's
};

/// A trained array.
class Parameter : public Variable {
 public:
  Parameter(const Scope& scope, const Shape& shape, Initializer initializer)
      : Variable(scope, shape, std::move(initializer), Role::parameter, std::nullopt) {}
};

/// The value of an optional parameter; no value if there is none.
inline Tensor optional_value(const std::optional<Parameter>& parameter, const Tensor& like) {
  return parameter ? (*parameter)(like) : Tensor();
}

/// An array that belongs to the model but is not trained: running statistics, counters.
class Buffer : public Variable {
 public:
  /// `dtype` is for buffers that do not have the graph's dtype: counters (i64).
  Buffer(const Scope& scope, const Shape& shape, Initializer initializer,
         std::optional<DType> dtype = std::nullopt)
      : Variable(scope, shape, std::move(initializer), Role::buffer, dtype) {}

  /// After each run of the graph of `value`, the buffer is replaced by that value.
  void update(const Tensor& value) const { value.graph().update(name(), value); }
};

}  // namespace fovea::nn
