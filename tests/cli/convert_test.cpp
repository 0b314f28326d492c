// Weights from and to other programs.

#include <gtest/gtest.h>

#include "../formats/pickles.h"
#include "fovea/core/random.h"
#include "fovea/formats/npy.h"
#include "fovea/formats/pickle.h"
#include "fovea/formats/weight_file.h"
#include "paths.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

const std::string golden = tests_folder() + "/golden/pytorch/";

TEST(Convert, RoundTripsKeepEveryByte) {
  TemporaryFolder folder;
  const std::string a = folder / "a.safetensors", b = folder / "b.pth";
  const nlohmann::json there = fovea({"convert", golden + "zip_2.15.pth", a, "--json"}).json();
  EXPECT_EQ(there.at("tensors"), 20);
  EXPECT_EQ(there.at("bytes"), 48 + 24 + 12 + 12 + 48 + 24 + 12 + 6 + 6 + 6 + 8 + 48 + 24 + 96 +
                                   48 + 20 + 20 + 12 + 4);
  EXPECT_EQ(there.at("out"), a);
  EXPECT_FALSE(there.contains("model"));
  EXPECT_EQ(fovea({"convert", a, b}).code, 0);
  EXPECT_EQ(contents(b), contents(golden + "written.pth"));
}

TEST(Convert, ReportsWhatItChose) {
  TemporaryFolder folder;
  const Outcome outcome =
      fovea({"convert", golden + "legacy_checkpoint_1.13.pth", folder / "w.safetensors"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the tensors of \"model_state_dict\", names without \"module.\""),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.out.find("w.safetensors: 7 tensors, "), std::string::npos) << outcome.out;
}

void expect_refusal(const Arguments& arguments, int code, const std::string& part) {
  const Outcome outcome = fovea(arguments);
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
}

TEST(Convert, ReportsWhatItCannotDo) {
  TemporaryFolder folder;
  const std::string good = golden + "zip_2.15.pth", out = folder / "w.safetensors";
  expect_refusal({"convert", good}, 2, "convert: IN and OUT are required");
  expect_refusal({"convert", good, folder / "w.onnx"}, 2, "is not a known format");
  expect_refusal({"convert", good, out, "--classes", "3"}, 2, "--model NAME as well");
  expect_refusal({"convert", good, out, "--model", "small_cnn"}, 4, "unexpected channels_last");
  expect_refusal({"convert", golden + "module_2.15.pth", out}, 4,
                 "it is an entire model, an object of torch.nn.modules.container.Sequential");
  expect_refusal({"convert", folder / "none.pth", out}, 4, "No such file");
  expect_refusal({"convert", good, folder / "none/w.pth"}, 5, "cannot write");
  EXPECT_FALSE(std::filesystem::exists(out));
}

