#include "fovea/formats/zip.h"

#include <fmt/format.h>

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "fovea/core/array.h"
#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"

namespace fovea {
namespace {

using Bytes = std::span<const std::byte>;

// Each record begins with its signature and has at least its size, in bytes.
constexpr uint32_t local_signature = 0x04034b50;
constexpr uint32_t central_signature = 0x02014b50;
constexpr uint32_t end_signature = 0x06054b50;
constexpr uint32_t end64_signature = 0x06064b50;
constexpr uint32_t locator_signature = 0x07064b50;
constexpr size_t local_size = 30, central_size = 46, end_size = 22, end64_size = 56;
constexpr size_t locator_size = 20;

constexpr uint16_t zip64_extra = 1;
constexpr uint16_t utf8_flag = 0x800;
constexpr uint16_t first_day = 0x21;       // 1 January 1980, the earliest possible date
constexpr uint16_t first_with_zip64 = 45;  // version 4.5 of the format

/// The value of a field whose number is in the zip64 part.
template <class T>
constexpr T elsewhere = std::numeric_limits<T>::max();

struct Range {
  uint64_t begin, end;
};

class ZipReader {
 public:
  ZipReader(Bytes bytes, const std::string& file, ErrorKind kind)
      : bytes_(bytes), file_(file), kind_(kind) {}

  std::vector<ZipEntry> read() {
    const size_t count = find_directory();
    std::vector<ZipEntry> entries;
    std::vector<Range> places;
    for (size_t i = 0; i < count; ++i) entries.push_back(read_entry(places));
    if (at_ != directory_.end) fail("its directory has more entries than it counts");
    check_apart(entries, places);
    return entries;
  }

 private:
  /// Finds the end records and sets `directory_`; returns the number of entries.
  size_t find_directory() {
    const size_t end = find_end();
    const Bytes record = bytes_.subspan(end);
    const auto count16 = little_endian<uint16_t>(record.subspan(10));
    const auto size32 = little_endian<uint32_t>(record.subspan(12));
    const auto begin32 = little_endian<uint32_t>(record.subspan(16));
    uint64_t count = count16, size = size32, begin = begin32, limit = end;
    if (const Bytes locator = record_before(end, locator_size, locator_signature);
        !locator.empty()) {
      limit = end - locator_size - std::min(end - locator_size, end64_size);
      const Bytes end64 = record_before(end - locator_size, end64_size, end64_signature);
      if (end64.empty() || little_endian<uint64_t>(locator.subspan(8)) != limit) {
        fail("its zip64 end record is not where it should be");
      }
      count = little_endian<uint64_t>(end64.subspan(32));
      size = little_endian<uint64_t>(end64.subspan(40));
      begin = little_endian<uint64_t>(end64.subspan(48));
      const auto differs = [](auto field, uint64_t value) {
        return field != elsewhere<decltype(field)> && field != value;
      };
      if (differs(count16, count) || differs(size32, size) || differs(begin32, begin)) {
        fail("its two end records contradict each other");
      }
    }
    if (size > limit || begin != limit - size) {
      fail(fmt::format(
          "its directory of {} bytes at {} does not end where the end record begins, at {}", size,
          begin, limit));
    }
    if (count > size / central_size || count > max_zip_entries) {
      fail(fmt::format("it claims to have {} entries, more than it can hold", count));
    }
    directory_ = {begin, limit};
    at_ = begin;
    return count;
  }

  /// Where the end record is: the last one whose comment reaches to the end of the file.
  size_t find_end() const {
    constexpr size_t longest_comment = 65535;
    for (size_t tail = end_size; tail <= std::min(bytes_.size(), end_size + longest_comment);
         ++tail) {
      const Bytes record = bytes_.last(tail);
      if (little_endian<uint32_t>(record) == end_signature &&
          little_endian<uint16_t>(record.subspan(20)) == tail - end_size) {
        return bytes_.size() - tail;
      }
    }
    fail("it begins like a zip archive but does not end like one: it is truncated or damaged");
  }

  /// The record of that size and signature that ends at `end`, else empty.
  Bytes record_before(size_t end, size_t size, uint32_t signature) const {
    if (end < size) return {};
    const Bytes record = bytes_.subspan(end - size, size);
    return little_endian<uint32_t>(record) == signature ? record : Bytes();
  }

  /// The `size` bytes at `at`, which must end before `end`.
  Bytes part(uint64_t at, uint64_t size, uint64_t end, const std::string& what) const {
    if (at > end || size > end - at) fail(fmt::format("{} reaches beyond byte {}", what, end));
    return bytes_.subspan(at, size);
  }

