#include "fovea/data/sound.h"

#include <fmt/format.h>

#include <set>

#include "audio/wav_bytes.h"
#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/check.h"
#include "fovea/data/image_files.h"
#include "fovea/data/loader.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

Bytes bytes_of(const WavBytes& wav) {
  const std::string text = wav.text();
  return {text.begin(), text.end()};
}

/// Low and high tones in folders of their own, of different rates and lengths.
class Sounds : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 6; ++i) {
      const std::string name = "/" + std::to_string(i) + ".wav";
      folder_.write("low" + name, bytes_of(tone(300 + 10 * i, 0.2 + 0.05 * i)));
      folder_.write("high" + name, bytes_of(tone(2000 + 50 * i, 0.3, i % 2 == 0 ? 8000 : 22050)));
    }
    folder_.write("notes.txt", {});
  }
  std::string spec(const std::string& options = "") const {
    return "sound:" + folder_.path().string() + options;
  }
  TempFolder folder_;
};

TEST_F(Sounds, FoldersAreClassesAndEverySoundGivesAnInputOfOneSize) {
  const DataSets sets = open(spec(",rate=8000,seconds=0.25,mels=20"));
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"high", "low"}));
  EXPECT_EQ(sets.train->size() + sets.test->size(), 12);
  const Type input{DType::f32, {1, 20, 13}};
  EXPECT_EQ(sets.train->input(), input);
  ASSERT_NE(sets.train->modality(), nullptr);
  EXPECT_EQ(sets.train->modality()->text(), "sound:8000:0.25:log-mel:torchaudio:400:160:20");
  for (int64_t i = 0; i < sets.train->size(); ++i) {
    const Sample sample = sets.train->sample(i);
    EXPECT_EQ(sample.input.shape(), input.shape);
    EXPECT_EQ(sets.targets().names[static_cast<size_t>(class_of(*sets.train, i))] == "low",
              sets.train->name(i).find("/low/") != std::string::npos);
  }
  EXPECT_TRUE(reads_files(*sets.train));
  EXPECT_TRUE(find_bad(*sets.train).empty());
}

// A short sound lies in the middle of zeros, and of a long one the middle is taken.
TEST_F(Sounds, ShortOnesArePaddedAndLongOnesCropped) {
  WavBytes steps{.rate = 8000};
  for (int i = 0; i < 8000; ++i) steps.add(static_cast<uint16_t>(i < 3800 || i > 4200 ? 0 : 8192));
  const auto path = folder_.write("steps.wav", bytes_of(steps));
  const auto wave = [&](double seconds) {
    return make_modality("sound:8000:" + std::to_string(seconds) + ":wave")->read(path);
  };
  const Array part = wave(0.04), all = wave(1.5);
  EXPECT_EQ(part.shape(), (Shape{1, 320}));
  EXPECT_EQ(part.at(0), 0.25);
  EXPECT_EQ(part.at(319), 0.25);
  EXPECT_EQ(all.shape(), (Shape{1, 12000}));
  EXPECT_EQ(all.at(2000 + 3799), 0);
  EXPECT_EQ(all.at(2000 + 3800), 0.25);
  EXPECT_EQ(all.at(11999), 0);
}

// A second of sound, whose samples say when they were.
TEST_F(Sounds, ATimeCropReadsARandomStretchInEachEpoch) {
  for (const char* name : {"low", "high"}) {
    for (int i = 0; i < 6; ++i) {
      WavBytes ramp{.rate = 8000};
      for (int k = 0; k < 8000; ++k) ramp.add(static_cast<uint16_t>(k));
      folder_.write(fmt::format("{}/{}.wav", name, i), bytes_of(ramp));
    }
  }
  const auto place = [](const Array& wave) { return std::lround(32768 * wave.at(0)); };
  const DataSets sets = open(spec(",rate=8000,seconds=0.25,features=wave"));
  EXPECT_EQ(place(sets.train->sample(0).input), 3000) << "the middle";
  EXPECT_EQ(place(sets.train->stretch(0, 0)), 0);
  EXPECT_EQ(place(sets.train->stretch(0, 1)), 6000);
  const auto epoch = [&](uint64_t seed, int64_t number) {
    Loader loader(sets.train,
                  {.batch = 4, .seed = seed, .augment = Augmentation::parse("time-crop")});
    loader.start(number);
    std::vector<int64_t> places;
    while (auto batch = loader.next()) {
      for (int64_t i = 0; i < batch->size(); ++i) {
        const float* const wave = batch->inputs.data<float>().data() + 2000 * i;
        places.push_back(std::lround(32768 * wave[0]));
        EXPECT_NEAR(32768 * wave[1999], static_cast<double>(places.back() + 1999), 0.01);
      }
    }
    return places;
  };
  const std::vector<int64_t> first = epoch(1, 0);
  EXPECT_EQ(epoch(1, 0), first);
  EXPECT_NE(epoch(1, 1), first);
  EXPECT_NE(epoch(2, 0), first);
  EXPECT_GT(std::set(first.begin(), first.end()).size(), first.size() - 2);
  EXPECT_EQ(Augmentation::parse("time-crop").text(), "time-crop");
}

