// Clips: folders of frames, .npy files, and moving items.

#include "fovea/data/clips.h"

#include <cmath>
#include <numbers>
#include <set>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/frames.h"
#include "fovea/data/loader.h"
#include "fovea/data/moving_items.h"
#include "fovea/data/registry.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

/// Two classes of two clips each, whose frames have the brightness 10 t + the clip's number.
class ClipFolder : public testing::Test {
 protected:
  ClipFolder() {
    for (const char* name : {"run", "walk"}) {
      clip(std::string(name) + "/a", 12, 0);
      clip(std::string(name) + "/b", 12, 1);
    }
  }

  void clip(const std::string& name, int frames, int number) const {
    for (int t = 0; t < frames; ++t) {
      Image image = Image::black(20, 20, 3);
      std::ranges::fill(image.pixels, static_cast<uint8_t>(10 * t + number));
      std::filesystem::create_directories(folder_ / name);
      // Without zeros in front: frame 10 comes after frame 9.
      encode_png((folder_ / name) / ("f" + std::to_string(t) + ".png"), image);
    }
  }
  std::string spec(const std::string& options) const {
    return "clips:" + folder_.path().string() + options;
  }
  /// The brightness of each frame of a sample.
  static std::vector<int> levels(const Sample& sample) {
    std::vector<int> all;
    for (int64_t t = 0; t < sample.input.dim(0); ++t)
      all.push_back(static_cast<int>(frame(sample.input, t).at(0)));
    return all;
  }

  TempFolder folder_;
};

/// The sample of that name.
Sample sample_of(const DataSets& sets, const std::string& end) {
  for (const auto& split : {sets.train, sets.test}) {
    for (int64_t i = 0; i < split->size(); ++i) {
      if (split->name(i).ends_with(end)) return split->sample(i);
    }
  }
  ADD_FAILURE() << "no sample " << end;
  return {};
}

TEST_F(ClipFolder, FramesAreTakenByLengthAndStrideFromTheMiddle) {
  const DataSets sets = open(spec(",length=4,stride=2,size=16"));
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"run", "walk"}));
  EXPECT_EQ(sets.train->size() + sets.test->size(), 4);
  EXPECT_EQ(sets.train->input(), (Type{DType::u8, {4, 16, 16, 3}}));
  // Of 12 frames 7 are spanned: 2 before, 3 after.
  EXPECT_EQ(levels(sample_of(sets, "walk/b")), (std::vector<int>{21, 41, 61, 81}));
}

