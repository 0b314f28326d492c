#include "fovea/formats/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

constexpr DType every_dtype[] = {DType::f64, DType::f32, DType::bf16,   DType::f16,
                                 DType::i64, DType::i32, DType::i16,    DType::i8,
                                 DType::u8,  DType::u16, DType::boolean};

/// A file with this header, followed by `data` zero bytes.
void put_header(const std::filesystem::path& path, const std::string& header, size_t data = 0) {
  std::string text(8, '\0');
  for (size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> (8 * i));
  put(path, text + header + std::string(data, '\0'));
}

/// One of each dtype, with sizes that leave the next one unaligned, an empty one and a scalar.
SafeTensors sample_tensors() {
  SafeTensors contents;
  contents.metadata = {{"b", "two\n\"quoted\""}, {"a", "\u00fcmlaut"}, {"", ""}};
  int64_t n = 1;
  for (DType dtype : every_dtype) {
    Array array(dtype, {n, 3});
    for (int64_t i = 0; i < array.numel(); ++i) array.set(i, static_cast<double>(i % 2));
    contents.tensors.emplace_back("z." + std::string(name(dtype)), array);
    n += 2;
  }
  std::reverse(contents.tensors.begin(), contents.tensors.end());
  contents.tensors.emplace_back("empty", Array(DType::f32, {0, 7}));
  contents.tensors.emplace_back("scalar", Array::full(DType::f64, {}, -2.5));
  return contents;
}

void expect_equal(const SafeTensors& a, const SafeTensors& b) {
  EXPECT_EQ(a.metadata, b.metadata);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].first, b.tensors[i].first);
    const Array &x = a.tensors[i].second, &y = b.tensors[i].second;
    ASSERT_EQ(describe(x), describe(y));
    EXPECT_EQ(std::memcmp(x.raw(), y.raw(), x.bytes()), 0) << a.tensors[i].first;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % size_of(x.dtype()), 0u);
  }
}

TEST(SafeTensors, NullMetadataCountsAsNone) {  // as in the reference reader
  TemporaryFolder folder;
  put_header(folder / "a",
             R"({"__metadata__":null,"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const SafeTensors read = read_safetensors(folder / "a");
  EXPECT_TRUE(read.metadata.empty());
  EXPECT_EQ(read.tensors.size(), 1u);
}

TEST(SafeTensors, EveryDtypeReadsBackAlignedAndInOrder) {
  TemporaryFolder folder;
  write_safetensors(folder / "a", sample_tensors());
  const SafeTensors back = read_safetensors(folder / "a");
  expect_equal(back, sample_tensors());
  write_safetensors(folder / "b", back);
  EXPECT_EQ(read_text(folder / "a", ErrorKind::model), read_text(folder / "b", ErrorKind::model));
  // Overwriting the mapped file leaves the arrays unchanged.
  write_safetensors(folder / "a", {});
  expect_equal(back, sample_tensors());
  expect_equal(read_safetensors(folder / "a"), {});
}

// Other readers of the format must find the bytes where it says.
TEST(SafeTensors, TheBytesAreThoseOfTheFormat) {
  TemporaryFolder folder;
  SafeTensors contents;
  contents.metadata = {{"k", "v"}};
  contents.tensors.emplace_back("w", Array::of<uint8_t>({1, 2, 3}, {3, 1}));
  contents.tensors.emplace_back("b", Array::of<int32_t>({258}));
  write_safetensors(folder / "a", contents);
  const std::string text = read_text(folder / "a", ErrorKind::model);
  const std::string header =
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"U8","shape":[3,1],"data_offsets":[0,3]},)"
      R"("b":{"dtype":"I32","shape":[1],"data_offsets":[3,7]}})";
  const size_t padded = (header.size() + 7) / 8 * 8;
  EXPECT_EQ(static_cast<uint8_t>(text[0]), padded);
  EXPECT_EQ(text.substr(1, 7), std::string(7, '\0'));
  EXPECT_EQ(text.substr(8, padded), header + std::string(padded - header.size(), ' '));
  EXPECT_EQ(text.substr(8 + padded), std::string("\1\2\3\2\1\0\0", 7));
}

TEST(SafeTensors, EveryTruncationIsAnError) {
  TemporaryFolder folder;
  write_safetensors(folder / "original", sample_tensors());
  const std::string original = read_text(folder / "original", ErrorKind::model);
  for (size_t size = 0; size < original.size(); ++size) {
    put(folder / "cut", original.substr(0, size));
    const std::string text =
        error_text(ErrorKind::model, [&] { read_safetensors(folder / "cut"); });
    ASSERT_NE(text.find("cut: "), std::string::npos) << text;
  }
}

double touch(const SafeTensors& contents) {
  double sum = 0;
  for (const auto& [name, array] : contents.tensors) {
    for (int64_t i = 0; i < array.numel(); ++i) sum += array.at(i);
  }
  return sum;
}

