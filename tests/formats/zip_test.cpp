#include "fovea/formats/zip.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/core/random.h"
#include "pickles.h"

namespace fovea {
namespace {

using pickles::Entries;
using pickles::little;
using pickles::zip;

std::vector<ZipEntry> read(const std::string& bytes) {
  return read_zip(std::as_bytes(std::span(bytes)), "a.zip", ErrorKind::model);
}

std::string text_of(const ZipEntry& entry) {
  return {reinterpret_cast<const char*>(entry.data.data()), entry.data.size()};
}

const Entries two = {{"a/one", "first"}, {"a/two", "second"}};

// The positions of the records of `two`, by their signatures.
size_t central_record(const std::string& bytes, int index) {
  size_t at = bytes.find("PK\1\2");
  for (int i = 0; i < index; ++i) at = bytes.find("PK\1\2", at + 1);
  return at;
}
size_t end_record(const std::string& bytes) { return bytes.rfind("PK\5\6"); }
size_t end64_record(const std::string& bytes) { return bytes.rfind("PK\6\6"); }

/// The archive of `two` with other bytes at one position.
std::string with(size_t at, const std::string& bytes) {
  return zip(two).replace(at, bytes.size(), bytes);
}

void expect_refusal(const std::string& bytes, const std::string& message) {
  const std::string text = error_text(ErrorKind::model, [&] { read(bytes); });
  EXPECT_EQ(text.substr(0, text.find('\n')), "a.zip: " + message);
}

TEST(Zip, ReadsBackWhatWasWrittenAtMultiplesOf64) {
  for (uint64_t trial = 0; trial < 30; ++trial) {
    Random random(trial, "zip");
    Entries entries;
    for (uint64_t i = 0, n = random.below(20); i < n; ++i) {
      const std::string name = std::to_string(i) + "/" + std::string(random.below(100), 'n');
      entries.emplace_back(name, std::string(random.below(200), static_cast<char>(i)));
    }
    const std::string bytes = zip(entries);
    EXPECT_EQ(bytes, zip(entries));
    const std::vector<ZipEntry> back = read(bytes);
    ASSERT_EQ(back.size(), entries.size());
    for (size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(back[i].name, entries[i].first);
      EXPECT_EQ(text_of(back[i]), entries[i].second);
      EXPECT_EQ((reinterpret_cast<const char*>(back[i].data.data()) - bytes.data()) % 64, 0);
    }
  }
}

TEST(Zip, ACommentMayFollow) {
  std::string bytes = zip(two);
  bytes.replace(end_record(bytes) + 20, 2, little(5, 2));
  EXPECT_EQ(read(bytes + "hello").size(), 2u);
}

/// As files beyond 4 GB are: the central record's numbers are in the zip64 part.
TEST(Zip, NumbersOf64BitsAreReadFromTheirPart) {
  std::string bytes = zip({{"a", "first"}});
  const size_t record = central_record(bytes, 0), end64 = end64_record(bytes);
  const std::string local = bytes.substr(record + 42, 4);
  const std::string part =
      little(1, 2) + little(24, 2) + little(5, 8) + little(5, 8) + local + std::string(4, '\0');
  bytes.replace(record + 20, 8, std::string(8, '\xff'));
  bytes.replace(record + 30, 2, little(part.size(), 2));
  bytes.replace(record + 42, 4, std::string(4, '\xff'));
  bytes.insert(record + 46 + 1, part);
  const uint64_t size = end64 - record + part.size();
  bytes.replace(end64 + part.size() + 40, 8, little(size, 8));
  bytes.replace(bytes.size() - 42 + 8, 8, little(end64 + part.size(), 8));
  bytes.replace(bytes.size() - 22 + 12, 4, little(size, 4));
  ASSERT_EQ(read(bytes).size(), 1u);
  EXPECT_EQ(text_of(read(bytes)[0]), "first");
  bytes.replace(record + 46 + 1, 2, little(2, 2));
  expect_refusal(bytes, "\"a\" lacks a number in its zip64 part");
}

TEST(Zip, EachFaultIsNamed) {
  const std::string good = zip(two);
  const size_t first = central_record(good, 0), second = central_record(good, 1);
  const size_t end = end_record(good), end64 = end64_record(good);
  expect_refusal(
      "PK\3\4",
      "it begins like a zip archive but does not end like one: it is truncated or damaged");
  expect_refusal(with(first + 8, "\1"), "\"a/one\" is encrypted");
  const std::string compressed = with(first + 10, "\x08");
  const ZipEntry entry = read(compressed)[0];  // listed, though not decompressed
  EXPECT_EQ(entry.name, "a/one");
  expect_error(ErrorKind::model, "a.zip: \"a/one\" is compressed, which is not supported",
               [&] { stored_data(entry, "a.zip", ErrorKind::model); });
  expect_refusal(with(first + 20, "\6"), "\"a/one\" has contradictory sizes");
  expect_refusal(with(first + 20, "\xff\xff\xff\1\xff\xff\xff\1"),
                 "\"a/one\" reaches beyond byte " + std::to_string(first));
  expect_refusal(with(first, "PK\1\3"), "its directory is damaged");
  expect_refusal(with(first + 46, "b"), "\"b/one\" is not where the directory says, at byte 0");
  expect_refusal(with(second + 46 + 2, "one"),
                 "\"a/one\" is not where the directory says, at byte " +
                     std::to_string(good.find("PK\3\4", 1)));
  expect_refusal(with(first + 42, little(1 << 30, 4)),
                 "\"a/one\" reaches beyond byte " + std::to_string(first));
  // Both ends agree on a third entry, and on a directory that begins elsewhere.
  const auto counts = [&](uint64_t count) {
    std::string bytes = good;
    bytes.replace(end + 10, 2, little(count, 2));
    return bytes.replace(end64 + 32, 8, little(count, 8));
  };
  expect_refusal(with(second + 28, little(100, 2)),
                 "its directory reaches beyond byte " + std::to_string(end64));
  expect_refusal(counts(1), "its directory has more entries than it counts");
  expect_refusal(counts(3), "it claims to have 3 entries, more than it can hold");
  expect_refusal(with(end + 10, "\3"), "its two end records contradict each other");
  expect_refusal(with(end64 + 1, "X"), "its zip64 end record is not where it should be");
  expect_refusal(with(end - 20 + 8, std::string(8, '\xff')),
                 "its zip64 end record is not where it should be");
  std::string moved = good;
  moved.replace(end + 16, 4, little(first - 1, 4)).replace(end64 + 48, 8, little(first - 1, 8));
  expect_refusal(moved, "its directory of " + std::to_string(end64 - first) + " bytes at " +
                            std::to_string(first - 1) +
                            " does not end where the end record begins, at " +
                            std::to_string(end64));
  expect_refusal(zip({{"a", "1"}, {"a", "2"}}), "two entries are called \"a\"");
}

/// A bomb of overlapping entries: each holds the records of the next.
TEST(Zip, OverlappingEntriesAreRefused) {
  std::string bytes = zip(two);
  const size_t next = bytes.find("PK\3\4", 1), first = central_record(bytes, 0);
  const uint64_t size = first - 64;  // from the first entry's data to the directory
  bytes.replace(first + 20, 8, little(size, 4) + little(size, 4));
  expect_refusal(bytes, "two entries overlap, at byte " + std::to_string(next));
}

}  // namespace
}  // namespace fovea