TEST_F(ClipFolder, ATimeCropBeginsAnywhereAndKeepsTheOrder) {
  const DataSets sets = open(spec(",length=4,stride=2,size=16"));
  std::set<int> firsts;
  Loader loader(sets.train, {.augment = Augmentation::parse("time-crop,flip:0.5")});
  for (int64_t epoch = 0; epoch < 40; ++epoch) {
    loader.start(epoch);
    const Batch batch = *loader.next();
    const std::vector<int> seen = levels({frame(batch.inputs, 0), {}});
    firsts.insert(seen[0] / 10);
    for (size_t t = 1; t < seen.size(); ++t) EXPECT_EQ(seen[t], seen[0] + static_cast<int>(t) * 20);
  }
  EXPECT_EQ(firsts, (std::set<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(ClipFolder, TheLastFrameOfAShortClipIsRepeated) {
  clip("run/short", 3, 0);
  const Sample sample = sample_of(open(spec(",length=5,size=16,channels=1")), "run/short");
  EXPECT_EQ(levels(sample), (std::vector<int>{0, 10, 20, 20, 20}));
  EXPECT_EQ(sample.input.dim(3), 1);
}

TEST_F(ClipFolder, SeveralPartsOfAClipAreSamplesThatStayTogether) {
  const DataSets sets = open(spec(",length=4,size=16,windows=3"));
  EXPECT_EQ(sets.train->size() + sets.test->size(), 12);
  EXPECT_EQ(levels(sample_of(sets, "walk/a, part 1")), (std::vector<int>{0, 10, 20, 30}));
  EXPECT_EQ(levels(sample_of(sets, "walk/a, part 2")), (std::vector<int>{40, 50, 60, 70}));
  EXPECT_EQ(levels(sample_of(sets, "walk/a, part 3")), (std::vector<int>{80, 90, 100, 110}));
  std::set<std::string> trained;
  for (int64_t i = 0; i < sets.train->size(); ++i)
    trained.insert(sets.train->name(i).substr(0, sets.train->name(i).find(',')));
  for (int64_t i = 0; i < sets.test->size(); ++i) {
    const std::string name = sets.test->name(i);
    EXPECT_FALSE(trained.contains(name.substr(0, name.find(',')))) << name;
  }
}

TEST_F(ClipFolder, ArraysOfPixelsAndOfNumbersAreTheSame) {
  Array pixels(DType::u8, {3, 4, 16, 16}), numbers(DType::f32, {3, 4, 16, 16});
  for (int64_t i = 0; i < pixels.numel(); ++i) {
    pixels.set(i, static_cast<double>(i % 256));
    numbers.set(i, static_cast<double>(i % 256) / 255);
  }
  write_npy(folder_ / "walk/pixels.npy", pixels);
  write_npy(folder_ / "walk/numbers.npy", numbers);
  const DataSets sets = open(spec(",length=4,size=16"));
  const Array x = sample_of(sets, "pixels.npy").input, y = sample_of(sets, "numbers.npy").input;
  for (int64_t i = 0; i < x.numel(); ++i) ASSERT_EQ(x.at(i), y.at(i)) << i;
  // Frame 1, row 2, column 3, channel 2 of [C, T, H, W].
  EXPECT_EQ(x.at(((1 * 16 + 2) * 16 + 3) * 3 + 2), ((2 * 4 + 1) * 256 + 2 * 16 + 3) % 256);
}

TEST_F(ClipFolder, AVideoIsRefusedWithTheCommandThatMakesFramesOfIt) {
  folder_.write("run/c d.mp4", {1, 2, 3});
  const std::string file = (folder_ / "run/c d.mp4").string(),
                    name = file.substr(0, file.size() - 4);
  const std::string text = error_text(ErrorKind::data, [&] { (void)open(spec("")); });
  EXPECT_EQ(text,
            file + ": a video, which is not decoded: a folder of its frames is\n  try     mkdir '" +
                name + "' && ffmpeg -i '" + file + "' -vf fps=15 -q:v 3 '" + name + "'/%06d.jpg");
  clip("run/c d", 3, 0);  // as it does
  EXPECT_EQ(levels(sample_of(open(spec(",length=2,size=16")), "run/c d")).size(), 2u);
}

TEST_F(ClipFolder, BrokenFramesAndArraysAreNamed) {
  const auto fails = [&](const std::string& part) {
    expect_error(ErrorKind::data, part, [&] {
      const DataSets sets = open(spec(",length=4,size=16"));
      for (const auto& split : {sets.train, sets.test}) {
        for (int64_t i = 0; i < split->size(); ++i) (void)split->sample(i);
      }
    });
  };
  folder_.write("run/a/f5.png", {1, 2, 3});
  fails("run/a/f5.png");
  clip("run/a", 12, 0);
  write_npy(folder_ / "run/flat.npy", Array::full(DType::u8, {4, 16, 16}, 0));
  fails("run/flat.npy: is not a clip");
  write_npy(folder_ / "run/flat.npy", Array::full(DType::f32, {1, 4, 16, 16}, 2));
  fails("run/flat.npy: has a number that is not from 0 to 1");
  folder_.write("run/flat.npy", {1, 2, 3});
  fails("run/flat.npy");
}

TEST_F(ClipFolder, OptionsOutOfRangeAreUsageErrors) {
  expect_error(ErrorKind::usage, "length must be an integer from 1 to 1024",
               [&] { (void)open(spec(",length=0")); });
  expect_error(ErrorKind::usage, "channels are 1 or 3", [&] { (void)open(spec(",channels=2")); });
  expect_error(ErrorKind::usage, "size is the height and width of a frame",
               [&] { (void)open(spec(",size=8x8x8")); });
  expect_error(ErrorKind::data, "does not exist", [] { (void)open("clips:/no/such"); });
}

TEST(Clips, NamesAreOrderedByTheirNumbers) {
  EXPECT_TRUE(before_by_number("f2.png", "f10.png"));
  EXPECT_FALSE(before_by_number("f10.png", "f2.png"));
  EXPECT_TRUE(before_by_number("a10b2", "a10b11"));
  EXPECT_TRUE(before_by_number("a", "b"));
  EXPECT_TRUE(before_by_number("f", "f1"));
  EXPECT_FALSE(before_by_number("f1", "f1"));
  EXPECT_NE(before_by_number("f01", "f1"), before_by_number("f1", "f01"));
}

TEST(Clips, AModalityIsMadeFromItsText) {
  const ClipModality modality({.length = 8, .stride = 2, .height = 24, .width = 32, .channels = 1});
  const auto again = make_modality(modality.text());
  EXPECT_EQ(again->text(), modality.text());
  EXPECT_EQ(again->input(), (Type{DType::u8, {8, 24, 32, 1}}));
}

/// A clip of random pixels, as two samples of a data set.
class TwoClips : public Dataset {
 public:
  TwoClips() : targets_(class_targets({"a", "b"})) {}
  int64_t size() const override { return 2; }
  Sample sample(int64_t i) const override {
    Array clip(DType::u8, {3, 8, 8, 3});
    Random random(1, "clip", static_cast<uint64_t>(i));
    // All frames are the same.
    for (int64_t k = 0; k < 8 * 8 * 3; ++k) {
      const double value = static_cast<double>(random.below(256));
      for (int64_t t = 0; t < 3; ++t) clip.set(t * 8 * 8 * 3 + k, value);
    }
    return {clip, Array::full(DType::i64, {}, static_cast<double>(i))};
  }
  std::optional<Type> input() const override { return Type{DType::u8, {3, 8, 8, 3}}; }
  const Targets& targets() const override { return targets_; }

 private:
  Targets targets_;
};

TEST(Clips, TransformsChangeAllFramesAlike) {
  for (const char* list : {"crop:2", "flip", "rotation:20", "color-jitter:0.5:0.5:0.5:0.1",
                           "crop:2,flip,erasing", "randaugment"}) {
    Loader loader(std::make_shared<TwoClips>(),
                  {.batch = 2, .seed = 3, .augment = Augmentation::parse(list)});
    int changed = 0;
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      loader.start(epoch);
      const Batch batch = *loader.next();
      EXPECT_EQ(batch.inputs.shape(), (Shape{2, 3, 8, 8, 3}));
      for (int64_t i = 0; i < 2; ++i) {
        const Array clip = frame(batch.inputs, i);
        const Array first = frame(clip, 0), own = frame(TwoClips().sample(i).input, 0);
        for (int64_t t = 1; t < 3; ++t) {
          const Array other = frame(clip, t);
          for (int64_t k = 0; k < first.numel(); ++k)
            ASSERT_EQ(first.at(k), other.at(k)) << list << ", frame " << t;
        }
        for (int64_t k = 0; k < first.numel(); ++k) changed += first.at(k) != own.at(k);
        EXPECT_EQ(batch.targets.at(i), static_cast<double>(i));
      }
    }
    EXPECT_GT(changed, 0) << list;
  }
}

TEST(Clips, ATransformThatFramesHasNothingToResizeIt) {
  expect_error(ErrorKind::usage, "nothing resizes them", [] {
    Loader(std::make_shared<TwoClips>(),
           {.batch = 2, .augment = Augmentation::parse("random-resized-crop")});
  });
}

/// Gray 28x28 pictures with a bright square.
std::shared_ptr<const Dataset> squares() {
  Array images = Array::full(DType::u8, {3, 28, 28, 1}, 0);
  const Array labels = Array::full(DType::i64, {3}, 0);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t y = 8; y < 20; ++y) {
      for (int64_t x = 8; x < 20; ++x) images.set((i * 28 + y) * 28 + x, 200);
    }
  }
  return std::make_shared<ArrayDataset>(images, labels, class_targets({"square"}));
}