TEST(SafeTensors, MutatedFilesGiveArraysOrAnError) {
  TemporaryFolder folder;
  write_safetensors(folder / "original", sample_tensors());
  const std::string original = read_text(folder / "original", ErrorKind::model);
  const size_t header_end = original.rfind('}') + 1;
  const std::string_view swaps = "0123456789{}[]\",:-.eE tfn\\\xff";
  int errors = 0;
  for (uint64_t trial = 0; trial < 600; ++trial) {
    Random random(trial, "mutations");
    std::string bytes = original;
    for (uint64_t i = 0, n = 1 + random.below(3); i < n; ++i) {
      const size_t at = random.below(trial % 4 == 0 ? bytes.size() : header_end);
      const char c = swaps[random.below(swaps.size())];
      switch (random.below(3)) {
        case 0:
          bytes[at] = c;
          break;
        case 1:
          bytes.insert(at, 1, c);
          break;
        default:
          bytes.erase(at, 1 + random.below(4));
      }
    }
    put(folder / "mutated", bytes);
    try {
      touch(read_safetensors(folder / "mutated"));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model) << error.what();
      EXPECT_NE(std::string(error.what()).find("mutated: "), std::string::npos) << error.what();
      ++errors;
    }
  }
  EXPECT_GT(errors, 400);
}

TEST(SafeTensors, EachFaultOfAHeaderIsNamed) {
  struct Case {
    const char* header;
    size_t data;
    const char* message;
  };
  const Case cases[] = {
      {R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
       16, R"(the header names "w" twice)"},
      {R"({"__metadata__":{"k":"1","k":"2"}})", 0, R"(the metadata has the key "k" twice)"},
      {R"({"__metadata__":{"k":1}})", 0, R"(metadata "k" is a number, not a string)"},
      {R"({"__metadata__":{"k":{}}})", 0, R"(metadata "k" is an object, not a string)"},
      {R"({"w":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4,
       R"(tensor "w": it has "dtype" twice)"},
      {R"({"w":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,1]}})", 1,
       R"(tensor "w": dtype "F8_E4M3" is not one that can be read)"},
      {R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
       R"(tensor "w" has 4 bytes of data, but its shape takes 8)"},
      {R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3,
       R"(tensor "w" ends at 4, the data has 3 bytes)"},
      {R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5,
       "1 bytes follow the last tensor"},
      {R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4, "ends before it begins"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
       6, R"(tensor "b" overlaps the previous one: it begins at 2, the previous one ended at 4)"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}})",
       8, R"(tensor "b" leaves a gap: it begins at 6, the previous one ended at 4)"},
      {R"({"w":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       R"(tensor "w" has a shape too large for any file)"},
      {R"({"w":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
       "has a shape too large for any file"},
      {R"({"w":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0,
       "shape has 9223372036854775808, beyond 2^62"},
      {R"({"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}})", 0, "the number -1"},
      {R"({"w":{"dtype":"U8","shape":[1.5],"data_offsets":[0,0]}})", 0, "the number 1.5"},
      {R"({"w":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
       R"(tensor "w": shape has more than 8 numbers)"},
      {R"({"w":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "an array"},
      {R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "data_offsets has 1 numbers"},
      {R"({"w":{"dtype":"U8","shape":[1]}})", 1, R"(tensor "w": it has no data_offsets)"},
      {R"({"w":{"shape":[1],"data_offsets":[0,1],"extra":1}})", 1, R"(unknown field "extra")"},
      {R"({"w":[]})", 0, R"("w" in its header is an array, not an object)"},
      {R"({"w":null})", 0, R"("w" in its header is null, not an object)"},
      {R"({"w":true})", 0, R"("w" in its header is a boolean, not an object)"},
      {R"({"w")", 0, "its header is not valid JSON\n  offset  12"},
      {R"({} {})", 0, "its header is not valid JSON"},
      {R"([])", 0, "does not begin with \"{\""},
      {"", 0, "does not begin with \"{\""},
  };
  TemporaryFolder folder;
  for (const Case& c : cases) {
    put_header(folder / "bad", c.header, c.data);
    expect_error(ErrorKind::model, c.message, [&] { read_safetensors(folder / "bad"); });
  }
  put(folder / "bad", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
  expect_error(ErrorKind::model, "at most 100000000 are read",
               [&] { read_safetensors(folder / "bad"); });
  // A million levels deep: refused at the second, without deep recursion.
  put_header(folder / "bad", R"({"w":{"dtype":)" + std::string(1000000, '['));
  expect_error(ErrorKind::model, "dtype is or has an array, not a string",
               [&] { read_safetensors(folder / "bad"); });
  expect_error(ErrorKind::model, "No such file", [&] { read_safetensors(folder / "none"); });
}

TEST(SafeTensors, FilesThatCouldNotBeReadAreNotWritten) {
  TemporaryFolder folder;
  const Array one = Array::of<float>({1});
  expect_error(ErrorKind::usage, "two tensors cannot be called \"w\"", [&] {
    write_safetensors(folder / "a", {{}, {{"w", one}, {"w", one}}});
  });
  expect_error(ErrorKind::usage, "two tensors cannot be called \"__metadata__\"", [&] {
    write_safetensors(folder / "a", {{}, {{"__metadata__", one}}});
  });
  expect_error(ErrorKind::usage, "not UTF-8", [&] {
    write_safetensors(folder / "a", {{{"k", "\xff"}}, {}});
  });
  expect_error(ErrorKind::io, "cannot write", [&] {
    write_safetensors(folder / "none/a", {{}, {{"w", one}}});
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

}  // namespace
}  // namespace fovea
