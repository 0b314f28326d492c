#include "fovea/data/tar.h"

#include <cstring>
#include <set>

#include "data/helpers.h"
#include "data/tar_bytes.h"
#include "fovea/core/files.h"
#include "fovea/data/loader.h"
#include "fovea/data/prepared.h"
#include "fovea/data/shard_pattern.h"
#include "fovea/data/tar_reader.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

std::vector<TarMember> members_of(const std::string& bytes) {
  const auto read = [&](int64_t offset, std::span<std::byte> out) {
    const size_t at = std::min(static_cast<size_t>(offset), bytes.size());
    const size_t count = std::min(out.size(), bytes.size() - at);
    std::memcpy(out.data(), bytes.data() + at, count);
    return count;
  };
  TarReader tar("x.tar", read, static_cast<int64_t>(bytes.size()));
  std::vector<TarMember> members;
  while (const auto member = tar.next()) members.push_back(*member);
  return members;
}

std::string error_in(const std::string& bytes) {
  return error_of([&] { members_of(bytes); }).what();
}

std::string pax(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

TEST(TarReader, FindsFilesWithLongNamesAndSkipsEverythingElse) {
  const std::string long_name = std::string(150, 'n') + ".jpg";
  const std::vector<TarMember> members = members_of(
      tar_member("folder/", "", '5') + tar_member("a.txt", "hello") + tar_member("link", "", '2') +
      tar_member("x", pax("mtime", "1.5") + pax("path", long_name), 'x') +
      tar_member("short", std::string(513, 'b')) + tar_member("g", pax("comment", "c"), 'g') +
      tar_member("././@LongLink", long_name + '\0', 'L') + tar_member("cut", "") +
      tar_member("last", "z") + tar_end() + "garbage after the end");
  ASSERT_EQ(members.size(), 4u);
  EXPECT_EQ(members[0].name, "a.txt");
  EXPECT_EQ(members[0].offset, 1024);
  EXPECT_EQ(members[0].size, 5);
  EXPECT_EQ(members[1].name, long_name);
  EXPECT_EQ(members[1].size, 513);
  EXPECT_EQ(members[2].name, long_name);
  EXPECT_EQ(members[3].name, "last");
  EXPECT_EQ(members_of(tar_member("no end", "x")).size(), 1u);
}

TEST(TarReader, DamageIsNamedWithFileAndOffset) {
  const std::string good = tar_member("a", "hello");
  EXPECT_EQ(error_in(good + std::string(300, 'x')),
            "tar file is cut short\n"
            "  file     x.tar\n"
            "  offset   1324\n"
            "  expected a header of 512 bytes\n"
            "  found    300 bytes\n"
            "  try      a fresh copy of the file");
  EXPECT_EQ(error_in(good + tar_header("b", 5000)),
            "tar file is cut short\n"
            "  file     x.tar\n"
            "  offset   1536\n"
            "  expected 5000 bytes of b from offset 1536\n"
            "  found    0 bytes\n"
            "  try      a fresh copy of the file");
  std::string flipped = good;
  flipped[3] = 'x';
  EXPECT_NE(error_in(flipped).find("tar file has a damaged header\n  file     x.tar\n"
                                   "  offset   0\n"),
            std::string::npos);
  EXPECT_NE(error_in("\x1f\x8b" + std::string(600, 'z')).find("found    a compressed file"),
            std::string::npos);
  EXPECT_NE(error_in("").find("found    0 bytes"), std::string::npos);
  EXPECT_NE(
      error_in(tar_member("x", "99999 path=a\n", 'x') + good).find("a record of a pax header"),
      std::string::npos);
}

TEST(TarReader, MutatedFilesGiveMembersOrAnError) {
  const std::string good = tar_member("x", pax("path", "long/name.jpg"), 'x') +
                           tar_member("a", "hello") + tar_member("b", std::string(700, 'b')) +
                           tar_end();
  Random random(1, "mutations");
  for (int trial = 0; trial < 3000; ++trial) {
    std::string bytes = good;
    for (uint64_t i = random.below(4); i-- > 0;)
      bytes[random.below(bytes.size())] = static_cast<char>(random.bits());
    if (random.below(3) == 0) bytes.resize(random.below(bytes.size()));
    try {
      for (const TarMember& member : members_of(bytes)) {
        ASSERT_GE(member.offset, 512);
        ASSERT_LE(member.offset + member.size, static_cast<int64_t>(bytes.size()));
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

TEST(ShardPattern, BracesCountAndList) {
  EXPECT_EQ(expand_braces("s-{08..11}.tar"),
            (std::vector<std::string>{"s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"}));
  EXPECT_EQ(expand_braces("{a,b}{1..2}"), (std::vector<std::string>{"a1", "a2", "b1", "b2"}));
  EXPECT_EQ(expand_braces("plain"), (std::vector<std::string>{"plain"}));
  for (const char* wrong : {"{1..", "{a}", "{3..1}", "{x..y}", "{0..1000000}"})
    EXPECT_EQ(error_of([&] { expand_braces(wrong); }).kind(), ErrorKind::usage) << wrong;
}

class Tar : public testing::Test {
 protected:
  /// A PNG of one colour.
  std::string png(int side, uint8_t value) {
    Image image = Image::black(side, side, 3);
    std::ranges::fill(image.pixels, value);
    encode_png(folder_ / "one.png", image);
    return read_text(folder_ / "one.png", ErrorKind::data);
  }
  void write(const std::string& name, const std::string& members) {
    const std::string bytes = members + tar_end();
    folder_.write(name, Bytes(bytes.begin(), bytes.end()));
  }
  /// Shards of `count` samples, whose pixels count up over all of them.
  void write_shards(int shards, int count) {
    for (int s = 0; s < shards; ++s) {
      std::string members;
      for (int i = 0; i < count; ++i) {
        const int number = s * count + i;
        const std::string key = "k" + std::to_string(number);
        members += tar_member(key + ".cls", std::to_string(number % 2)) +
                   tar_member(key + ".png", png(4, static_cast<uint8_t>(number)));
      }
      write("shard-" + std::to_string(s) + ".tar", members);
    }
  }
  std::string pattern(const std::string& text) const { return (folder_ / text).string(); }
  std::string error(const std::string& text) {
    return error_of([&] { open_tar(pattern(text)); }).what();
  }

  TempFolder folder_;
};

TEST_F(Tar, SamplesAreMembersOfOneNameWithTheirClass) {
  write("train-0.tar", tar_member("d/1.png", png(4, 10)) + tar_member("d/1.cls", "dog\n") +
                           tar_member("d/1.txt", "a caption") +
                           tar_member("d/2.json", R"({"label": "cat", "id": 3})") +
                           tar_member("d/2.PNG", png(5, 20)));
  write("val-0.tar", tar_member("3.png", png(4, 30)) + tar_member("3.cls", "emu"));
  const DataSets sets = open_tar(folder_.path());
  EXPECT_EQ(sets.targets(), class_targets({"cat", "dog", "emu"}));
  ASSERT_EQ(sets.train->size(), 2);
  EXPECT_EQ(pixels_of(*sets.train, 1), Bytes(75, 20));
  EXPECT_EQ(class_of(*sets.train, 0), 1);
  EXPECT_EQ(class_of(*sets.train, 1), 0);
  EXPECT_EQ(sets.train->name(1), pattern("train-0.tar") + "/d/2.PNG");
  EXPECT_EQ(sets.val, sets.test);
  EXPECT_EQ(class_of(*sets.val, 0), 2);
}

TEST_F(Tar, NumberedClassesAreNamedByAFileBesideTheShards) {
  write_shards(1, 4);
  EXPECT_EQ(open_tar(pattern("shard-0.tar")).targets(), class_targets({"0", "1"}));
  folder_.write("names.txt", {'a', '\n', 'b', '\n'});
  EXPECT_EQ(open_tar(pattern("shard-0.tar")).targets(), class_targets({"a", "b"}));
}

TEST_F(Tar, EntireShardsAreHeldOutAndAnEpochReadsShardByShard) {
  write_shards(5, 6);
  const DataSets sets = open_tar(pattern("shard-{0..4}.tar"));
  EXPECT_EQ(sets.test->size(), 6);
  EXPECT_EQ(sets.train->size(), 24);
  const ValidationSplit parts = split_validation(sets.train, 0.25, 7);
  EXPECT_EQ(parts.val->size(), 6);
  std::set<int64_t> held_out;
  for (int64_t i = 0; i < parts.val->size(); ++i) held_out.insert(*parts.val->shard(i));
  EXPECT_EQ(held_out.size(), 1u);
  const Preprocessing same{
      .height = 4, .width = 4, .channels = 3, .resize = {}, .mean = {0, 0, 0}, .std = {1, 1, 1}};
  const LoaderOptions options{.batch = 4,
                              .sampling = Sampling::shuffled,
                              .seed = 3,
                              .workers = 2,
                              .resize = std::make_shared<Resize>(same)};
  Loader loader(parts.train, options), resumed(parts.train, options);
  std::vector<std::set<uint8_t>> epochs;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    loader.start(epoch);
    std::set<uint8_t> seen;
    for (int64_t b = 0; const auto batch = loader.next(); ++b) {
      for (int64_t i = 0; i < batch->size(); ++i)
        seen.insert(batch->inputs.data<uint8_t>()[static_cast<size_t>(i) * 48]);
      resumed.start(epoch, b);  // in the middle of the epoch
      const auto again = resumed.next();
      EXPECT_TRUE(std::ranges::equal(again->inputs.data<uint8_t>(), batch->inputs.data<uint8_t>()));
    }
    EXPECT_EQ(seen.size(), 18u);
    epochs.push_back(seen);
  }
  EXPECT_EQ(epochs[0], epochs[1]);
}

TEST_F(Tar, WhatIsWrongWithAShardSaysWhere) {
  EXPECT_EQ(error("none-{0..2}.tar"), "tar file " + pattern("none-0.tar") + " does not exist");
  EXPECT_TRUE(
      error("none-*.tar").starts_with(pattern("none-*.tar") + ": no tar files to train on"));
  const std::string image = png(4, 1);
  write("a.tar",
        tar_member("1.cls", "0") + tar_member("1.png", image) + tar_member("1.jpg", image));
  EXPECT_TRUE(error("a.tar").starts_with("tar file has two images for the sample 1\n  file     " +
                                         pattern("a.tar") + "\n  offset   "))
      << error("a.tar");
  write("a.tar", tar_member("1.png", image) + tar_member("2.cls", "0"));
  EXPECT_TRUE(error("a.tar").starts_with("tar file has no class for the sample 1\n"));
  write("a.tar", tar_member("1.cls", "0"));
  EXPECT_TRUE(error("a.tar").starts_with("tar file has no image for the sample 1\n"));
  write("a.tar", tar_member("readme.txt", "x"));
  EXPECT_TRUE(error("a.tar").starts_with(pattern("a.tar") + ": no samples to train on"));
  write("a.tar", tar_member("1.cls", "0") + tar_member("1.png", image.substr(0, 40)));
  EXPECT_TRUE(std::string(error_of([&] { open_tar(pattern("a.tar")).train->sample(0); }).what())
                  .starts_with(pattern("a.tar") + "/1.png: damaged PNG"));
}

}  // namespace
}  // namespace fovea::data