TEST(MovingItemsTest, TheItemMovesInTheDirectionOfItsClass) {
  const ClipOptions options{.length = 4, .height = 32, .width = 32, .channels = 1};
  const MovingItems items(squares(), 200, 1, options);
  ASSERT_EQ(items.targets().names.size(), 8u);
  std::set<int64_t> seen;
  for (int64_t i = 0; i < items.size(); ++i) {
    const Sample sample = items.sample(i);
    EXPECT_EQ(sample.target.item(), items.target(i).item());
    const auto label = static_cast<int64_t>(sample.target.item());
    seen.insert(label);
    // The centre's circular mean of two frames: it moves as the class says, across the border too.
    const auto moved = [&](bool rows) {
      double angle[2];
      for (int64_t t : {int64_t{0}, int64_t{2}}) {
        double s = 0, c = 0;
        for (int64_t p = 0; p < 32 * 32; ++p) {
          if (frame(sample.input, t).at(p) < 100) continue;
          const double at = static_cast<double>(rows ? p / 32 : p % 32) * 2 * std::numbers::pi / 32;
          s += std::sin(at);
          c += std::cos(at);
        }
        angle[t / 2] = std::atan2(s, c);
      }
      return std::remainder(angle[1] - angle[0], 2 * std::numbers::pi) * 32 /
             (2 * std::numbers::pi);
    };
    const double direction = static_cast<double>(label) * std::numbers::pi / 4;
    const double right = moved(false), down = moved(true);
    EXPECT_GT(right * std::cos(direction) + down * std::sin(direction), 0.9) << i;
    EXPECT_LT(std::abs(right * std::sin(direction) - down * std::cos(direction)), 1.5) << i;
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST(MovingItemsTest, OtherPicturesAreRefused) {
  const ClipOptions gray{.length = 4, .height = 32, .width = 32, .channels = 1};
  expect_error(ErrorKind::usage, "moving items are small gray pictures",
               [&] { MovingItems(random_set(3, 28, 28, 3), 10, 1, gray); });
  const ClipOptions small{.length = 4, .height = 8, .width = 32, .channels = 1};
  expect_error(ErrorKind::usage, "frames of at least 24x24",
               [&] { MovingItems(squares(), 10, 1, small); });
}

}  // namespace
}  // namespace fovea::data
