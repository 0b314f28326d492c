#include "fovea/images/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "images/golden.h"
#include "images/png16.h"
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

// Palettes, single bits, 16 bits, alpha, interlacing; CMYK and YCCK, progressive, arithmetic, every
// sampling of colours, old revisions, stray bytes; all eight orientations, wherever they are
// stored.
TEST(Decode, EveryPngAndJpegThatPillowReadsGivesItsPixels) {
  const auto keys = golden_files();
  EXPECT_EQ(keys.size(), 45u);
  for (const std::string& key : keys) {
    const Image expected = golden_image(key.substr(0, key.find('/')) + "/pixels");
    EXPECT_TRUE(decode_image(golden_file(key), key) == expected) << key;
  }
}

TEST(Decode, TheSizeIsKnownWithoutDecoding) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "image";
  for (const std::string& key : golden_files()) {
    const Bytes bytes = bytes_of(key);
    replace_file(path, [&](const Sink& sink) { sink(bytes); });
    const Image expected = golden_image(key.substr(0, key.find('/')) + "/pixels");
    EXPECT_EQ(image_size(path), (ImageSize{expected.height, expected.width})) << key;
  }
  replace_file(path, "GIF89a");
  expect_error(ErrorKind::data, "not a PNG, JPEG or WebP", [&] { image_size(path); });
  // A thumbnail of any length may come before what tells the size.
  Bytes jpeg = bytes_of("progressive/jpeg");
  const ImageSize size = [&] {
    const Image image = decode_image(jpeg, "jpeg");
    return ImageSize{image.height, image.width};
  }();
  Bytes segment(65'537, std::byte{0});
  segment[0] = std::byte{0xff};
  segment[1] = std::byte{0xe2};
  segment[2] = segment[3] = std::byte{0xff};
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  replace_file(path, [&](const Sink& sink) { sink(jpeg); });
  EXPECT_EQ(image_size(path), size);
}

TEST(Decode, GrayAndRgbAreAsPillowConverts) {
  const Image rgb = golden_image("rgb-png/pixels");
  EXPECT_TRUE(to_gray(rgb) == golden_image("to-gray/pixels"));
  const Image gray{1, 2, 1, {7, 9}};
  EXPECT_EQ(to_rgb(gray).pixels, (std::vector<uint8_t>{7, 7, 7, 9, 9, 9}));
  EXPECT_EQ(to_rgb(Image{1, 1, 4, {1, 2, 3, 0}}).pixels, (std::vector<uint8_t>{1, 2, 3}));
}

// A 2x1 PNG of 16-bit gray, 0x1234 and 0xfeff.
TEST(Decode, SixteenBitsKeepTheirRangeOrTheUpperEight) {
  const unsigned char png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
      0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00,
      0x00, 0x81, 0xd9, 0xfc, 0x15, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
      0x9c, 0x63, 0x10, 0x32, 0xf9, 0xf7, 0x1f, 0x00, 0x03, 0xe4, 0x02, 0x44, 0x69, 0x2e,
      0x3c, 0xea, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  const Image image = decode_image(std::as_bytes(std::span(png)), "sixteen.png");
  EXPECT_TRUE(image == (Image{1, 2, 1, {0x12, 0xfe}}));
  const AnyImage any = decode_any_image(std::as_bytes(std::span(png)), "sixteen.png");
  EXPECT_TRUE(std::get<Image16>(any) == (Image16{1, 2, 1, {0x1234, 0xfeff}}));
}

// Gray, RGB and RGBA of 16 bits, as libpng writes them; 8 bits stay 8 bits.
TEST(Decode, SixteenBitsOfEveryKindGiveTheValuesOfTheFile) {
  TemporaryFolder folder;
  for (const int channels : {1, 3, 4}) {
    Image16 image = Image16::black(5, 3, channels);
    Random random(1, "sixteen", static_cast<uint64_t>(channels));
    for (uint16_t& value : image.pixels) value = static_cast<uint16_t>(random.bits());
    const std::filesystem::path path = folder / "a.png";
    put_png16(path, image);
    EXPECT_TRUE(std::get<Image16>(decode_any_image(path)) == image) << channels;
    Image upper = Image::black(5, 3, channels);
    for (size_t i = 0; i < image.pixels.size(); ++i)
      upper.pixels[i] = static_cast<uint8_t>(image.pixels[i] >> 8);
    EXPECT_TRUE(decode_image(path) == upper) << channels;
    encode_png(path, upper);
    EXPECT_TRUE(std::get<Image>(decode_any_image(path)) == upper) << channels;
  }
}

