#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fovea {

/// SHA-256 (FIPS 180-4) of bytes that come in parts: compares downloads with published checksums.
class Sha256 {
 public:
  void add(std::span<const std::byte> bytes);
  /// The digest of all bytes added, as 64 lowercase hex digits. Nothing may be added afterwards.
  std::string finish();

 private:
  void block(const std::byte* bytes);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_{};
  size_t used_ = 0;  ///< of pending_
  uint64_t total_ = 0;
};

}  // namespace fovea