TEST(SignalTransforms, ATimeCropIsForRecordings) {
  const auto images =
      std::make_shared<ArrayDataset>(Array::full(DType::u8, {4, 8, 8, 3}, 0),
                                     Array::full(DType::i64, {4}, 0), class_targets({"a", "b"}));
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] { Loader(images, {.augment = Augmentation::parse("time-crop")}); }),
            "--augment: time-crop needs recordings that may be longer than the net's input\n"
            "  found   images\n"
            "  try     sound:DIR, clips:DIR, or series with length=N,longer=middle");
}

TEST_F(Sounds, AModalityReadsItsOwnText) {
  for (const std::string text :
       {"sound", "sound:8000", "sound:16000:0.5:wave", "sound:8000:1:mfcc:librosa:512:128:40:13",
        "sound:16000:1:log-mel:torchaudio:400:160:64:40:2"}) {
    EXPECT_EQ(make_modality(text)->text(), text);
  }
  EXPECT_EQ(make_modality("sound:8000:1:mfcc:librosa:512:128:40:13")->input(),
            (Type{DType::f32, {1, 13, 63}}));
  EXPECT_TRUE(make_modality("sound")->takes("a/B.WAV"));
  EXPECT_FALSE(make_modality("sound")->takes("a/b.mp3"));
  EXPECT_EQ(error_of([] { (void)make_modality("smell:3"); }).headline(),
            "unknown modality \"smell\"");
}

TEST_F(Sounds, OptionsAreCheckedAndKeptWhereAPathBecomesAbsolute) {
  EXPECT_EQ(
      error_text(ErrorKind::usage, [&] { (void)open(spec(",seconds=0")); }),
      "data set sound: seconds must be a number above 0 and at most 600, not \"0\"\n"
      "  known   rate, seconds, features, convention, n_fft, hop, mels, coefficients, channels\n"
      "  try     --data sound:DIR,rate=16000");
  expect_error(ErrorKind::usage, "data set sound has no argument \"speed\"",
               [&] { (void)open(spec(",speed=2")); });
  expect_error(ErrorKind::usage, "100 samples are too few for windows of 400",
               [&] { (void)open(spec(",rate=1000,seconds=0.1")); });
  expect_error(ErrorKind::usage, "80 coefficients of 64 mels",
               [&] { (void)open(spec(",features=mfcc,coefficients=80")); });
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(from_anywhere("sound:a/../words,rate=8000,mels=20"),
            "sound:" + here + "/words,rate=8000,mels=20");
  EXPECT_EQ(from_anywhere("sound:words, and more"), "sound:" + here + "/words, and more");
}

TEST_F(Sounds, ChannelsAreMixedOrKept) {
  WavBytes stereo{.channels = 2, .rate = 8000};
  for (int i = 0; i < 4000; ++i) stereo.add(uint16_t{8192}).add(uint16_t{0});
  const auto path = folder_.write("stereo.wav", bytes_of(stereo));
  EXPECT_EQ(make_modality("sound:8000:0.5:wave")->read(path).at(0), 0.125);
  const Array both = make_modality("sound:8000:0.5:wave:torchaudio:400:160:64:40:2")->read(path);
  EXPECT_EQ(both.shape(), (Shape{2, 4000}));
  EXPECT_EQ(both.at(0), 0.25);
  EXPECT_EQ(both.at(4000), 0);
  expect_error(ErrorKind::data, "0.wav: has 1 channel", [&] {
    (void)make_modality("sound:8000:0.5:wave:torchaudio:400:160:64:40:2")
        ->read(folder_ / "low/0.wav");
  });
}

TEST_F(Sounds, StatisticsAreOfAllNumbersOfAChannel) {
  const DataSets sets = open(spec(",features=wave,rate=8000,seconds=0.1"));
  double sum = 0, squares = 0, count = 0;
  for (int64_t i = 0; i < sets.train->size(); ++i) {
    const Array input = sets.train->sample(i).input;
    for (const float value : input.data<float>()) {
      sum += value;
      squares += static_cast<double>(value) * value;
      ++count;
    }
  }
  const ChannelStats stats = channel_stats(*sets.train);
  ASSERT_EQ(stats.mean.size(), 1u);
  EXPECT_NEAR(stats.mean[0], sum / count, 1e-9);
  EXPECT_NEAR(stats.std[0], std::sqrt(squares / count - sum / count * sum / count), 1e-9);
}

TEST_F(Sounds, BrokenFilesAreFoundAndSkipped) {
  folder_.write("low/broken.wav", Bytes{'R', 'I', 'F', 'F', 1, 2, 3});
  const DataSets sets = open(spec());
  int broken = 0;
  for (const auto& split : {sets.train, sets.test}) {
    for (const BadSample& bad : find_bad(*split)) {
      EXPECT_EQ(bad.message, bad.name + ": not a WAV file");
      ++broken;
    }
  }
  EXPECT_EQ(broken, 1);
  const Report report = check(sets);
  ASSERT_EQ(report.broken.size(), 1u);
  EXPECT_TRUE(report.odd_sizes.empty());
}

