#include "fovea/images/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "images/golden.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& key) {
  const auto file = golden_file(key);
  return {file.begin(), file.end()};
}

std::vector<std::string> golden_files() {
  std::vector<std::string> keys;
  for (const auto& [key, array] : golden()) {
    if (key.ends_with("/png") || key.ends_with("/jpeg")) keys.push_back(key);
  }
  return keys;
}

// Palettes, single bits, alpha, CMYK, progressive scans, all eight orientations.
TEST(Decode, EqualsPillow) {
  const auto keys = golden_files();
  EXPECT_GE(keys.size(), 19u);
  for (const std::string& key : keys) {
    const Image expected = golden_image(key.substr(0, key.find('/')) + "/pixels");
    EXPECT_TRUE(decode_image(golden_file(key), key) == expected) << key;
  }
}

TEST(Decode, GrayAndRgbAreAsPillowConverts) {
  const Image rgb = golden_image("rgb-png/pixels");
  EXPECT_TRUE(to_gray(rgb) == golden_image("to-gray/pixels"));
  const Image gray{1, 2, 1, {7, 9}};
  EXPECT_EQ(to_rgb(gray).pixels, (std::vector<uint8_t>{7, 7, 7, 9, 9, 9}));
  EXPECT_EQ(to_rgb({1, 1, 4, {1, 2, 3, 0}}).pixels, (std::vector<uint8_t>{1, 2, 3}));
}

// A 2x1 PNG of 16-bit gray, 0x1234 and 0xfeff: the upper bytes are kept.
TEST(Decode, SixteenBitsKeepTheUpperEight) {
  const unsigned char png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
      0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00,
      0x00, 0x81, 0xd9, 0xfc, 0x15, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
      0x9c, 0x63, 0x10, 0x32, 0xf9, 0xf7, 0x1f, 0x00, 0x03, 0xe4, 0x02, 0x44, 0x69, 0x2e,
      0x3c, 0xea, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  const Image image = decode_image(std::as_bytes(std::span(png)), "sixteen.png");
  EXPECT_TRUE(image == (Image{1, 2, 1, {0x12, 0xfe}}));
}

// A picture cut off in a download must not train as one that is half gray.
TEST(Decode, EveryTruncationIsAnError) {
  for (const std::string key : {"rgb-png/png", "palette/png", "one-bit/png", "rgb-jpeg/jpeg",
                                "progressive/jpeg", "cmyk/jpeg", "orientation-6/jpeg"}) {
    const auto whole = golden_file(key);
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string text =
          error_text(ErrorKind::data, [&] { decode_image(whole.first(size), "cut"); });
      ASSERT_TRUE(text.starts_with("cut: ")) << key << " " << size << ": " << text;
    }
  }
  expect_error(ErrorKind::data, "cut: damaged PNG: the file ends too early\n  offset  100",
               [] { decode_image(golden_file("rgb-png/png").first(100), "cut"); });
}

TEST(Decode, MutatedFilesGiveAPictureOrAnError) {
  Random random(3, "mutations");
  const auto keys = golden_files();
  int errors = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const std::string& key = keys[random.below(keys.size())];
    Bytes bytes = bytes_of(key);
    for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    try {
      const Image image = decode_image(bytes, key, 1 << 20);
      check(image);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      ++errors;
    }
  }
  EXPECT_GT(errors, 300);
}

void set_big32(Bytes& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

TEST(Decode, AHugeHeaderIsRefusedBeforeAnythingIsAllocated) {
  Bytes png = bytes_of("rgb-png/png");
  set_big32(png, 16, 0x7fffffff);
  set_big32(png, 20, 0x7fffffff);
  expect_error(ErrorKind::data, "bomb.png: its header says 2147483647x2147483647 pixels, too many",
               [&] { decode_image(png, "bomb.png"); });
  set_big32(png, 16, 8000);
  set_big32(png, 20, 8000);
  expect_error(ErrorKind::data, "bytes cannot hold the 8000x8000 pixels its header says",
               [&] { decode_image(png, "bomb.png"); });
  set_big32(png, 16, 0);
  expect_error(ErrorKind::data, "8000x0 pixels", [&] { decode_image(png, "bomb.png"); });

  Bytes jpeg = bytes_of("rgb-jpeg/jpeg");
  const std::array frame{std::byte{0xff}, std::byte{0xc0}};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  ASSERT_NE(at, jpeg.end());
  set_big32(jpeg, static_cast<size_t>(at - jpeg.begin()) + 5, 0xea60ea60);
  expect_error(ErrorKind::data, "bomb.jpg: its header says 60000x60000 pixels, too many to read",
               [&] { decode_image(jpeg, "bomb.jpg"); });

  expect_error(ErrorKind::data, "21x34 pixels, too many to read\n  pixels  714\n  limit   700",
               [] { decode_image(golden_file("rgb-png/png"), "small", 700); });
}

TEST(Decode, ToldApartByContentNotByName) {
  TemporaryFolder folder;
  const auto path = folder / "really-a-jpeg.png";
  const auto bytes = golden_file("rgb-jpeg/jpeg");
  put(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  EXPECT_TRUE(decode_image(path) == golden_image("rgb-jpeg/pixels"));
  put(folder / "text.jpg", "hello");
  expect_error(ErrorKind::data, "text.jpg: neither a PNG nor a JPEG",
               [&] { decode_image(folder / "text.jpg"); });
  put(folder / "empty.jpg", "");
  expect_error(ErrorKind::data, "empty.jpg: the file is empty",
               [&] { decode_image(folder / "empty.jpg"); });
  expect_error(ErrorKind::data, "No such file", [&] { decode_image(folder / "none.png"); });
}

TEST(EncodePng, ReadsBackAndIsTheSameEachTime) {
  TemporaryFolder folder;
  Random random(2, "pictures");
  for (int channels : {1, 3, 4}) {
    for (auto [height, width] : {std::pair{1, 1}, {1, 300}, {17, 5}, {64, 64}}) {
      Image image = Image::black(height, width, channels);
      for (uint8_t& sample : image.pixels) sample = static_cast<uint8_t>(random.below(256));
      encode_png(folder / "a.png", image);
      encode_png(folder / "b.png", image);
      EXPECT_TRUE(decode_image(folder / "a.png") == image);
      EXPECT_EQ(read_text(folder / "a.png", ErrorKind::data),
                read_text(folder / "b.png", ErrorKind::data));
    }
  }
  expect_error(ErrorKind::usage, "[H=1, W=1, C=3] holds 3", [&] {
    encode_png(folder / "c.png", {1, 1, 3, {0}});
  });
  expect_error(ErrorKind::io, "cannot write",
               [&] { encode_png(folder / "none/c.png", Image::black(1, 1, 1)); });
}

}  // namespace
}  // namespace fovea