TEST(Decode, DepthsConvertWithBlackAndWhiteInPlace) {
  const Image16 deep = to_16_bits(Image{1, 3, 1, {0, 128, 255}});
  EXPECT_EQ(deep.pixels, (std::vector<uint16_t>{0, 0x8080, 0xffff}));
  EXPECT_EQ(to_8_bits(deep).pixels, (std::vector<uint8_t>{0, 128, 255}));
}

// A truncated download must not be trained on as a picture that is half gray. The last 12 bytes of
// a PNG are only its end marker.
TEST(Decode, EveryTruncationOfPixelsIsAnError) {
  for (const std::string key : {"rgb-png/png", "palette/png", "one-bit/png", "rgb-jpeg/jpeg",
                                "progressive/jpeg", "cmyk/jpeg", "orientation-6/jpeg"}) {
    const auto original = golden_file(key);
    const size_t end = original.size() - (key.ends_with("/png") ? 12 : 0);
    for (size_t size = 0; size < end; ++size) {
      const std::string text =
          error_text(ErrorKind::data, [&] { decode_image(original.first(size), "cut"); });
      ASSERT_TRUE(text.starts_with("cut: ")) << key << " " << size << ": " << text;
    }
    for (size_t size = end; size < original.size(); ++size) {
      ASSERT_TRUE(decode_image(original.first(size), "cut") == decode_image(original, "original"))
          << key;
    }
  }
  expect_error(ErrorKind::data, "cut: damaged PNG: the file ends too early\n  offset  100",
               [] { decode_image(golden_file("rgb-png/png").first(100), "cut"); });
}