  /// The entry of the next central record.
  ZipEntry read_entry(std::vector<Range>& places) {
    const Bytes record = part(at_, central_size, directory_.end, "its directory");
    if (little_endian<uint32_t>(record) != central_signature) fail("its directory is damaged");
    const auto name_size = little_endian<uint16_t>(record.subspan(28));
    const auto extra_size = little_endian<uint16_t>(record.subspan(30));
    const auto comment_size = little_endian<uint16_t>(record.subspan(32));
    const Bytes tail = part(at_ + central_size, uint64_t{name_size} + extra_size + comment_size,
                            directory_.end, "its directory");
    at_ += central_size + tail.size();
    const std::string_view name(reinterpret_cast<const char*>(tail.data()), name_size);
    const std::string shown = fmt::format("\"{}\"", printable(name));
    if ((little_endian<uint16_t>(record.subspan(8)) & 1) != 0) fail(shown + " is encrypted");
    const bool compressed = little_endian<uint16_t>(record.subspan(10)) != 0;
    Bytes extra = zip64_numbers(tail.subspan(name_size, extra_size));
    const uint64_t size = number_at(record, 24, extra, shown);
    const uint64_t stored = number_at(record, 20, extra, shown);
    const uint64_t begin = number_at(record, 42, extra, shown);
    if (!compressed && size != stored) fail(shown + " has contradictory sizes");
    const Bytes data = data_of(name, begin, stored, compressed);
    places.push_back({begin, static_cast<uint64_t>(data.data() - bytes_.data()) + stored});
    return {name, data, compressed};
  }

  /// The contents of the zip64 part among an entry's extra parts; empty if there is none.
  static Bytes zip64_numbers(Bytes extra) {
    while (extra.size() >= 4) {
      const size_t size =
          std::min<size_t>(little_endian<uint16_t>(extra.subspan(2)), extra.size() - 4);
      if (little_endian<uint16_t>(extra) == zip64_extra) return extra.subspan(4, size);
      extra = extra.subspan(4 + size);
    }
    return {};
  }

  /// The 32-bit number in `record`, or the next of the 64-bit ones, which it consumes.
  uint64_t number_at(Bytes record, size_t offset, Bytes& zip64, const std::string& shown) const {
    const auto number = little_endian<uint32_t>(record.subspan(offset));
    if (number != elsewhere<uint32_t>) return number;
    if (zip64.size() < sizeof(uint64_t)) fail(shown + " lacks a number in its zip64 part");
    const auto value = little_endian<uint64_t>(zip64);
    zip64 = zip64.subspan(sizeof(uint64_t));
    return value;
  }

  /// The data after the local record at `begin`, which must not say compressed if the directory
  /// says stored.
  Bytes data_of(std::string_view name, uint64_t begin, uint64_t size, bool compressed) const {
    const std::string shown = fmt::format("\"{}\"", printable(name));
    const uint64_t end = directory_.begin;
    const Bytes record = part(begin, local_size, end, shown);
    const auto name_size = little_endian<uint16_t>(record.subspan(26));
    const auto extra_size = little_endian<uint16_t>(record.subspan(28));
    const Bytes own = part(begin + local_size, name_size, end, shown);
    const bool same =
        name == std::string_view(reinterpret_cast<const char*>(own.data()), name_size);
    if (little_endian<uint32_t>(record) != local_signature || !same ||
        (!compressed && little_endian<uint16_t>(record.subspan(8)) != 0)) {
      fail(fmt::format("{} is not where the directory says, at byte {}", shown, begin));
    }
    return part(begin + local_size + name_size + extra_size, size, end, shown);
  }

