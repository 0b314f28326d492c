#include "fovea/data/data_file.h"

#include <zlib.h>

#include <algorithm>

namespace fovea::data {
namespace {

constexpr size_t max_chunk = size_t{1} << 30;  // zlib counts in 32 bits
constexpr int64_t max_deflate_ratio = 1032;    // a match of 258 bytes in two bits

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

}  // namespace

Error bad_file(std::string_view what, const std::filesystem::path& path, int64_t offset,
               std::string_view expected, std::string_view found) {
  return Error(ErrorKind::data, std::string(what))
      .with("file", path.string())
      .with("offset", std::to_string(offset))
      .with("expected", expected)
      .with("found", found)
      .with("try", "a fresh copy of the file");
}

std::string bytes_text(int64_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

/// zlib's state over the stored bytes: inflate() gives the next bytes of all members.
struct DataFile::Gzip {
  DataFile& file;
  z_stream stream{};
  std::vector<std::byte> input = std::vector<std::byte>(size_t{1} << 16);
  bool at_end = false;  // a member is complete and nothing follows
  bool cut_short = false;
  const char* damage = nullptr;

  explicit Gzip(DataFile& stored) : file(stored) {
    constexpr int gzip_only = 16;
    if (inflateInit2(&stream, MAX_WBITS + gzip_only) != Z_OK) {
      throw Error(ErrorKind::memory, "cannot allocate memory to decompress gzip");
    }
  }
  ~Gzip() { inflateEnd(&stream); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  size_t inflate(std::span<std::byte> out) {
    size_t done = 0;
    while (done < out.size() && !at_end && !cut_short && damage == nullptr) {
      refill();
      const size_t room = std::min(out.size() - done, max_chunk);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream.avail_out = static_cast<uInt>(room);
      const int status = ::inflate(&stream, Z_NO_FLUSH);
      done += room - stream.avail_out;
      if (status == Z_STREAM_END) {
        next_member();
      } else if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_out > 0)) {
        refill();
        cut_short = stream.avail_in == 0;
      } else if (status != Z_OK) {
        damage = stream.msg != nullptr ? stream.msg : "cannot be decompressed";
      }
    }
    return done;
  }

  void refill() {
    if (stream.avail_in > 0) return;
    const size_t size = file.next_stored(input);
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(size);
  }

  void next_member() {
    refill();
    if (stream.avail_in == 0) {
      at_end = true;
    } else {
      inflateReset(&stream);
    }
  }
};

DataFile::DataFile(const std::filesystem::path& path, std::string_view format)
    : path_(path), format_(format), file_(path, ErrorKind::data), ahead_(2) {
  ahead_.resize(file_.read(ahead_));
  if (is_gzip(ahead_)) gzip_ = std::make_unique<Gzip>(*this);
}

DataFile::~DataFile() = default;

Error DataFile::error(std::string_view what, int64_t offset, std::string_view expected,
                      std::string_view found) const {
  return bad_file(format_ + " " + std::string(what), path_, offset, expected, found);
}

size_t DataFile::next(std::span<std::byte> out) {
  size_t count = 0;
  if (gzip_) {
    count = gzip_->inflate(out);
    if (gzip_->damage != nullptr) {
      throw error("is damaged", offset_ + static_cast<int64_t>(count), "an intact gzip stream",
                  gzip_->damage);
    }
  } else {
    count = next_stored(out);
  }
  offset_ += static_cast<int64_t>(count);
  return count;
}

/// The bytes as stored in the file.
size_t DataFile::next_stored(std::span<std::byte> out) {
  const size_t count = std::min(out.size(), ahead_.size());
  std::copy_n(ahead_.begin(), count, out.begin());
  ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(count));
  return count + file_.read(out.subspan(count));
}

void DataFile::read(std::span<std::byte> out, int64_t total, std::string_view meaning) {
  if (next(out) < out.size()) {
    throw error("is cut short", offset_, bytes_text(total) + " (" + std::string(meaning) + ")",
                bytes_text(offset_));
  }
}

void DataFile::expect_size(int64_t total, std::string_view meaning) const {
  const std::string expected = bytes_text(total) + " (" + std::string(meaning) + ")";
  if (!file_.size()) return;
  const auto size = static_cast<int64_t>(*file_.size());
  if (gzip_) {
    if (total / max_deflate_ratio > size) {
      throw error("is cut short", offset_, expected,
                  "a gzip file of " + bytes_text(size) + ", too few to hold them");
    }
  } else if (size < total) {
    throw error("is cut short", size, expected, bytes_text(size));
  } else if (size > total) {
    throw error("has bytes after its end", total, expected, bytes_text(size));
  }
}

void DataFile::expect_end(std::string_view meaning) {
  const std::string expected = bytes_text(offset_) + " (" + std::string(meaning) + ")";
  const int64_t end = offset_;
  std::byte extra{};
  if (next({&extra, 1}) != 0) {
    throw error("has bytes after its end", end, expected, "more");
  }
  if (gzip_ && gzip_->cut_short) {
    throw error("is cut short", end, "gzip's checksum and length after the last byte",
                "the end of the file");
  }
}

}  // namespace fovea::data
