#include "fovea/audio/mel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/audio/fft.h"
#include "fovea/audio/resample.h"
#include "golden_fill.h"

namespace fovea {
namespace {

const std::map<std::string, Array>& golden() {
  static const std::map<std::string, Array> file = golden_fill::file("audio");
  return file;
}

std::vector<double> exact_signal(int64_t size) {
  const golden_fill::Words words("signal " + std::to_string(size));
  std::vector<double> signal;
  for (int64_t i = 0; i < size; ++i) signal.push_back(words.uniform(i));
  return signal;
}

std::vector<float> signal(int64_t size) {
  const std::vector<double> exact = exact_signal(size);
  return {exact.begin(), exact.end()};
}

/// Equal within 1e-4, relative to values above 1.
void expect_near(const Array& got, const Array& want, const std::string& what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  for (int64_t i = 0; i < got.numel(); ++i) {
    ASSERT_NEAR(got.at(i), want.at(i), 1e-4 * std::max(1.0, std::abs(want.at(i))))
        << what << ", " << i;
  }
}

TEST(Fft, IsNumPysForSizesWithAnyFactors) {
  for (const int64_t size : {1, 2, 7, 30, 64, 97, 400}) {
    const std::vector<double> exact = exact_signal(size);
    const std::vector<Fft::Complex> in(exact.begin(), exact.end());
    std::vector<Fft::Complex> out(in.size());
    const Fft fft(size);
    fft(in, out);
    const Array& want = golden().at("fft/" + std::to_string(size));
    for (int64_t k = 0; k < size; ++k) {
      EXPECT_NEAR(out[static_cast<size_t>(k)].real(), want.at(k), 1e-10) << size;
      EXPECT_NEAR(out[static_cast<size_t>(k)].imag(), want.at(size + k), 1e-10) << size;
    }
  }
}

TEST(Mel, SpectrogramsAreThoseOfTorchaudioAndLibrosa) {
  for (const auto convention : {MelConvention::torchaudio, MelConvention::librosa}) {
    const std::string library(enum_names(convention)[static_cast<size_t>(convention)]);
    const Mel mel({.rate = 8000, .n_fft = 256, .hop = 100, .mels = 24, .convention = convention});
    const std::vector<float> x = signal(4000);
    expect_near(mel.mel(x), golden().at(library + "/mel"), library + "/mel");
    expect_near(mel.log_mel(x), golden().at(library + "/log_mel"), library + "/log_mel");
    expect_near(mel.mfcc(x, 13), golden().at(library + "/mfcc"), library + "/mfcc");
    const Mel odd({.rate = 11025, .n_fft = 255, .hop = 100, .mels = 20, .convention = convention});
    expect_near(odd.mel(x), golden().at(library + "/odd"), library + "/odd");
  }
}

TEST(Mel, AToneIsInItsBand) {
  std::vector<float> tone;
  for (int i = 0; i < 8000; ++i)
    tone.push_back(static_cast<float>(std::sin(2 * 3.14159265358979 * 1000 * i / 8000)));
  const Mel mel({.rate = 8000, .n_fft = 400, .hop = 80, .mels = 40});
  const Array power = mel.spectrogram(tone);
  EXPECT_EQ(power.shape(), (Shape{201, 101}));
  const auto loudest = [](const Array& map) {
    int64_t best = 0;
    for (int64_t k = 0; k < map.dim(0); ++k) {
      if (map.at(k * map.dim(1) + 50) > map.at(best * map.dim(1) + 50)) best = k;
    }
    return best;
  };
  EXPECT_EQ(loudest(power), 50);  // of 20 Hz each
  // Band 18 of 40 is around 1 kHz: 1000 mel of 2146.
  EXPECT_NEAR(static_cast<double>(loudest(mel.log_mel(tone))), 18, 1);
}

TEST(Mel, WhatCannotBeIsRefused) {
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)Mel({.n_fft = 1}); }).substr(0, 62),
            "mel: n_fft and rate must be 2 or more, hop and mels 1 or more\n");
  const Mel mel({});
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)mel.log_mel(signal(200)); }),
            "mel: a signal of 200 samples is too short\n  expected more than 200, half of n_fft");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)mel.mfcc(signal(500), 65); }),
            "mfcc: 65 coefficients of 64 bands\n  expected 1 to 64");
}

TEST(Resample, IsTorchaudios) {
  for (const auto& [from, to] : std::vector<std::pair<int64_t, int64_t>>{
           {44100, 16000}, {8000, 16000}, {16000, 8000}, {22050, 16000}, {48000, 44100}}) {
    const std::string name = fmt::format("torchaudio/resample {} {}", from, to);
    const Array& want = golden().at(name);
    const std::vector<float> got = resample(signal(500), from, to);
    ASSERT_EQ(std::ssize(got), want.numel()) << name;
    for (int64_t i = 0; i < want.numel(); ++i)
      ASSERT_NEAR(got[static_cast<size_t>(i)], want.at(i), 1e-6) << name << ", " << i;
  }
  EXPECT_EQ(resample(signal(500), 8000, 8000), signal(500));
  EXPECT_TRUE(resample({}, 8000, 16000).empty());
  EXPECT_EQ(error_text(ErrorKind::usage, [] { (void)resample({}, 0, 1); }),
            "resample: from 0 Hz to 1 Hz\n  expected rates of at least 1 Hz");
}

}  // namespace
}  // namespace fovea
