// fovea explain maximize and embed.
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

namespace fs = std::filesystem;

TEST(ExplainData, EmbedDrawsADataSetAndFindsNeighbours) {
  TemporaryFolder folder;
  write_digits(folder / "data", 60, 20, 16);
  Image image = Image::black(16, 16, 1);
  for (int x = 3; x < 9; ++x) *image.at(4, x) = 250;
  encode_png(folder / "query.png", image);
  const auto embed = [&](const std::string& out) {
    return fovea({"explain", "embed", "--model", "lenet5", "--seed", "3", "--data",
                  "mnist:" + (folder / "data").string(), "--limit", "40",
                  (folder / "query.png").string(), "--neighbours", "3", "--raw", "--out",
                  (folder / out).string(), "--json"});
  };
  const Outcome done = embed("out");
  const Outcome nothing = fovea({"explain", "embed", "--model", "lenet5"});
  EXPECT_EQ(nothing.err, "error: --data is missing\n  try     fovea explain embed --help\n");
  ASSERT_EQ(done.code, 0) << done.err;
  const nlohmann::json document = done.json();
  EXPECT_EQ(document.at("count"), 40);
  EXPECT_EQ(document.at("features"), 84);
  EXPECT_EQ(read_npy(document.at("npy").at("tsne").get<std::string>()).shape(), (Shape{40, 2}));
  EXPECT_EQ(read_npy(document.at("npy").at("features").get<std::string>()).shape(),
            (Shape{40, 84}));
  for (const char* picture : {"png", "thumbnails"})
    EXPECT_GT(decode_image(document.at(picture).get<std::string>()).width, 600);
  EXPECT_EQ(document.at("nearest").at("images")[0].at("neighbours").size(), 3u);
  ASSERT_EQ(embed("again").code, 0);  // to the bit
  for (const char* file : {"tsne.npy", "embedding.png"})
    EXPECT_EQ(contents(folder / "out" / file), contents(folder / "again" / file));
}

TEST(ExplainData, MaximizeDrawsClassesAndChannelsAndTheSamplesThatExciteThem) {
  TemporaryFolder folder;
  write_digits(folder / "data", 60, 20, 16);
  const std::string out = (folder / "out").string();
  const Outcome classes =
      fovea({"explain", "maximize", "--model", "lenet5", "--class", "2,7", "--steps", "8", "--data",
             "mnist:" + (folder / "data").string(), "--top", "3", "--raw", "--out", out, "--json"});
  ASSERT_EQ(classes.code, 0) << classes.err;
  const nlohmann::json document = classes.json();
  ASSERT_EQ(document.at("goals").size(), 2u);
  const auto& goal = document.at("goals")[1];
  EXPECT_EQ(goal.at("class"), "7");
  EXPECT_GT(goal.at("after"), goal.at("before"));
  EXPECT_EQ(goal.at("samples").size(), 3u);
  EXPECT_EQ(read_npy(goal.at("npy").get<std::string>()).shape(), (Shape{1, 32, 32}));
  const Outcome channels = fovea({"explain", "maximize", "--model", "lenet5", "--layer", "conv2",
                                  "--channel", "0,15", "--steps", "4", "--out", out, "--json"});
  ASSERT_EQ(channels.code, 0) << channels.err;
  EXPECT_EQ(channels.json().at("goals")[1].at("channel"), 15);
  const auto fails = [&](Arguments more, const std::string& part) {
    Arguments all{"explain", "maximize", "--model", "lenet5", "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = fovea(all);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  fails({}, "neither class nor layer is given");
  fails({"--layer", "conv2", "--channel", "16"}, "there is no channel 16");
  fails({"--layer", "conv2", "--channel", "x"}, "--channel: \"x\" is not a channel");
}

}  // namespace
}  // namespace fovea::cli_test
