#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace fovea::data {

/// A regular file in a tar file.
struct TarMember {
  std::string name;
  int64_t offset = 0;  ///< of its contents in the tar file
  int64_t size = 0;
};

/// The regular files in a tar file (ustar, pax and GNU, as `tar`, Python and WebDataset write it),
/// in order; folders, links and devices are skipped. Nothing is trusted: sizes are checked before
/// anything is read for them. Errors: data, naming the file and the offset, for a damaged header,
/// contents that end too early, names beyond 64 KiB and compressed or other files.
class TarReader {
 public:
  /// Fills `out` with the bytes from `offset`, which grows from call to call; returns how many
  /// there were, fewer only at the end.
  using Read = std::function<size_t(int64_t offset, std::span<std::byte> out)>;

  /// `size`: of the contents, if known. `path` stands for them in messages.
  TarReader(std::filesystem::path path, Read read, std::optional<int64_t> size);

  /// The next file; none at the end.
  std::optional<TarMember> next();
  /// The contents of the file that `next` returned last, of at most `limit` bytes.
  std::string contents(const TarMember& member, int64_t limit);

 private:
  struct Header;
  std::optional<Header> read_header();
  void read_pax(const std::string& records, int64_t offset, TarMember& next) const;
  [[noreturn]] void fail(std::string_view what, int64_t offset, std::string_view expected,
                         std::string_view found) const;

  std::filesystem::path path_;
  Read read_;
  std::optional<int64_t> size_;
  int64_t position_ = 0;  ///< of the next header
};

}  // namespace fovea::data
