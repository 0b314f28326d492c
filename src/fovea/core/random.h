#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fovea {

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four 32-bit
/// words from a 128-bit counter and a 64-bit key. A pure function: the same counter and key give
/// the same bits, on any thread.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A 64-bit hash of text (FNV-1a and a final mix), the same on every machine: it turns names and
/// purposes into keys.
uint64_t hash(std::string_view text);

/// A stream of random numbers named by (seed, purpose, index), without outside state: what one
/// sample or step draws does not depend on earlier draws of others. `index` is the step, the epoch
/// or the sample.
class Random {
 public:
  Random(uint64_t seed, std::string_view purpose, uint64_t index = 0);

  uint32_t bits();
  uint64_t bits64() {
    const uint64_t high = bits();
    return (high << 32) | bits();
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits64() >> 11) * 0x1p-53; }
  /// Uniform integer in [0, n), without bias; n >= 1.
  uint64_t below(uint64_t n);
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace fovea
