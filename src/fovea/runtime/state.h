#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"
#include "fovea/runtime/array_pool.h"

namespace fovea {

/// What a State array is for.
enum class Role : uint8_t {
  parameter,  ///< trained; named by its path in the module tree, "layer1.0.conv1.weight"
  buffer,     ///< part of the model but not trained: running statistics, counters
  gradient,   ///< of a parameter: "grad:" followed by the parameter's name
  moment,     ///< of an optimiser: "momentum:" followed by the parameter's name, and the like
};

/// The named arrays that outlive a run: parameters, buffers, gradients,
/// moments; plain layout. Programs read and replace them; a module tree
/// declares them (nn::declare), and each is filled on first use, so declaring
/// a large model costs nothing. Not thread-safe: one State, one trainer.
class State {
 public:
  using Fill = std::function<void(Array&)>;

  State() = default;
  State(const State&) = delete;  // the arrays are handles: a copy would share them
  State& operator=(const State&) = delete;

  /// Declares `name`. Without `fill` it starts at zero. Declaring it again with the same type has
  /// no effect. Errors: usage when it is declared with another type or role.
  void declare(const std::string& name, const Type& type, Role role, Fill fill = nullptr);

  bool contains(std::string_view name) const { return slots_.find(name) != slots_.end(); }
  /// The array, filled if this is its first use. Writing through it, or assigning to it, must be
  /// followed by `touch`.
  /// Errors: usage when the name is unknown, with the nearest names and what declares them.
  Array& get(std::string_view name);
  const Type& type(std::string_view name) const;
  Role role(std::string_view name) const;
  /// Replaces the array's data by a copy of `value`. Errors: usage when the type differs or the
  /// name is unknown.
  void set(std::string_view name, const Array& value);

  /// Removes an array; handles to it stay valid. Errors: usage when the name is unknown.
  void remove(std::string_view name);

  /// The names of one role, in the order of declaration.
  std::vector<std::string> names(Role role) const;
  /// The number of elements in all arrays of a role, without filling any.
  int64_t count(Role role) const;

  /// A number that is unique to each State and each change of it, and to each change of one array.
  uint64_t version() const { return version_; }
  uint64_t version(std::string_view name) const;
  /// To be called when arrays have been written to through `get`: all of them, or this one.
  void touch() { version_ = touched_ = next_version(); }
  void touch(std::string_view name);

  /// What Programs derive from arrays, such as packed weights and folded norms, to be computed
  /// again when the version of one of them is another.
  struct Derived {
    std::shared_ptr<std::byte> data;
    std::vector<uint64_t> versions;  ///< of the arrays that it was computed from; empty: not yet
  };
  /// The data with this key, the same for all Programs that ask for it, as long as one holds it.
  std::shared_ptr<Derived> derived(const std::string& key, size_t bytes);
  /// To be held while derived data are looked up and computed: threads that only run Programs may
  /// share a State.
  std::mutex& deriving() { return deriving_; }

 private:
  struct Slot {
    Type type;
    Role role = Role::parameter;
    uint64_t order = 0;
    Fill fill;
    bool filled = false;
    uint64_t version = 0;
    Array array;
  };
  const Slot& slot(std::string_view name) const;
  static uint64_t next_version();

  /// A hash table: a run after a change looks up all its arrays, whose names begin alike.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  std::unordered_map<std::string, Slot, Hash, std::equal_to<>> slots_;
  ArrayPool pool_;
  uint64_t declared_ = 0;  ///< arrays declared so far, including removed ones
  uint64_t version_ = next_version();
  uint64_t touched_ = version_;  ///< the version of arrays that have not changed since
  std::map<std::string, std::weak_ptr<Derived>, std::less<>> derived_;
  std::mutex deriving_;
};

}  // namespace fovea
