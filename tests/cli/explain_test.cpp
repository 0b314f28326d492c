// Pictures of what a model learned and sees, and the reports.

#include <gtest/gtest.h>

#include <cmath>

#include "fovea/draw/grid.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

class Explain : public testing::Test {
 protected:
  Explain() {
    Image image = Image::black(40, 30, 3);
    for (size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<uint8_t>(i * 7 % 251);
    encode_png(folder_ / "in.png", image);
  }
  Outcome explain(const std::string& command, Arguments more) {
    more.insert(more.begin(), {"explain", command});
    more.insert(more.end(), {"--out", out(), "--json"});
    return fovea(more);
  }
  std::string out() { return (folder_ / "out").string(); }
  std::string image() { return (folder_ / "in.png").string(); }

  TemporaryFolder folder_;
};

TEST_F(Explain, FiltersAreAPictureAndNumbers) {
  const nlohmann::json said = explain("filters", {"--model", "small_cnn", "--raw"}).json();
  EXPECT_EQ(said.at("layer"), "conv1");
  EXPECT_EQ(said.at("count"), 32);
  EXPECT_GT(decode_image(said.at("png").get<std::string>()).width, 100);
  EXPECT_EQ(read_npy(said.at("npy").get<std::string>()).shape(), (Shape{32, 3, 3, 3}));
}

TEST_F(Explain, FeaturesAreTheTapsOfEachImage) {
  const nlohmann::json said = explain("features", {"--model", "small_cnn", image(), image(),
                                                   "--layer", "conv*,head", "--raw"})
                                  .json();
  ASSERT_EQ(said.at("images").size(), 2U);
  EXPECT_EQ(said.at("images")[0].at("path"), image());
  const nlohmann::json& layer = said.at("images")[1].at("layers")[0];
  EXPECT_EQ(layer.at("name"), "conv1");
  EXPECT_EQ(layer.at("shape"), (std::vector<int>{32, 32, 32}));
  EXPECT_EQ(read_npy(layer.at("npy").get<std::string>()).shape(), (Shape{32, 32, 32}));
  EXPECT_TRUE(std::filesystem::exists(layer.at("png").get<std::string>()));
  const Outcome unknown = explain("features", {"--model", "small_cnn", image(), "--layer", "x7"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.out.find("conv1, bn1"), std::string::npos) << unknown.out;
}

TEST_F(Explain, ReceptiveFieldsHaveBoxesAndStages) {
  const nlohmann::json said =
      explain("receptive-field", {"--model", "small_cnn", "--layer", "conv2", "--position", "0,0",
                                  "--input", "3x64x64", "--chart"})
          .json();
  EXPECT_EQ(said.at("layer"), "conv2");
  // 3x3, pool 2, 3x3: 8 pixels from -3, of which 5 are inside.
  EXPECT_EQ(said.at("box"), nlohmann::json({{"top", 0}, {"left", 0}, {"bottom", 4}, {"right", 4}}));
  EXPECT_GE(said.at("effective").at("energy"), 0.95);
  EXPECT_EQ(said.at("stages")[0].at("size"), 64);
  const nlohmann::json of_class =
      explain("receptive-field", {"--model", "small_cnn", "--class", "3", image()}).json();
  EXPECT_EQ(of_class.at("box").at("bottom"), 31);
  const Outcome both =
      explain("receptive-field", {"--model", "small_cnn", "--class", "3", "--layer", "conv1"});
  EXPECT_EQ(both.code, 2);
  EXPECT_EQ(explain("receptive-field", {"--model", "small_cnn", "--position", "1"}).code, 2);
}

TEST_F(Explain, ConvolutionsHaveTextbookSizes) {
  const nlohmann::json said = explain("conv", {}).json();
  std::vector<int> sides;
  for (const auto& one : said.at("convolutions")) sides.push_back(one.at("output")[1]);
  EXPECT_EQ(sides, (std::vector<int>{6, 8, 4, 8}));
  const nlohmann::json colored = explain("conv", {image(), "--padding", "1"}).json();
  EXPECT_EQ(colored.at("convolutions")[0].at("input"), (std::vector<int>{3, 8, 8}));
  EXPECT_NE(contents(colored.at("convolutions")[0].at("animation").get<std::string>()).find("acTL"),
            std::string::npos);
}

TEST_F(Explain, NumbersThatAreNotFiniteAreNoResult) {
  Array x = Array::full(DType::f32, {2, 3, 32, 32}, 0.5);
  x.set(x.numel() - 1, NAN);
  const std::string input = (folder_ / "x.npy").string();
  write_npy(input, x);
  for (const char* command : {"cam", "saliency", "features"}) {
    const Outcome outcome =
        fovea({"explain", command, "--model", "small_cnn", "--input", input, "--out", out()});
    EXPECT_EQ(outcome.code, 6) << command << outcome.out;
    EXPECT_NE(outcome.err.find(
                  "what the net computes is not finite\n"
                  "  first   the input holds NaN\n"
                  "  try     inputs without such numbers; fovea data check names the samples"),
              std::string::npos)
        << outcome.err;
  }
}

TEST_F(Explain, ANumberOutOfRangeIsRefusedAndSoIsNaN) {
  for (const char* rate : {"nan", "11"}) {
    const Outcome outcome = fovea({"explain", "maximize", "--model", "small_cnn", "--class", "0",
                                   "--rate", rate, "--out", out()});
    EXPECT_EQ(outcome.code, 2) << rate;
    EXPECT_NE(outcome.err.find("--rate"), std::string::npos) << outcome.err;
  }
}

TEST_F(Explain, ShowNeedsATerminal) {
  const Outcome outcome = fovea({"explain", "filters", "--model", "small_cnn", "--show"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("standard output is none"), std::string::npos) << outcome.err;
  EXPECT_EQ(fovea({"explain", "filters", "--model", "small_cnn"}).code, 2);  // nowhere to draw
}

TEST_F(Explain, ATrainingRunHasAReportUnlessItIsRefused) {
  write_digits(folder_ / "data", 60, 20, 12);
  const Arguments training{"train",   "--data",  "mnist:" + (folder_ / "data").string(),
                           "--model", "lenet5",  "--epochs",
                           "1",       "--batch", "16",
                           "--input", "1x28x28", "--quiet"};
  const Surroundings here{.folder = folder_ / ""};
  Arguments with = training, without = training;
  with.insert(with.end(), {"--out", "one", "--json"});
  without.insert(without.end(), {"--out", "two", "--no-report"});
  EXPECT_EQ(fovea(with, here).json().at("report"), "one/report.html");
  EXPECT_EQ(fovea(without, here).code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "two/report.html"));
  const std::string page = contents(folder_ / "one/report.html");
  EXPECT_NE(page.find("Most confident mistakes"), std::string::npos);

  const nlohmann::json both =
      fovea({"report", "one", "two", "--out", "both.html", "--json"}, here).json();
  EXPECT_EQ(both.at("path"), "both.html");
  EXPECT_EQ(both.at("bytes"), std::filesystem::file_size(folder_ / "both.html"));
  EXPECT_NE(contents(folder_ / "both.html").find("All settings are equal"), std::string::npos);

  // What is missing is said on the page, and costs nothing else.
  std::filesystem::remove_all(folder_ / "data");
  EXPECT_EQ(fovea({"report", "one"}, here).code, 0);
  EXPECT_NE(contents(folder_ / "one/report.html").find("The model was not measured"),
            std::string::npos);
  EXPECT_EQ(fovea({"report", "nowhere"}, here).code, 2);
}

}  // namespace
}  // namespace fovea::cli_test
