#include <gtest/gtest.h>

#include <map>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/formats/safetensors.h"
#include "fovea/images/codec.h"
#include "paths.h"

namespace fovea {
namespace {

/// Files, and what Pillow makes of them (scripts/golden/codecs.py).
const std::map<std::string, Array>& golden() {
  static const std::map<std::string, Array> tensors = [] {
    const SafeTensors file = read_safetensors(tests_folder() + "/golden/codecs.safetensors");
    return std::map<std::string, Array>(file.tensors.begin(), file.tensors.end());
  }();
  return tensors;
}

std::vector<std::byte> file(const std::string& name) {
  const auto bytes = std::as_bytes(golden().at(name + "/webp").data<uint8_t>());
  return {bytes.begin(), bytes.end()};
}

TEST(WebP, LossyLosslessAndAlphaGiveThePixelsOfPillow) {
  for (const std::string name :
       {"lossy", "lossless", "lossy-alpha", "lossless-alpha", "orientation-6"}) {
    const Image image = decode_image(file(name), name);
    const Array& pixels = golden().at(name + "/pixels");
    EXPECT_EQ((Shape{image.height, image.width, image.channels}), pixels.shape()) << name;
    EXPECT_TRUE(std::ranges::equal(image.pixels, pixels.data<uint8_t>())) << name;
  }
}

TEST(WebP, AnAnimationIsRefused) {
  EXPECT_EQ(error_text(ErrorKind::data, [] { decode_image(file("animated"), "a.webp"); }),
            "a.webp: an animated WebP is not a picture\n"
            "  try     save the frame that matters as a picture of its own");
}

TEST(WebP, EveryTruncationIsAnError) {
  for (const std::string name : {"lossy", "lossless", "lossy-alpha"}) {
    const std::vector<std::byte> bytes = file(name);
    for (size_t size = 12; size < bytes.size(); ++size) {
      const std::string text =
          error_text(ErrorKind::data, [&] { decode_image(std::span(bytes).first(size), "cut"); });
      ASSERT_TRUE(text.starts_with("cut: damaged WebP: ")) << name << " " << size << ": " << text;
    }
  }
}

TEST(WebP, AHugeHeaderIsRefusedBeforeAnythingIsAllocated) {
  std::vector<std::byte> bytes = file("lossless");
  // The 14 bits of the width and height after the signature 0x2f, each less one.
  for (size_t i = 21; i < 24; ++i) bytes[i] = std::byte{0xff};
  const std::string text =
      error_text(ErrorKind::data, [&] { decode_image(bytes, "huge.webp", 1'000'000); });
  EXPECT_NE(text.find("pixels, too many to read"), std::string::npos) << text;
}

TEST(WebP, MutatedFilesGiveAPictureOrAnError) {
  Random random(5, "mutations");
  for (const std::string name : {"lossy", "lossless", "lossy-alpha", "orientation-6", "animated"}) {
    for (int trial = 0; trial < 300; ++trial) {
      std::vector<std::byte> bytes = file(name);
      for (uint64_t i = 1 + random.below(4); i-- > 0;)
        bytes[random.below(bytes.size())] = static_cast<std::byte>(random.bits());
      try {
        check(decode_image(bytes, "mutated", 1 << 16));
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::data) << error.what();
      }
    }
  }
}

// The picture is stored on its side, 75 rows of 101 pixels.
TEST(ScaledJpeg, IsAsSmallAsItsMinimumAllowsAndHasThePixelsOfPillow) {
  const auto bytes = std::as_bytes(golden().at("photo/jpeg").data<uint8_t>());
  const auto expect = [&](const MinimumSize& minimum, const std::string& divisor) {
    const Image image = decode_image(bytes, "photo.jpg", default_pixel_limit, minimum);
    const Array& pixels = golden().at("photo/" + divisor);
    EXPECT_EQ((Shape{image.height, image.width, 3}), pixels.shape());
    EXPECT_TRUE(std::ranges::equal(image.pixels, pixels.data<uint8_t>())) << divisor;
  };
  expect({}, "1");
  expect({51, 30}, "1");
  expect({50, 38}, "1");
  expect({50, 37}, "2");
  expect({25, 19}, "2");
  expect({25, 18}, "4");
  expect({12, 9}, "8");
  expect({1, 1}, "8");
}

}  // namespace
}  // namespace fovea