  void check_apart(const std::vector<ZipEntry>& entries, std::vector<Range> places) const {
    std::vector<std::string_view> names;
    for (const ZipEntry& entry : entries) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail(fmt::format("two entries are called \"{}\"", printable(*twice)));
    std::sort(places.begin(), places.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    const auto over = std::adjacent_find(
        places.begin(), places.end(),
        [](const Range& before, const Range& after) { return after.begin < before.end; });
    if (over != places.end())
      fail(fmt::format("two entries overlap, at byte {}", std::next(over)->begin));
  }

  Error error(const std::string& what) const { return {kind_, fmt::format("{}: {}", file_, what)}; }
  [[noreturn]] void fail(const std::string& what) const {
    throw error(what).with("file", fmt::format("{} bytes", bytes_.size()));
  }

  Bytes bytes_;
  const std::string& file_;
  ErrorKind kind_;
  Range directory_{};
  uint64_t at_ = 0;  ///< of the next record of the directory
};

/// Version, flags, method, time and date: what a local and a central record have in common.
void append_common(std::string& to) {
  append_little_endian(to, first_with_zip64);
  append_little_endian(to, utf8_flag);
  append_little_endian(to, uint16_t{0});  // stored
  append_little_endian(to, uint16_t{0});  // midnight
  append_little_endian(to, first_day);
}

/// A 32-bit number; a larger one goes to the zip64 part.
void append_number(std::string& to, uint64_t number, std::string& zip64) {
  const bool fits = number < elsewhere<uint32_t>;
  append_little_endian(to, fits ? static_cast<uint32_t>(number) : elsewhere<uint32_t>);
  if (!fits) append_little_endian(zip64, number);
}

void append_extra(std::string& to, uint16_t id, const std::string& contents) {
  append_little_endian(to, id);
  append_little_endian(to, static_cast<uint16_t>(contents.size()));
  to += contents;
}

/// The local record of an entry at `at`, padded so that its data begins at a multiple of 64 bytes.
std::string local_record(const ZipEntry& entry, uint32_t checksum, uint64_t at) {
  constexpr uint16_t padding_extra = 0x4246;  // "FB", which PyTorch pads with
  constexpr size_t extra_head = 4;
  std::string record, zip64, extra;
  append_little_endian(record, local_signature);
  append_common(record);
  append_little_endian(record, checksum);
  append_number(record, entry.data.size(), zip64);
  append_number(record, entry.data.size(), zip64);
  append_little_endian(record, static_cast<uint16_t>(entry.name.size()));
  if (!zip64.empty()) append_extra(extra, zip64_extra, zip64);
  const uint64_t data = at + local_size + entry.name.size() + extra.size() + extra_head;
  append_extra(extra, padding_extra, std::string(align_up(data) - data, '\0'));
  append_little_endian(record, static_cast<uint16_t>(extra.size()));
  record += entry.name;
  return record + extra;
}

std::string central_record(const ZipEntry& entry, uint32_t checksum, uint64_t at) {
  std::string record, zip64, extra, place;
  append_little_endian(record, central_signature);
  append_little_endian(record, first_with_zip64);
  append_common(record);
  append_little_endian(record, checksum);
  append_number(record, entry.data.size(), zip64);
  append_number(record, entry.data.size(), zip64);
  append_number(place, at, zip64);
  if (!zip64.empty()) append_extra(extra, zip64_extra, zip64);
  append_little_endian(record, static_cast<uint16_t>(entry.name.size()));
  append_little_endian(record, static_cast<uint16_t>(extra.size()));
  record.append(10, '\0');  // no comment, disk 0, no attributes
  record += place;
  record += entry.name;
  return record + extra;
}

/// The records after a directory at offset `at`.
std::string end_records(uint64_t count, uint64_t size, uint64_t at) {
  std::string records, unused;
  append_little_endian(records, end64_signature);
  append_little_endian(records, uint64_t{end64_size - 12});  // of what follows
  append_little_endian(records, first_with_zip64);
  append_little_endian(records, first_with_zip64);
  records.append(8, '\0');  // disks
  for (const uint64_t number : {count, count, size, at}) append_little_endian(records, number);

  append_little_endian(records, locator_signature);
  append_little_endian(records, uint32_t{0});
  append_little_endian(records, at + size);
  append_little_endian(records, uint32_t{1});

  append_little_endian(records, end_signature);
  append_little_endian(records, uint32_t{0});
  const auto count16 = static_cast<uint16_t>(std::min<uint64_t>(count, elsewhere<uint16_t>));
  append_little_endian(records, count16);
  append_little_endian(records, count16);
  append_number(records, size, unused);
  append_number(records, at, unused);
  append_little_endian(records, uint16_t{0});
  return records;
}

}  // namespace

std::span<const std::byte> stored_data(const ZipEntry& entry, const std::string& file,
                                       ErrorKind kind) {
  if (!entry.compressed) return entry.data;
  throw Error(kind, fmt::format("{}: \"{}\" is compressed, which is not supported", file,
                                printable(entry.name)))
      .with("try", "numpy.savez instead of numpy.savez_compressed; torch.save again; or zip -0");
}

std::vector<ZipEntry> read_zip(std::span<const std::byte> bytes, const std::string& file,
                               ErrorKind kind) {
  return ZipReader(bytes, file, kind).read();
}

void write_zip(const Sink& sink, std::span<const ZipEntry> entries) {
  std::string directory;
  uint64_t at = 0;
  for (const ZipEntry& entry : entries) {
    const auto checksum = static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(entry.data.data()), entry.data.size()));
    const std::string record = local_record(entry, checksum, at);
    directory += central_record(entry, checksum, at);
    sink(std::as_bytes(std::span(record)));
    sink(entry.data);
    at += record.size() + entry.data.size();
  }
  const std::string tail = directory + end_records(entries.size(), directory.size(), at);
  sink(std::as_bytes(std::span(tail)));
}

}  // namespace fovea
