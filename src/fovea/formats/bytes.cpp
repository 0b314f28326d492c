#include "fovea/formats/bytes.h"

namespace fovea {

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    const size_t tail = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || tail > text.size() - i) return false;
    uint32_t point = lead & (0x3fu >> tail);
    for (size_t k = 0; k < tail; ++k, ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if (byte >> 6 != 2) return false;
      point = point << 6 | (byte & 0x3fu);
    }
    constexpr uint32_t minimum[] = {0, 0x80, 0x800, 0x10000};
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    if (point < minimum[tail] || point > 0x10ffff || surrogate) return false;
  }
  return true;
}

}  // namespace fovea
