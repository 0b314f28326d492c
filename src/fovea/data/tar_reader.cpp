#include "fovea/data/tar_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/data_file.h"

namespace fovea::data {
namespace {

constexpr int64_t block = 512;
constexpr int64_t longest_name = int64_t{64} << 10, longest_records = int64_t{1} << 20;
constexpr int64_t largest_member = int64_t{1} << 60;

using Block = std::array<std::byte, block>;

std::string_view text_at(const Block& bytes, size_t at, size_t size) {
  const std::string_view field(reinterpret_cast<const char*>(bytes.data()) + at, size);
  return field.substr(0, field.find('\0'));
}

/// Octal digits between spaces, or (GNU) 255 bits most significant first after a set bit.
std::optional<int64_t> number_at(const Block& bytes, size_t at, size_t size) {
  if ((bytes[at] & std::byte{0x80}) != std::byte{0}) {
    int64_t value = std::to_integer<int64_t>(bytes[at] & std::byte{0x7f});
    for (size_t i = 1; i < size; ++i) {
      if (value > largest_member >> 8) return std::nullopt;
      value = value << 8 | std::to_integer<int64_t>(bytes[at + i]);
    }
    return value;
  }
  std::string_view digits = text_at(bytes, at, size);
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  digits = digits.substr(0, digits.find(' '));
  int64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  const bool complete = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  return digits.empty() ? std::optional<int64_t>(0)
         : complete     ? std::optional(value)
                        : std::nullopt;
}

/// The sum of all bytes, the checksum itself counted as spaces; some programs add signed bytes.
bool sums_to(const Block& bytes, int64_t checksum) {
  int64_t as_unsigned = 0, as_signed = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const std::byte b = i >= 148 && i < 156 ? std::byte{' '} : bytes[i];
    as_unsigned += std::to_integer<int64_t>(b);
    as_signed += static_cast<int8_t>(std::to_integer<uint8_t>(b));
  }
  return checksum == as_unsigned || checksum == as_signed;
}

std::string kind_of(const Block& bytes) {
  const auto starts = [&](std::string_view magic) {
    return std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  };
  for (const std::string_view magic : {"\x1f\x8b", "BZh",
                                       "\xfd"
                                       "7zXZ",
                                       "\x28\xb5\x2f\xfd"}) {
    if (starts(magic)) return "a compressed file";
  }
  return starts("PK\x03\x04") ? "a zip archive" : "a header whose checksum differs";
}

int64_t padded(int64_t size) { return (size + block - 1) / block * block; }

}  // namespace

struct TarReader::Header {
  int64_t offset = 0;
  char type = '0';
  TarMember member;
};

TarReader::TarReader(std::filesystem::path path, Read read, std::optional<int64_t> size)
    : path_(std::move(path)), read_(std::move(read)), size_(size) {}

void TarReader::fail(std::string_view what, int64_t offset, std::string_view expected,
                     std::string_view found) const {
  throw bad_file("tar file " + std::string(what), path_, offset, expected, found);
}

/// None at the end: a block of zeros, or no bytes at all.
std::optional<TarReader::Header> TarReader::read_header() {
  Block bytes{};
  const size_t count = read_(position_, bytes);
  if (count == 0 && position_ > 0) return std::nullopt;
  if (count < bytes.size()) {
    fail("is cut short", position_ + static_cast<int64_t>(count), "a header of 512 bytes",
         bytes_text(static_cast<int64_t>(count)));
  }
  if (std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }))
    return std::nullopt;
  const std::optional<int64_t> checksum = number_at(bytes, 148, 8),
                               size = number_at(bytes, 124, 12);
  if (!checksum || !sums_to(bytes, *checksum))
    fail("has a damaged header", position_, "the header of a member", kind_of(bytes));
  Header header{.offset = position_, .type = static_cast<char>(bytes[156]), .member = {}};
  TarMember& member = header.member;
  if (!size || *size > largest_member)
    fail("has a damaged header", position_ + 124, "the size of a member", "not a number");
  member.size = *size;
  member.offset = position_ + block;
  member.name = text_at(bytes, 0, 100);
  const bool ustar = text_at(bytes, 257, 6) == "ustar";  // GNU's magic goes on with a space
  if (const std::string_view prefix = text_at(bytes, 345, 155); ustar && !prefix.empty())
    member.name = std::string(prefix) + "/" + member.name;
  return header;
}

std::optional<TarMember> TarReader::next() {
  TarMember special{
      .name = {}, .offset = 0, .size = -1};  // from headers that describe the next one
  while (std::optional<Header> header = read_header()) {
    TarMember& member = header->member;
    const bool pax = header->type == 'x', long_name = header->type == 'L';
    const bool plain = header->type == '0' || header->type == '\0' || header->type == '7';
    if (plain && special.size >= 0) member.size = special.size;
    if (size_ && member.size > *size_ - member.offset) {
      fail("is cut short", *size_,
           bytes_text(member.size) + " of " + printable(member.name) + " from offset " +
               std::to_string(member.offset),
           bytes_text(std::max<int64_t>(*size_ - member.offset, 0)));
    }
    position_ = member.offset + padded(member.size);
    if (pax) read_pax(contents(member, longest_records), member.offset, special);
    if (long_name) {
      special.name = contents(member, longest_name);
      special.name = special.name.substr(0, special.name.find('\0'));
    }
    if (plain) {
      if (!special.name.empty()) member.name = special.name;
      return std::move(member);
    }
    if (!pax && !long_name && header->type != 'g' && header->type != 'K')
      special = {.name = {}, .offset = 0, .size = -1};
  }
  return std::nullopt;
}

/// "LENGTH KEY=VALUE\n" after each other: path and size replace those of the header.
void TarReader::read_pax(const std::string& records, int64_t offset, TarMember& next) const {
  size_t at = 0;
  while (at < records.size()) {
    size_t length = 0;
    const char* begin = records.data() + at;
    const auto parsed = std::from_chars(begin, records.data() + records.size(), length);
    const size_t digits = static_cast<size_t>(parsed.ptr - begin);
    if (parsed.ec != std::errc() || length <= digits + 1 || length > records.size() - at ||
        begin[digits] != ' ' || begin[length - 1] != '\n') {
      fail("has a damaged header", offset + static_cast<int64_t>(at), "a record of a pax header",
           printable(records.substr(at, 40)));
    }
    const std::string record(begin + digits + 1, length - digits - 2);
    const size_t equal = record.find('=');
    const std::string key = record.substr(0, equal);
    const std::string value = equal == std::string::npos ? "" : record.substr(equal + 1);
    if (key == "path") next.name = value;
    if (key == "size") {
      const auto size = std::from_chars(value.data(), value.data() + value.size(), next.size);
      if (size.ec != std::errc() || next.size < 0 || next.size > largest_member)
        fail("has a damaged header", offset, "a size in a pax header", printable(value));
    }
    at += length;
  }
}

std::string TarReader::contents(const TarMember& member, int64_t limit) {
  if (member.size > limit) {
    fail("has an implausible member", member.offset, "at most " + bytes_text(limit),
         bytes_text(member.size) + " of " + printable(member.name));
  }
  std::string text(static_cast<size_t>(member.size), '\0');
  const size_t count = read_(member.offset, std::as_writable_bytes(std::span(text)));
  if (count < text.size()) {
    fail("is cut short", member.offset + static_cast<int64_t>(count),
         bytes_text(member.size) + " of " + printable(member.name),
         bytes_text(static_cast<int64_t>(count)));
  }
  return text;
}

}  // namespace fovea::data