TEST_F(Sounds, AFolderWithoutSoundsSaysWhatIsExpected) {
  folder_.write("empty/a/readme.txt", {});
  folder_.write("empty/b/readme.txt", {});
  EXPECT_EQ(
      error_text(ErrorKind::data, [&] { (void)open("sound:" + (folder_ / "empty").string()); }),
      (folder_ / "empty").string() +
          ": no sounds in its class folders\n"
          "  expected one folder per class, FOLDER/CLASS/SOUND.wav, or that in FOLDER/train, "
          "val and test; sounds end in .wav or .wave");
}

TEST_F(Sounds, PicturesAreSpectrogramsAndCurvesWithMapsOverThem) {
  const auto modality = make_modality("sound:8000:0.3:log-mel:torchaudio:400:160:20");
  const Array input = modality->read(folder_ / "low/0.wav");
  const Image plain = modality->picture(input);
  EXPECT_EQ(plain.channels, 3);
  EXPECT_EQ(plain.height % 20, 0);
  EXPECT_GE(plain.height, 160);
  // The tone is below the middle of the picture, where the first bands are.
  const auto brightness = [&](int y) {
    int sum = 0;
    for (int x = 0; x < plain.width; ++x) sum += plain.at(y, x)[1];
    return sum;
  };
  EXPECT_GT(brightness(plain.height - 30), brightness(20));
  const Array map = Array::full(DType::f32, {2, 3}, 0.5);
  const Image explained = modality->picture(input, &map);
  EXPECT_EQ(explained.width, plain.width);
  EXPECT_NE(explained.pixels, plain.pixels);
  const auto wave = make_modality("sound:8000:0.3:wave");
  const Array signal = wave->read(folder_ / "low/0.wav"), line = Array::full(DType::f32, {4}, 1);
  EXPECT_EQ(wave->picture(signal).width, wave->picture(signal, &line).width);
  EXPECT_NE(wave->picture(signal).pixels, wave->picture(signal, &line).pixels);
}

TEST(SignalTransforms, SpecAugmentMasksBandsAndFramesWithTheMean) {
  const auto step = transform("spec-augment:4:6:2:1");
  EXPECT_EQ(step->text(), "spec-augment:4:6:2:1");
  Array input(DType::f32, {1, 20, 30});
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, static_cast<double>(i));
  int64_t widest_bands = 0, widest_frames = 0;
  for (int64_t i = 0; i < 200; ++i) {
    Sample sample{input.clone(), {}};
    TransformContext context(1, "test", 0, 200, i);
    (*step)(sample, context);
    int64_t bands = 0, frames = 0;
    const auto masked = [&](int64_t y, int64_t x) { return sample.input.at(y * 30 + x) == 299.5; };
    for (int64_t y = 0; y < 20; ++y) {
      int64_t row = 0;
      for (int64_t x = 0; x < 30; ++x) row += masked(y, x);
      bands += row == 30;
    }
    for (int64_t x = 0; x < 30; ++x) {
      int64_t column = 0;
      for (int64_t y = 0; y < 20; ++y) column += masked(y, x);
      frames += column == 20;
    }
    widest_bands = std::max(widest_bands, bands);
    widest_frames = std::max(widest_frames, frames);
  }
  EXPECT_EQ(widest_bands, 8);
  EXPECT_EQ(widest_frames, 6);
}

TEST(SignalTransforms, ATimeShiftKeepsAllValuesInTheirChannels) {
  const auto step = transform("time-shift:0.25");
  Array input(DType::f32, {2, 8});
  for (int64_t i = 0; i < 16; ++i) input.set(i, static_cast<double>(i));
  std::set<double> firsts;
  for (int64_t i = 0; i < 100; ++i) {
    Sample sample{input.clone(), {}};
    TransformContext context(1, "test", 0, 100, i);
    (*step)(sample, context);
    firsts.insert(sample.input.at(0));
    for (int64_t k = 0; k < 8; ++k) {
      EXPECT_EQ(sample.input.at(k), std::fmod(sample.input.at(0) + static_cast<double>(k), 8));
      EXPECT_EQ(sample.input.at(8 + k), sample.input.at(k) + 8);
    }
  }
  EXPECT_EQ(firsts, (std::set<double>{0, 1, 2, 6, 7}));
}

TEST(SignalTransforms, EachSaysWhatItIsFor) {
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [] {
                         (void)transform("spec-augment")->output({DType::f32, {1, 100}});
                       }),
            "spec-augment is for spectrograms f32 [C, frequencies, frames]\n"
            "  found   f32[1, 100]");
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [] {
                         (void)transform("time-shift")->output({DType::u8, {8, 8, 3}});
                       }),
            "time-shift is for signals and spectrograms f32 [C, ..., T]\n"
            "  found   u8[8, 8, 3]");
}

}  // namespace
}  // namespace fovea::data
