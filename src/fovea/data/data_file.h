#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/files.h"

namespace fovea::data {

/// The data error for a malformed file: WHAT, then the lines file, offset, expected, found and try.
Error bad_file(std::string_view what, const std::filesystem::path& path, int64_t offset,
               std::string_view expected, std::string_view found);

/// "1 byte", "12 bytes".
std::string bytes_text(int64_t count);

/// The contents of a data file from front to back, decompressed if it begins with gzip's magic
/// number (several gzip members count as one file). Offsets are those of the decompressed contents.
/// expect_size checks what a header claims before memory is allocated for it; no more is
/// decompressed than is requested.
class DataFile {
 public:
  /// `format` begins every headline: "IDX file". Errors: data when the file is missing or
  /// unreadable.
  DataFile(const std::filesystem::path& path, std::string_view format);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  /// Fills `out` with the next bytes. Errors: data when the contents end early, saying that `total`
  /// bytes were expected (`meaning` says why), or the gzip stream is damaged.
  void read(std::span<std::byte> out, int64_t total, std::string_view meaning);

  /// Fills `out` as far as there are bytes, and returns how many there were. Errors: data.
  size_t read_some(std::span<std::byte> out) { return next(out); }

  /// Refuses a `total` that the contents cannot have: one that differs from the file's size or, for
  /// gzip, exceeds what a stream of its length can hold. A pipe has no size to check against.
  void expect_size(int64_t total, std::string_view meaning) const;

  /// Checks that nothing follows, and gzip's checksum. Errors: data.
  void expect_end(std::string_view meaning);

  /// bad_file for this file: WHAT follows the format in the headline.
  Error error(std::string_view what, int64_t offset, std::string_view expected,
              std::string_view found) const;

 private:
  struct Gzip;

  size_t next(std::span<std::byte> out);
  size_t next_stored(std::span<std::byte> out);

  std::filesystem::path path_;
  std::string format_;
  InputFile file_;
  std::vector<std::byte> ahead_;  ///< read ahead to detect gzip
  int64_t offset_ = 0;
  std::unique_ptr<Gzip> gzip_;
};

}  // namespace fovea::data
