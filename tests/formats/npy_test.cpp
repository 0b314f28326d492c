#include "fovea/formats/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "paths.h"
#include "pickles.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string text = std::string("\x93NUMPY") + version + '\0';
  for (size_t i = 0; i < (version == 1 ? 2u : 4u); ++i) {
    text += static_cast<char>(header.size() >> (8 * i));
  }
  return text + header + data;
}

TEST(Npy, EveryDtypeAndRankReadsBack) {
  TemporaryFolder folder;
  for (DType dtype : {DType::f64, DType::f32, DType::f16, DType::i64, DType::i32, DType::i16,
                      DType::i8, DType::u8, DType::u16, DType::boolean}) {
    for (const Shape& shape :
         {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 1, 2, 1, 2, 1, 3}}) {
      Array array(dtype, shape);
      for (int64_t i = 0; i < array.numel(); ++i) array.set(i, static_cast<double>(i % 2));
      write_npy(folder / "a.npy", array);
      EXPECT_EQ(std::filesystem::file_size(folder / "a.npy") % 64, array.bytes() % 64);
      Array back = read_npy(folder / "a.npy");
      ASSERT_EQ(describe(back), describe(array));
      EXPECT_EQ(std::memcmp(back.raw(), array.raw(), array.bytes()), 0);
      if (back.numel() > 0) back.set(0, 1);  // its own memory, not the file's
    }
  }
  expect_error(ErrorKind::usage, ".npy files cannot hold bf16",
               [&] { write_npy(folder / "a.npy", Array(DType::bf16, {1})); });
}

// numpy.save(path, numpy.arange(3, dtype='<i2')), as NumPy 1.24 writes it.
TEST(Npy, IsWhatNumpyWrites) {
  TemporaryFolder folder;
  std::string header = "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }";
  header.append(117 - header.size(), ' ');
  const std::string numpy = npy(header + "\n", std::string("\0\0\1\0\2\0", 6));
  Array array(DType::i16, {3});
  for (int i = 0; i < 3; ++i) array.set(i, i);
  write_npy(folder / "a.npy", array);
  EXPECT_EQ(read_text(folder / "a.npy", ErrorKind::data), numpy);
}

TEST(Npy, OtherVersionsAndSpellingsAreRead) {
  TemporaryFolder folder;
  for (char version : {2, 3}) {
    put(folder / "a.npy",
        npy("{\"shape\":(2, 1),\"fortran_order\":False,\"descr\":\"|u1\"}\n", "\5\6", version));
    EXPECT_EQ(read_npy(folder / "a.npy").at(1), 6);
  }
}

TEST(Npy, EachFaultIsNamed) {
  struct Case {
    const char* header;
    const char* message;
  };
  const Case cases[] = {
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", "is in Fortran order"},
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", "big-endian (>f4)"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "dtype (<c8) cannot be read"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "dtype (|O) cannot be read"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
       "8 bytes of data, but its shape takes 12"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
       "8 bytes of data, but its shape takes 4"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
       "its shape is too large for any file"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
       "the shape contains an invalid size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "an invalid size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", "needs a comma"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2), }",
       "more than 8 dimensions"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", "neither True nor False"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "occurs twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",
       "the key \"x\" is unknown"},
      {"{'descr': '<f4', 'fortran_order': False}", "is missing"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } import os", "bytes follow"},
      {"{'descr", "a quoted string is missing\n  offset  11"},
      {"", "\"{\" is missing"},
  };
  TemporaryFolder folder;
  for (const Case& c : cases) {
    put(folder / "bad.npy", npy(c.header, std::string(8, '\0')));
    expect_error(ErrorKind::data, c.message, [&] { read_npy(folder / "bad.npy"); });
  }
  put(folder / "bad.npy", "PK\3\4 a zip file");
  expect_error(ErrorKind::data, "bad.npy: not a .npy file", [&] { read_npy(folder / "bad.npy"); });
  put(folder / "bad.npy", npy("{}", "12345678", 4));
  expect_error(ErrorKind::data, ".npy version is 4.0", [&] { read_npy(folder / "bad.npy"); });
}

TEST(Npy, TruncatedAndMutatedFilesGiveAnArrayOrAnError) {
  TemporaryFolder folder;
  write_npy(folder / "original.npy", Array::of<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  const std::string original = read_text(folder / "original.npy", ErrorKind::data);
  for (size_t size = 0; size < original.size(); ++size) {
    put(folder / "bad.npy", original.substr(0, size));
    error_text(ErrorKind::data, [&] { read_npy(folder / "bad.npy"); });
  }
  for (uint64_t trial = 0; trial < 300; ++trial) {
    Random random(trial, "mutations");
    std::string bytes = original;
    for (int i = 0; i < 2; ++i) bytes[random.below(80)] = static_cast<char>(random.below(256));
    put(folder / "bad.npy", bytes);
    try {
      EXPECT_EQ(read_npy(folder / "bad.npy").bytes(), 24u);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    }
  }
}

TEST(Npz, IsWhatNumpyWrites) {
  const auto arrays = read_npz(tests_folder() + "/golden/numpy.npz");
  ASSERT_EQ(arrays.size(), 3u);
  EXPECT_EQ(arrays[0].first, "input");
  EXPECT_EQ(describe(arrays[0].second), "f32[2, 3]");
  EXPECT_EQ(arrays[0].second.at(5), 2.5);
  EXPECT_EQ(arrays[1].first, "layer1.0.conv1");
  EXPECT_EQ(describe(arrays[1].second), "i64[4]");
  EXPECT_EQ(arrays[1].second.at(3), 3);
  EXPECT_EQ(arrays[2].first, std::string(100, 'n'));  // complete, however long
  EXPECT_EQ(describe(arrays[2].second), "f64[]");
  EXPECT_EQ(arrays[2].second.item(), -1);
}

TEST(Npz, BrokenArchivesNameTheFileInside) {
  TemporaryFolder folder;
  const auto refused = [&](const std::string& bytes, const std::string& message) {
    put(folder / "a.npz", bytes);
    expect_error(ErrorKind::data, (folder / "a.npz").string() + ": " + message,
                 [&] { read_npz(folder / "a.npz"); });
  };
  refused(pickles::zip({{"a.npy", "12345"}}), "a.npy: not a .npy file");
  refused("12345", "it begins like a zip archive but does not end like one");
  std::string compressed = pickles::zip({{"a.npy", "12345"}});
  compressed[compressed.find("PK\1\2") + 10] = 8;
  refused(compressed,
          "\"a.npy\" is compressed, which is not supported\n  try     numpy.savez instead");
}

}  // namespace
}  // namespace fovea