/// The JPEG with bytes inserted before the last marker of that kind.
Bytes with_bytes(const std::string& key, uint8_t marker, const std::string& inserted) {
  Bytes bytes = bytes_of(key);
  const std::array wanted{std::byte{0xff}, std::byte{marker}};
  const auto at = std::find_end(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  const auto added = std::as_bytes(std::span(inserted));
  bytes.insert(at, added.begin(), added.end());
  return bytes;
}

// Inside a scan they are encoded pixels that the decoder could not interpret.
TEST(Decode, StrayBytesInsideAScanAreDamage) {
  const Bytes bytes = with_bytes("restarts/jpeg", 0xd1, "abc");
  expect_error(ErrorKind::data,
               "odd.jpg: damaged JPEG: Corrupt JPEG data: 3 extraneous bytes before marker 0xd",
               [&] { decode_image(bytes, "odd.jpg"); });
}

// A file of 100 KB must not keep the decoder busy for an hour.
TEST(Decode, ThousandsOfScansAreRefused) {
  const Bytes original = bytes_of("scan-each/jpeg");
  const std::array start{std::byte{0xff}, std::byte{0xda}};
  const auto last = std::find_end(original.begin(), original.end(), start.begin(), start.end());
  Bytes bomb(original.begin(), original.end() - 2);
  for (int i = 0; i < 5000; ++i) bomb.insert(bomb.end(), last, original.end() - 2);
  expect_error(ErrorKind::data, "bomb.jpg: damaged JPEG: it has more than 100 scans",
               [&] { decode_image(bomb, "bomb.jpg"); });
}

TEST(Decode, AJpegOfAnotherKindSaysWhatToConvertItTo) {
  const auto refused = [](size_t offset, uint8_t value) {
    Bytes bytes = bytes_of("gray-jpeg/jpeg");
    const std::array frame{std::byte{0xff}, std::byte{0xc0}};
    const auto at = std::search(bytes.begin(), bytes.end(), frame.begin(), frame.end());
    at[static_cast<std::ptrdiff_t>(offset)] = std::byte{value};
    return error_text(ErrorKind::data, [&] { decode_image(bytes, "odd.jpg"); });
  };
  const std::string advice = "\n  try     convert it to an ordinary 8-bit JPEG, or to PNG";
  EXPECT_EQ(
      refused(4, 12),
      "odd.jpg: this kind of JPEG cannot be read: Unsupported JPEG data precision 12" + advice);
  EXPECT_EQ(refused(1, 0xc3),
            "odd.jpg: this kind of JPEG cannot be read: Unsupported JPEG process: SOF type 0xc3" +
                advice);
}

std::string exif_block(std::string_view directory) {
  return std::string("Exif\0\0MM\0*\0\0\0\x08", 14) + std::string(directory);
}

/// The upright JPEG with an APP1 segment of that body.
Image with_app1(const std::string& body) {
  const size_t length = body.size() + 2;
  const std::string segment = std::string("\xff\xe1") + static_cast<char>(length >> 8) +
                              static_cast<char>(length & 255) + body;
  return decode_image(with_bytes("rgb-jpeg/jpeg", 0xda, segment), "camera.jpg");
}

// The pixels are intact whatever the block says, and the thumbnail's orientation is not theirs.
TEST(Decode, OnlyAWellFormedOrientationOfTheImageCounts) {
  using namespace std::string_view_literals;
  const Image image = golden_image("rgb-jpeg/pixels");
  const std::string turned = exif_block("\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"sv);
  EXPECT_EQ(with_app1(turned).height, image.width);
  for (size_t size = 0; size < turned.size() - 6; ++size) {
    EXPECT_TRUE(with_app1(turned.substr(0, size)) == image) << size;
  }
  const std::string thumbnail =
      exif_block("\0\0\0\0\0\x0e\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"sv);
  EXPECT_TRUE(with_app1(thumbnail) == image);
  for (const auto& [at, value] : {std::pair{9, '+'},
                                  {13, '\x7f'},
                                  {19, '\5'},
                                  {23, '\0'},
                                  {23, '\x40'},
                                  {25, '\0'},
                                  {25, '\x09'}}) {
    std::string broken = turned;
    broken[static_cast<size_t>(at)] = value;
    EXPECT_TRUE(with_app1(broken) == image) << at;
  }
  EXPECT_TRUE(with_app1(std::string("http://ns.adobe.com/xap/1.0/\0", 29) +
                        "<x tiff:Orientation=\"6\"/>") == image);
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
  expect_error(ErrorKind::data,
               "bomb.png: its header declares 2147483647x2147483647 pixels, too many",
               [&] { decode_image(png, "bomb.png"); });
  set_big32(png, 16, 8000);
  set_big32(png, 20, 8000);
  expect_error(ErrorKind::data, "bytes cannot hold the 8000x8000 pixels that its header declares",
               [&] { decode_image(png, "bomb.png"); });
  set_big32(png, 16, 0);
  expect_error(ErrorKind::data, "8000x0 pixels", [&] { decode_image(png, "bomb.png"); });

  Bytes jpeg = bytes_of("rgb-jpeg/jpeg");
  const std::array frame{std::byte{0xff}, std::byte{0xc0}};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  ASSERT_NE(at, jpeg.end());
  set_big32(jpeg, static_cast<size_t>(at - jpeg.begin()) + 5, 0xea60ea60);
  expect_error(ErrorKind::data,
               "bomb.jpg: its header declares 60000x60000 pixels, too many to read",
               [&] { decode_image(jpeg, "bomb.jpg"); });

  set_big32(jpeg, static_cast<size_t>(at - jpeg.begin()) + 5, 0x1f401f40);
  expect_error(ErrorKind::data, "bytes cannot hold the 8000x8000 pixels that its header declares",
               [&] { decode_image(jpeg, "bomb.jpg"); });

  expect_error(
      ErrorKind::data,
      "21x34 pixels, too many to read\n  pixels  714\n  limit   700\n  try     --max-pixels 714, ",
      [] { decode_image(golden_file("rgb-png/png"), "small", 700); });
}

TEST(Decode, ToldApartByContentNotByName) {
  TemporaryFolder folder;
  const auto path = folder / "really-a-jpeg.png";
  const auto bytes = golden_file("rgb-jpeg/jpeg");
  put(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  EXPECT_TRUE(decode_image(path) == golden_image("rgb-jpeg/pixels"));
  put(folder / "text.jpg", "hello");
  expect_error(ErrorKind::data, "text.jpg: not a PNG, JPEG or WebP",
               [&] { decode_image(folder / "text.jpg"); });
  put(folder / "empty.jpg", "");
  expect_error(ErrorKind::data, "empty.jpg: the file is empty",
               [&] { decode_image(folder / "empty.jpg"); });
  expect_error(ErrorKind::data, "No such file", [&] { decode_image(folder / "none.png"); });
}

TEST(EncodePng, FastOnesReadBackToo) {
  for (int channels : {1, 3, 4}) {
    for (int side : {1, 2, 61}) {
      Image image = Image::black(side, 2 * side + 1, channels);
      for (size_t i = 0; i < image.pixels.size(); ++i)
        image.pixels[i] = static_cast<uint8_t>(i * i / 7 + i % 13);
      const std::string bytes = png_bytes(image, PngEffort::fast);
      EXPECT_EQ(bytes, png_bytes(image, PngEffort::fast));
      EXPECT_EQ(decode_image(std::as_bytes(std::span(bytes)), "fast.png"), image)
          << channels << " " << side;
    }
  }
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
  for (const char* other : {"c.jpg", "c.JPEG", "c.svg"}) {
    expect_error(ErrorKind::usage, std::string(other) + ": pictures are written as PNG, not",
                 [&] { encode_png(other, Image::black(1, 1, 1)); });
  }
}

}  // namespace
}  // namespace fovea
