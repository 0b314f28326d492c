#pragma once

#include <cstdio>
#include <string>

namespace fovea::data {

/// A header of a tar file, as `tar` writes it.
inline std::string tar_header(const std::string& name, size_t size, char type = '0',
                              const std::string& magic = std::string("ustar\0"
                                                                     "00",
                                                                     8)) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  char digits[16];
  std::snprintf(digits, sizeof digits, "%011zo", size);
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(124, digits);
  put(148, "        ");
  header[156] = type;
  put(257, magic);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(digits, sizeof digits, "%06o", sum);
  put(148, digits);
  header[154] = '\0';
  return header;
}

/// A member: its header and contents, padded to blocks of 512 bytes.
inline std::string tar_member(const std::string& name, const std::string& contents,
                              char type = '0') {
  std::string padded = contents;
  padded.resize((contents.size() + 511) / 512 * 512, '\0');
  return tar_header(name, contents.size(), type) + padded;
}

inline std::string tar_end() { return std::string(1024, '\0'); }

}  // namespace fovea::data
