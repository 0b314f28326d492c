#include "fovea/audio/wav.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "audio/wav_bytes.h"
#include "error_text.h"
#include "fovea/core/random.h"

namespace fovea {
namespace {

FileBytes bytes_of(const std::string& text) {
  const auto owner = std::make_shared<std::string>(text);
  return {std::as_bytes(std::span(*owner)), owner};
}

Wav wav_of(const std::string& text) { return Wav(bytes_of(text), "sound.wav"); }

std::string failure(const std::string& text) {
  return error_text(ErrorKind::data, [&] {
    const Wav wav = wav_of(text);
    (void)wav.samples(0, wav.frames());
  });
}

std::vector<double> values(const Array& array) {
  std::vector<double> all;
  for (int64_t i = 0; i < array.numel(); ++i) all.push_back(array.at(i));
  return all;
}

TEST(Wav, IntegersOfEverySizeBecomeNumbersFromMinus1To1) {
  WavBytes eight{.bits = 8};
  eight.data = std::string("\x80\x00\xff\xc0", 4);
  EXPECT_EQ(values(wav_of(eight.text()).samples(0, 4)),
            (std::vector<double>{0, -1, 127.0 / 128, 0.5}));
  WavBytes sixteen;
  sixteen.add(uint16_t{0}).add(uint16_t{0x8000}).add(uint16_t{0x4000}).add(uint16_t{0xffff});
  EXPECT_EQ(values(wav_of(sixteen.text()).samples(0, 4)),
            (std::vector<double>{0, -1, 0.5, -1.0 / 32768}));
  WavBytes twenty_four{.bits = 24};
  twenty_four.data = std::string("\0\0\x80\0\0\x40\xff\xff\xff", 9);
  EXPECT_EQ(values(wav_of(twenty_four.text()).samples(0, 3)),
            (std::vector<double>{-1, 0.5, -1.0 / 8388608}));
  WavBytes thirty_two{.bits = 32};
  thirty_two.add(uint32_t{0x80000000}).add(uint32_t{0x20000000});
  EXPECT_EQ(values(wav_of(thirty_two.text()).samples(0, 2)), (std::vector<double>{-1, 0.25}));
}

TEST(Wav, FloatsAreKeptAsTheyAre) {
  WavBytes single{.tag = 3, .bits = 32};
  single.add_float(0.25F).add_float(-3);
  EXPECT_EQ(values(wav_of(single.text()).samples(0, 2)), (std::vector<double>{0.25, -3}));
  WavBytes wide{.tag = 3, .bits = 64};
  wide.add(std::bit_cast<uint64_t>(0.125));
  EXPECT_EQ(values(wav_of(wide.text()).samples(0, 1)), (std::vector<double>{0.125}));
}

TEST(Wav, ExtensibleFilesAndUnknownChunksAreRead) {
  WavBytes wav{.tag = 3, .bits = 32, .extensible = true};
  wav.before = WavBytes::chunk("LIST", "odd") + WavBytes::chunk("fact", "1234");
  wav.add_float(0.5F);
  const Wav read = wav_of(wav.text());
  EXPECT_EQ(read.rate(), 16000);
  EXPECT_EQ(values(read.samples(0, 1)), (std::vector<double>{0.5}));
}

TEST(Wav, ChannelsAreTakenApartAndMixed) {
  WavBytes stereo{.channels = 2, .rate = 44100};
  for (const int value : {100, -300, 200, -400})
    stereo.add(static_cast<uint16_t>(static_cast<int16_t>(value)));
  const Wav wav = wav_of(stereo.text());
  EXPECT_EQ(wav.channels(), 2);
  EXPECT_EQ(wav.frames(), 2);
  const Array both = wav.samples(0, 2);
  EXPECT_EQ(both.shape(), (Shape{2, 2}));
  EXPECT_EQ(both.at(1), 200.0 / 32768);
  EXPECT_EQ(both.at(2), -300.0 / 32768);
  EXPECT_EQ(values(mono(both)), (std::vector<double>{-100.0 / 32768, -100.0 / 32768}));
  EXPECT_EQ(wav.samples(1, 1).at(0), 200.0 / 32768);
}

// Programs that write to a pipe cannot know the size of what follows.
TEST(Wav, AnOpenEndIsTheEndOfTheFile) {
  std::string text = tone(440, 0.01).text();
  const size_t at = text.find("data") + 4;
  text.replace(at, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(wav_of(text).frames(), 160);
}

TEST(Wav, WhatIsWrongWithAFileIsSaid) {
  EXPECT_EQ(failure("<html>not found</html>"),
            "sound.wav: not a WAV file\n"
            "  expected \"RIFF\", a size and \"WAVE\" at its beginning\n"
            "  try      ffmpeg -i sound.wav sound.wav");
  const std::string good = tone(440, 0.01).text();
  EXPECT_EQ(failure(good.substr(0, good.size() - 10)),
            "sound.wav: cut off\n"
            "  chunk    data\n"
            "  expected 320 bytes\n"
            "  found    310 bytes");
  EXPECT_EQ(failure(WavBytes{}.text()), "sound.wav: has no samples");
  EXPECT_EQ(failure(good.substr(0, good.find("data"))),
            "sound.wav: has no samples: no \"data\" chunk");
  WavBytes law{.tag = 7, .bits = 8, .data = "1234"};
  EXPECT_EQ(failure(law.text()),
            "sound.wav: its samples are in mu-law\n"
            "  expected PCM or floats\n"
            "  try      ffmpeg -i sound.wav -c:a pcm_s16le sound.wav");
  WavBytes twelve{.bits = 12, .data = "1234"};
  EXPECT_EQ(failure(twelve.text()),
            "sound.wav: its samples have 12 bits\n"
            "  expected integers of 8, 16, 24 or 32 bits");
  WavBytes silent{.channels = 0, .data = "1234"};
  EXPECT_EQ(failure(silent.text()), "sound.wav: it has 0 channels\n  expected 1 to 256");
  WavBytes still{.rate = 0, .data = "1234"};
  EXPECT_EQ(failure(still.text()), "sound.wav: its rate is 0 Hz\n  expected 1 to 1000000");
  WavBytes infinite{.tag = 3, .bits = 32};
  infinite.add_float(0).add_float(std::numeric_limits<float>::infinity());
  EXPECT_EQ(failure(infinite.text()),
            "sound.wav: a sample is not a finite number\n"
            "  at      frame 1, channel 0");
  EXPECT_NE(error_text(ErrorKind::data, [] { (void)Wav("missing.wav"); }).find("missing.wav"),
            std::string::npos);
}

// Whatever is in a file, it is read or refused: no crash, no endless loop, no wrong access.
TEST(Wav, DamagedFilesAreReadOrRefused) {
  WavBytes source{.channels = 2, .extensible = true};
  source.before = WavBytes::chunk("LIST", "some text");
  source.data = tone(300, 0.02).data;
  const std::string good = source.text();
  Random random(1, "mutations");
  int read = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = good;
    const auto place = [&] {
      return static_cast<size_t>(random.below(std::min<size_t>(bytes.size(), 120)));
    };
    for (uint64_t change = 0; change <= random.below(3); ++change) {
      if (bytes.empty()) break;
      if (random.below(4) == 0) bytes.resize(static_cast<size_t>(random.below(bytes.size())) + 1);
      if (random.below(4) == 0) bytes.insert(place(), good.substr(place(), random.below(40)));
      bytes[place()] = static_cast<char>(random.below(256));
    }
    try {
      const Wav wav = wav_of(bytes);
      (void)wav.samples(0, wav.frames());
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::data) << error.what();
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_LT(read, 3900);
}

}  // namespace
}  // namespace fovea
