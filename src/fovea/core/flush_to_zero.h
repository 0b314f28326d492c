#pragma once

namespace fovea {

/// While it lives, denormals are zero on every thread of the team: arithmetic on them takes a
/// hundred times as long as on normal numbers.
class FlushToZero {
 public:
  FlushToZero();
  ~FlushToZero();
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
  unsigned before_;
};

}  // namespace fovea
