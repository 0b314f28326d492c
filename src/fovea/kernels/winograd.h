#pragma once

namespace fovea {

/// When convolutions are computed by Winograd's algorithm, F(4x4, 3x3): with fewer products, and in
/// f32 a few times the rounding error of a direct convolution.
enum class Winograd {
  never,
  where_faster,  ///< than a direct convolution: the default
  always,        ///< wherever it can compute a problem at all: for tests and measurements
};

/// Sets it for all kernels that are chosen from now on, Fovea's own and oneDNN's. Programs that are
/// compiled already keep theirs.
void set_winograd(Winograd choice);
Winograd winograd();

/// While it lives, the choice is this one, also for the process's other threads.
class WinogradScope {
 public:
  explicit WinogradScope(Winograd choice) : previous_(winograd()) { set_winograd(choice); }
  ~WinogradScope() { set_winograd(previous_); }
  WinogradScope(const WinogradScope&) = delete;
  WinogradScope& operator=(const WinogradScope&) = delete;

 private:
  Winograd previous_;
};

}  // namespace fovea
