#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"

namespace fovea {

/// What a State array is for.
enum class Role : uint8_t {
  parameter,  ///< trained: named as the module tree names it, "layer1.0.conv1.weight"
  buffer,     ///< part of the model but not trained: running statistics, counters
  gradient,   ///< of a parameter: "grad:" and the parameter's name
  moment,     ///< of an optimiser: "momentum:" and the parameter's name, and the like
};

/// The named arrays that outlive a run: parameters, buffers, gradients, moments; plain layout.
/// Programs read and replace them; a module tree declares them (nn::declare), and each is filled
/// when it is first asked for, so declaring a large model costs nothing. Not thread-safe: one
/// State, one trainer.
class State {
 public:
  using Fill = std::function<void(Array&)>;

  State() = default;
  State(const State&) = delete;  // the arrays are handles: a copy would share them
  State& operator=(const State&) = delete;

  /// Makes `name` known. Without `fill` it starts at zero. The same name again with the same type
  /// is nothing new. Errors: usage when it is known with another type or role.
  void declare(const std::string& name, const Type& type, Role role, Fill fill = nullptr);

  bool contains(std::string_view name) const { return slots_.find(name) != slots_.end(); }
  /// The array, filled if this is its first use. Writing through it must be followed by `touch`.
  /// Errors: usage when the name is unknown, with the nearest names and what declares which.
  Array& get(std::string_view name);
  const Type& type(std::string_view name) const;
  Role role(std::string_view name) const;
  /// Replaces the array's data by a copy of `value`. Errors: usage when the type differs or the
  /// name is unknown.
  void set(std::string_view name, const Array& value);

  /// Forgets an array; handles on it stay valid. Errors: usage when the name is unknown.
  void remove(std::string_view name);

  /// The names of one role, in the order of declaration.
  std::vector<std::string> names(Role role) const;
  /// Elements of all arrays of a role, without filling any.
  int64_t count(Role role) const;

  /// Another number after every change, and in every State; what Programs keep of the State (packed
  /// weights, folded norms) is remade when it is not the one they know.
  uint64_t version() const { return version_; }
  void touch() { version_ = next_version(); }

 private:
  struct Slot {
    Type type;
    Role role = Role::parameter;
    uint64_t order = 0;
    Fill fill;
    bool filled = false;
    Array array;
  };
  const Slot& slot(std::string_view name) const;
  static uint64_t next_version();

  std::map<std::string, Slot, std::less<>> slots_;
  uint64_t declared_ = 0;  ///< arrays so far, removed ones included
  uint64_t version_ = next_version();
};

}  // namespace fovea