/// A trained model's weights, as a .pth, are that model again with --model or by --weights.
TEST(Convert, WeightsAloneWorkWithAModelName) {
  TemporaryFolder folder;
  constexpr int side = 28;  // small_cnn takes this size by default
  write_digits(folder / "data", 200, 40, side);
  const std::string data = "mnist:" + (folder / "data").string();
  const std::string model = folder / "run/best.safetensors", bare = folder / "w.pth",
                    again = folder / "m.safetensors";
  ASSERT_EQ(fovea({"train", "--data", data, "--model", "lenet_cnn", "--epochs", "1", "--threads",
                   "1", "--out", folder / "run"})
                .code,
            0);
  ASSERT_EQ(fovea({"convert", model, bare}).code, 0);

  Array input(DType::f32, {3, 1, side, side});
  Random random(1, "input");
  for (float& value : input.data<float>()) value = static_cast<float>(random.uniform());
  write_npy(folder / "x.npy", input);
  const auto logits = [&](Arguments arguments) {
    arguments.insert(arguments.begin(),
                     {"predict", "--input", folder / "x.npy", "--output", folder / "y.npy"});
    const Outcome outcome = fovea(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return contents(folder / "y.npy");
  };
  const std::string expected = logits({"--model", model});
  const nlohmann::json made =
      fovea({"convert", bare, again, "--model", "lenet_cnn", "--input", "1x28x28", "--json"})
          .json();
  EXPECT_EQ(made.at("model"), "lenet_cnn");
  EXPECT_EQ(logits({"--model", again}), expected);
  const nlohmann::json summary = fovea({"summary", "--model", again, "--json"}).json();
  EXPECT_EQ(summary.at("model"), "lenet_cnn");

  // A name with weights that know all else, in predict and eval.
  EXPECT_EQ(logits({"--model", "lenet_cnn", "--weights", model}), expected);
  const nlohmann::json scores =
      fovea({"eval", "--model", "lenet_cnn", "--weights", model, "--data", data, "--json"}).json();
  EXPECT_EQ(scores.at("accuracy"),
            fovea({"eval", "--model", model, "--data", data, "--json"}).json().at("accuracy"));
  // Without class names the numbers of classes have to agree, and do.
  EXPECT_EQ(fovea({"eval", "--model", again, "--data", data}).code, 0);

  // Training starts from it.
  const nlohmann::json more =
      fovea({"train", "--data", data, "--model", "lenet_cnn", "--weights", bare, "--epochs", "1",
             "--threads", "1", "--out", folder / "more", "--json"})
          .json();
  EXPECT_EQ(more.at("epochs"), 1);

  expect_refusal({"predict", "--model", "lenet_cnn", "x.png"}, 2,
                 "an architecture without weights");
  expect_refusal({"predict", "--model", bare, "x.png"}, 2, "is a weight file, not a model file");
  expect_refusal({"summary", "--model", bare}, 2, "is a weight file, not a model file");
  expect_refusal({"predict", "--model", model, "--weights", bare, "x.png"}, 2,
                 "contains its own weights");
}

/// Files of at most a few MB that claim much memory or work: each is refused within 256 MB.
TEST(Convert, HostileFilesTakeLittleMemory) {
  using namespace pickles;  // NOLINT
  pickles::Tensor wide;
  wide.sizes = {1 << 20, 1000};
  wide.strides = {0, 0};
  pickles::Tensor huge;
  huge.sizes = huge.strides = {int64_t{1} << 31, int64_t{1} << 31};
  Parts values;
  for (int i = 0; i < 20; ++i) values.push_back(text("w" + std::to_string(i)) + tensor(wide));
  std::string references;  // each a compound, and a storage of its own
  for (int i = 0; i < 100'000; ++i) references += "K\1Q";
  const std::string hostile[] = {
      archive(dict({text("w"), tensor(wide)})),
      archive(dict({text("w"), tensor(huge)})),
      legacy(dict({text("w"), tensor(huge)})),
      archive(dict(values)),
      archive(std::string(8'000'000, 'N')),
      archive(std::string(8'000'000, ']')),
      archive("(" + std::string(8'000'000, ')') + "t"),
      archive("]" + std::string(4'000'000, 'N') + "a"),
      archive("Nr" + little(pickle::max_values - 1, 4)),
      archive("(" + references + "t"),
      legacy("(" + references + "t"),
      archive(std::string(8'000'000, '(')),
      little(99'999'999, 8) + "{" + std::string(8'000'000, ' '),
      little(8'000'000, 8) + "{\"w\":" + std::string(7'999'995, '['),
  };
  TemporaryFolder folder;
  for (size_t i = 0; i < std::size(hostile); ++i) {
    const std::string path =
        folder / ("w" + std::to_string(i) + (i < 12 ? ".pth" : ".safetensors"));
    put(path, hostile[i]);
    const Outcome outcome = fovea({"convert", path, folder / "out.safetensors", "--threads", "1"});
    EXPECT_EQ(outcome.code, 4) << i << ": " << outcome.err;
    EXPECT_EQ(outcome.err.find("error: " + path + ": "), 0u) << i << ": " << outcome.err;
    EXPECT_LT(outcome.peak_bytes, size_t{256} << 20) << i << ": " << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "out.safetensors"));
}

}  // namespace
}  // namespace fovea::cli_test
