#include "fovea/data/registry.h"

#include <algorithm>
#include <cmath>

#include "data/helpers.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

/// Sets an environment variable, and restores it afterwards.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

void write_mnist(const TempFolder& folder, const std::string& under) {
  for (const std::string split : {"train", "t10k"}) {
    folder.write(under + "/" + split + "-images-idx3-ubyte",
                 Bytes{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 50, 60});
    folder.write(under + "/" + split + "-labels-idx1-ubyte", Bytes{0, 0, 8, 1, 0, 0, 0, 1, 7});
  }
}

TEST(Registry, AnUnknownNameGetsTheNearest) {
  const Error error = error_of([] { (void)open("fasion-mnist"); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_STREQ(
      error.what(),
      "unknown data set \"fasion-mnist\"\n"
      "  nearest fashion-mnist, mnist\n"
      "  known   cifar10, cifar100, fashion-mnist, mnist, kmnist, folder, imagenet, images, masks, "
      "coco, "
      "yolo, voc, scenes, sound, ucr, series, clips, volumes, csv, tar, "
      "arrays, "
      "discs, emnist-byclass, emnist-bymerge, emnist-balanced, emnist-letters, emnist-digits, "
      "emnist-mnist, emnist\n"
      "  try     --data NAME, --data NAME:DIR with the folder of its files, "
      "or --data folder:DIR for images of your own");
  EXPECT_EQ(error_of([] { (void)open("CIFAR-10:/tmp"); }).details()[0].second, "cifar10, cifar100");
  EXPECT_EQ(error_of([] { (void)open(""); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([] { (void)open("mnist:"); }).what(),
            std::string("data set \"mnist:\" names no folder\n"
                        "  try     --data mnist, or --data mnist:DIR"));
}

TEST(Registry, AMissingDataSetSaysWhereItWasSearchedAndHowToGetIt) {
  TempFolder folder;
  const std::string root = folder.path().string();
  Environment data("FOVEA_DATA", root);
  const Error error = error_of([] { (void)open("cifar10"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_EQ(
      error.what(),
      "data set cifar10 was not found\n"
      "  files   data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, "
      "data_batch_5.bin, test_batch.bin\n"
      "  looked  in " +
          root +
          "/cifar10\n"
          "  looked  in " +
          root +
          "/cifar-10-batches-bin\n"
          "  looked  in " +
          root +
          "/cifar10/cifar-10-batches-bin\n"
          "  looked  in " +
          root +
          "\n"
          "  try     fovea data get cifar10; or unpack cifar-10-binary.tar.gz, the official binary "
          "version, into DIR: --data cifar10:DIR");
  EXPECT_EQ(error_of([&] { (void)open("fashion-mnist:" + root); }).details().back().second,
            "apt install dataset-fashion-mnist; or fovea data get fashion-mnist");
}

TEST(Registry, ASetIsFoundInEveryPlace) {
  TempFolder folder;
  write_mnist(folder, "one/mnist");
  write_mnist(folder, "two");
  const std::string root = folder.path().string();
  for (const std::string& spec : {root + "/one/mnist", root + "/one", root + "/two"}) {
    EXPECT_EQ(class_of(*open("mnist:" + spec).train, 0), 7) << spec;
    Environment data("FOVEA_DATA", spec);
    EXPECT_EQ(open("mnist").name, "mnist") << spec;
  }
  write_mnist(folder, ".cache/fovea/data/mnist");
  Environment home("HOME", root);
  Environment data("FOVEA_DATA", "");
  EXPECT_EQ(open("mnist").test->size(), 1);
  EXPECT_EQ(open("mnist:~/two").test->size(), 1);
}

TEST(Registry, CifarIsFoundInItsFolderOrAbove) {
  TempFolder folder;
  for (int n = 1; n <= 5; ++n) {
    folder.zeros("cifar-10-batches-bin/data_batch_" + std::to_string(n) + ".bin", 30730000);
  }
  const std::string root = folder.path().string();
  // One file is missing: the folder is found, and the file named.
  for (const std::string& dir : {root, root + "/cifar-10-batches-bin"}) {
    EXPECT_EQ(
        error_of([&] { (void)open("cifar10:" + dir); }).headline(),
        "cannot read " + root + "/cifar-10-batches-bin/test_batch.bin: No such file or directory");
  }
}

TEST(Registry, AFolderOfASimilarDataSetIsNotMistakenForIt) {
  TempFolder folder;
  write_mnist(folder, "fashion-mnist");
  Environment data("FOVEA_DATA", (folder / "fashion-mnist").string());
  EXPECT_EQ(open("fashion-mnist").targets().names[7], "Sneaker");
  EXPECT_EQ(error_of([] { (void)open("mnist"); }).kind(), ErrorKind::data);
}

TEST(Registry, OneFromOutsideIsOpenedByItsName) {
  add({.name = "halves", .read = [](const std::filesystem::path& text) {
         const auto set = random_set(std::stoi(text.string()), 2, 2, 1);
         return DataSets{"halves", set, set};
       }});
  EXPECT_EQ(open("halves:12").train->size(), 12);
  EXPECT_EQ(error_of([] { add({.name = "mnist", .read = nullptr}); }).headline(),
            "data set \"mnist\": the name is taken");
}

TEST(Registry, DiscsAreWhereTheirTargetsSay) {
  const DataSets sets = open("discs");
  EXPECT_EQ(error_of([] { (void)open("discs:500"); }).headline(),
            "data set discs is computed and takes no folder");
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"x", "y", "radius"}));
  EXPECT_EQ(sets.targets().type, (Type{DType::f32, {3}}));
  for (int64_t i = 0; i < 20; ++i) {
    const Sample disc = sets.train->sample(i);
    double x = 0, y = 0, bright = 0;
    for (int64_t p = 0; p < disc.input.numel(); ++p) {
      const double weight = disc.input.at(p) > 120 ? 1 : 0;
      bright += weight;
      x += weight * (static_cast<double>(p % 32) + 0.5) / 32;
      y += weight * (static_cast<double>(p / 32) + 0.5) / 32;
    }
    EXPECT_NEAR(x / bright, disc.target.at(0), 0.02);
    EXPECT_NEAR(y / bright, disc.target.at(1), 0.02);
    EXPECT_NEAR(std::sqrt(bright / 3.14159) / 32, disc.target.at(2), 0.02);
  }
  EXPECT_NE(sets.train->sample(0).target.at(0), sets.test->sample(0).target.at(0));
}

TEST(Registry, TheRealFashionMnist) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "needs Debian's dataset-fashion-mnist";
  }
  Environment data("FOVEA_DATA", "/nonexistent");
  const DataSets sets = open("fashion-mnist");
  EXPECT_EQ(sets.targets().names,
            (std::vector<std::string>{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                      "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}));
  ASSERT_EQ(sets.train->size(), 60000);
  ASSERT_EQ(sets.test->size(), 10000);
  EXPECT_EQ(sets.train->input(), (Type{DType::u8, {28, 28, 1}}));
  for (const auto& split : {sets.train, sets.test}) {
    std::vector<int64_t> counts(10);
    for (int64_t i = 0; i < split->size(); ++i) ++counts[static_cast<size_t>(class_of(*split, i))];
    EXPECT_EQ(counts, std::vector<int64_t>(10, split->size() / 10));
  }
  const ChannelStats stats = channel_stats(*sets.train);
  EXPECT_NEAR(stats.mean[0], 0.2860, 5e-5);
  EXPECT_NEAR(stats.std[0], 0.3530, 5e-5);
}

TEST(Registry, ARunFindsItsDataFromAnyFolder) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(from_anywhere("mnist"), "mnist");
  EXPECT_EQ(from_anywhere("folder:photos"), "folder:" + here + "/photos");
  EXPECT_EQ(from_anywhere("scenes:mnist"), "scenes:mnist");
  EXPECT_EQ(from_anywhere("scenes:mnist:files"), "scenes:mnist:" + here + "/files");
}

TEST(Registry, OptionsThatAreLeftOpenAreThoseOfAModality) {
  const auto open = [](const char* spec, const char* modality) {
    return join(open_options(spec, modality), ",");
  };
  EXPECT_EQ(open("sound:a,b", "sound:8000:0.5:wave"), "rate=8000,seconds=0.5,features=wave");
  EXPECT_EQ(open("sound:a,seconds=2", "sound:8000:0.5"), "rate=8000") << "what is given counts";
  EXPECT_EQ(open("ucr:a/b", "series:2:30:true:series"), "normalize=series,length=30,masked=true");
  EXPECT_EQ(open("clips:a,windows=3", "clip:8:2:32x48:1"),
            "length=8,stride=2,size=32x48,channels=1");
  EXPECT_EQ(open("volumes:a", "volume:8x9x10:2"), "size=8x9x10,channels=2");
  EXPECT_EQ(open("sound:a", "clip:8:2:32x48:1"), "") << "of other files";
  EXPECT_EQ(open("folder:a", "sound:8000"), "");
  EXPECT_EQ(open("sound:a", ""), "") << "of pictures";
}

}  // namespace
}  // namespace fovea::data
