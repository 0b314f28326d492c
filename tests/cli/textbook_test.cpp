// `selftest` and `filter`: what the textbooks teach, computed by the program.

#include <gtest/gtest.h>

#include <set>

#include "fovea/core/array.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"
#include "textbook.h"

namespace fovea::cli_test {
namespace {

TEST(Selftest, EveryExampleAgrees) {
  const Outcome outcome = fovea({"selftest", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::set<std::string> ids;
  const nlohmann::json document = outcome.json();
  for (const auto& example : document.at("examples")) {
    EXPECT_TRUE(example.at("ok").get<bool>())
        << example.at("id") << " " << example.at("got") << " " << example.at("expected");
    EXPECT_TRUE(ids.insert(example.at("id")).second) << example.at("id");
  }
  for (const char* id :
       {"A1", "A2",  "A3",  "A4",  "A5",  "A6",  "A7", "A8", "A16", "B1", "B2", "B3", "B4",
        "B5", "B6",  "B7",  "C4",  "C9",  "D1",  "D2", "D3", "D4",  "D5", "D6", "D7", "D8",
        "D9", "D9b", "D10", "D11", "D12", "D13", "G1", "G2", "G3",  "G4", "G5", "I2"}) {
    EXPECT_TRUE(ids.contains(id)) << id;
  }
}

TEST(Selftest, AWrongAnswerIsShownAndEndsWith1) {
  // Otherwise a broken build would pass its own test.
  const auto giving = [](const Json& answer) { return [answer] { return answer; }; };
  const Json rows = {{1.0, 2.0}, {3.0, 4.0}};
  cli::Console console;
  testing::internal::CaptureStdout();
  EXPECT_EQ(cli::check_examples({{"X1", "right", rows, giving(rows)},
                                 {"X2", "near", {{"a", 1}}, giving({{"a", 1.05}}), "", 0.1}},
                                console),
            0);
  EXPECT_EQ(
      cli::check_examples({{"X3", "one number off", rows, giving({{1, 2}, {3, 5}})}}, console), 1);
  EXPECT_EQ(cli::check_examples({{"X4", "a row too few", rows, giving({{1, 2}})}}, console), 1);
  const auto failing = []() -> Json { throw Error(ErrorKind::usage, "no such kernel"); };
  EXPECT_EQ(cli::check_examples({{"X5", "an error", 1, failing}}, console), 1);
  console.flush();
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_NE(text.find("X3   DIFFERS  one number off\n       expected  [[1.0,2.0],[3.0,4.0]]\n"
                      "       got       [[1,2],[3,5]]\n0 of 1 examples agree\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("got       \"no such kernel\""), std::string::npos) << text;
}

Image slope() {
  Image image = Image::black(4, 6, 3);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(200 - 20 * (i / 3 % 6) - i % 3);
  }
  return image;
}

TEST(Filter, SobelShowsAbsoluteValuesAndRawKeepsTheSign) {
  const TemporaryFolder folder;
  const auto in = folder / "in.png", out = folder / "out.png", raw = folder / "raw.npy";
  encode_png(in, slope());
  const Outcome outcome = fovea({"filter", "--kernel", "sobel_x", in, out, "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("width"), 6);
  const Image picture = decode_image(out);
  EXPECT_EQ(picture.width, 6);
  EXPECT_EQ(picture.at(1, 2)[1], 160);
  EXPECT_EQ(picture.at(1, 0)[1], 80);  // edge pixels are replicated

  ASSERT_EQ(fovea({"filter", "--kernel", "sobel_x", in, raw, "--raw"}).code, 0);
  const Array values = read_npy(raw);
  EXPECT_EQ(values.shape(), (Shape{4, 6, 3}));
  EXPECT_EQ(values.at((1 * 6 + 2) * 3 + 1), -160);
}

TEST(Filter, TakesAKernelFromAFile) {
  const TemporaryFolder folder;
  const auto in = folder / "in.png", out = folder / "out.png", kernel = folder / "kernel.npy";
  encode_png(in, slope());
  write_npy(kernel, Array::of<float>({1}, {1, 1}));
  ASSERT_EQ(fovea({"filter", "--kernel", kernel, in, out}).code, 0);
  EXPECT_TRUE(decode_image(out) == slope());
}

TEST(Filter, MistakesHaveTheirExitCodes) {
  const TemporaryFolder folder;
  const auto in = folder / "in.png";
  encode_png(in, slope());
  const auto code = [&](const Arguments& arguments) { return fovea(arguments).code; };
  EXPECT_EQ(code({"filter", in, "out.png"}), 2);
  EXPECT_EQ(code({"filter", "--kernel", "sobel", in, "out.png"}), 2);
  EXPECT_EQ(code({"filter", "--kernel", "box", in}), 2);
  EXPECT_EQ(code({"filter", "--kernel", "box", in, "out.jpg"}), 2);
  EXPECT_EQ(code({"filter", "--kernel", "box", folder / "none.png", "out.png"}), 3);
  EXPECT_EQ(code({"filter", "--kernel", folder / "none.npy", in, "out.png"}), 3);
  EXPECT_EQ(code({"filter", "--kernel", "box", in, folder / "no" / "out.png"}), 5);
}

}  // namespace
}  // namespace fovea::cli_test
