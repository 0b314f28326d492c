// fovea explain cam and saliency.
#include <cmath>

#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

namespace fs = std::filesystem;

/// A picture of this size with a bright corner.
std::string picture(const fs::path& path, int height, int width) {
  Image image = Image::black(height, width, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c)
        image.at(y, x)[c] =
            static_cast<uint8_t>(y < height / 2 && x < width / 2 ? 220 : 40 + 5 * c);
    }
  }
  encode_png(path, image);
  return path.string();
}

TEST(ExplainMaps, OneSheetOfImagesMethodsAndClasses) {
  TemporaryFolder folder;
  const std::string a = picture(folder / "a.png", 40, 60), b = picture(folder / "b.png", 50, 30);
  const std::string out = (folder / "out").string();
  const Outcome done =
      fovea({"explain", "cam", "--model", "keras_cnn", a, b, "--method", "gradcam,layercam",
             "--class", "3,7", "--raw", "--out", out, "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const nlohmann::json document = done.json();
  ASSERT_EQ(document.at("images").size(), 4u);  // an entry per image and class
  std::set<std::string> files;
  for (const auto& image : document.at("images")) {
    EXPECT_EQ(image.at("layer"), "conv3+relu");
    EXPECT_TRUE(image.at("class") == "3" || image.at("class") == "7");
    ASSERT_EQ(image.at("maps").size(), 2u);
    for (const auto& map : image.at("maps")) {
      const Array values = read_npy(map.at("npy").get<std::string>());
      EXPECT_EQ(values.shape(), (Shape{8, 8}));
      EXPECT_EQ(values.dtype(), DType::f32);
      for (float v : values.data<float>()) EXPECT_GE(v, 0);
      const Image drawn = decode_image(map.at("png").get<std::string>());
      EXPECT_GT(drawn.height, image.at("path") == a ? 40 : 50);  // the picture and a margin
      files.insert(map.at("png").get<std::string>());
    }
  }
  EXPECT_EQ(files.size(), 8u);
  EXPECT_GT(decode_image(document.at("sheet").get<std::string>()).height, 200);
}

TEST(ExplainMaps, SaliencyTakesArraysAsTheNetDoes) {
  TemporaryFolder folder;
  Array x(DType::f32, {2, 1, 28, 28});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, std::sin(static_cast<double>(i)));
  write_npy(folder / "x.npy", x);
  const Outcome done = fovea({"explain", "saliency", "--model", "lenet5", "--input",
                              (folder / "x.npy").string(), "--method", "gradient,occlusion:7",
                              "--raw", "--out", (folder / "out").string(), "--json"});
  // lenet5 takes 1x32x32.
  EXPECT_EQ(done.code, 2);
  Array y(DType::f32, {2, 1, 32, 32});
  for (int64_t i = 0; i < y.numel(); ++i) y.set(i, std::sin(static_cast<double>(i)));
  write_npy(folder / "y.npy", y);
  const Outcome again = fovea({"explain", "saliency", "--model", "lenet5", "--input",
                               (folder / "y.npy").string(), "--method", "gradient,occlusion:8",
                               "--raw", "--out", (folder / "out").string(), "--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  const nlohmann::json document = again.json();
  ASSERT_EQ(document.at("images").size(), 2u);
  EXPECT_TRUE(document.at("images")[0].at("layer").is_null());
  for (const auto& map : document.at("images")[1].at("maps"))
    EXPECT_EQ(read_npy(map.at("npy").get<std::string>()).shape(), (Shape{32, 32}));
}

TEST(ExplainMaps, CheckMeasuresEachMethodAndARandomMap) {
  TemporaryFolder folder;
  const std::string a = picture(folder / "a.png", 32, 32);
  const Outcome done =
      fovea({"explain", "cam", "--model", "keras_cnn", a, "--method", "gradcam,eigencam", "--check",
             "--out", (folder / "out").string(), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const nlohmann::json document = done.json();
  const auto& map = document.at("images")[0].at("maps")[0];
  for (const char* curve : {"deletion", "insertion"}) {
    const auto& fractions = map.at(curve).at("fractions");
    EXPECT_EQ(fractions.front(), 0);
    EXPECT_EQ(fractions.back(), 1);
    EXPECT_EQ(map.at(curve).at("blur").size(), fractions.size());
    EXPECT_EQ(map.at(curve).at("mean").size(), fractions.size());
  }
  EXPECT_NEAR(map.at("deletion").at("blur").front().get<double>(),
              map.at("insertion").at("mean").back().get<double>(), 1e-5);
  const auto& methods = document.at("check").at("methods");
  ASSERT_EQ(methods.size(), 3u);
  EXPECT_EQ(methods[2].at("method"), "random map");
  EXPECT_TRUE(methods[0].at("randomization").contains("verdict"));
  EXPECT_TRUE(fs::exists(document.at("check").at("png").get<std::string>()));
}

TEST(ExplainMaps, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string a = picture(folder / "a.png", 32, 32), out = (folder / "out").string();
  const auto fails = [&](Arguments more, int code, const std::string& part) {
    Arguments all{"explain", "cam", "--model", "keras_cnn", a, "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = fovea(all);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  fails({"--method", "gradcan"}, 2, "unknown method \"gradcan\"");
  fails({"--method", "gradcam,gradcam"}, 2, "--method: gradcam is given twice");
  fails({"--class", "10"}, 2, "--class 10: the model has no such output");
  fails({"--layer", "conv4"}, 2, "layers  conv1, bn1");
  fails({"--layer", "fc"}, 2, "layer fc has no map of positions");
}

}  // namespace
}  // namespace fovea::cli_test
