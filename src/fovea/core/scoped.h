#pragma once

namespace fovea {

/// While it lives, a setting of the process has another value, also for the process's other
/// threads: `get` and `set` are its functions.
template <auto get, auto set>
class Scoped {
 public:
  explicit Scoped(decltype(get()) value) : previous_(get()) { set(value); }
  ~Scoped() { set(previous_); }
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  decltype(get()) previous_;
};

}  // namespace fovea
