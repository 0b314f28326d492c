// Nets in TOML, from the command line.

#include <gtest/gtest.h>

#include <map>

#include "paths.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

const std::string examples = tests_folder() + "/../examples/nets/";

TEST(Nets, HaveTheCountsOfTheSameModels) {
  for (const char* name : {"small_cnn", "resnet18_cifar"}) {
    nlohmann::json code = fovea({"summary", "--json", "--batch", "2", "--model", name}).json();
    nlohmann::json text =
        fovea({"summary", "--json", "--batch", "2", "--model", examples + name + ".toml"}).json();
    EXPECT_FALSE(code.contains("text"));
    EXPECT_EQ(text.at("text"), contents(examples + name + ".toml"));
    for (const char* key :
         {"model", "parameters", "trainable", "buffers", "macs", "receptive_field", "output"}) {
      EXPECT_EQ(text.at(key), code.at(key)) << name << " " << key;
    }
  }
}

TEST(Nets, TrainAndPredictWithoutTheirFile) {
  TemporaryFolder folder;
  write_digits(folder / "data", 600, 60, 12);
  const std::string net =
      "input = [1, 12, 12]\nlayers = [ { type = \"ConvNormAct\", out_channels = 8 }, \"Flatten\", "
      "{ type = \"Linear\", out_features = \"classes\" } ]\n";
  put(folder / "tiny.toml", net);
  const std::string data = "mnist:" + (folder / "data").string(),
                    run = folder / "runs/tiny-mnist-001";
  const Outcome trained =
      fovea({"train", "--model", "tiny.toml", "--data", data, "--epochs", "1", "--lr", "0.02",
             "--batch", "16", "--augment", "none", "--threads", "1"},
            {.folder = folder / ""});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("tiny.toml, 11,618 parameters, input 1x12x12"), std::string::npos)
      << trained.err;
  EXPECT_EQ(contents(run + "/tiny.toml"), net);
  std::filesystem::remove(folder / "tiny.toml");
  std::filesystem::remove(run + "/tiny.toml");
  const std::string best = run + "/best.safetensors";
  EXPECT_GT(fovea({"eval", "--model", best, "--data", data, "--json"}).json().at("accuracy"), 0.5);
  const Outcome text = fovea({"summary", "--model", best, "--text"});
  EXPECT_EQ(text.out, net);
  EXPECT_EQ(fovea({"summary", "--model", best, "--json"}).json().at("parameters"), 11618);
  EXPECT_EQ(
      fovea({"bench", "infer", "--model", best, "--batch", "2", "--samples", "1", "--warmup", "0"})
          .code,
      0);
  // Bare weights work with the text.
  put(folder / "tiny.toml", net);
  ASSERT_EQ(fovea({"convert", best, folder / "bare.pth"}).code, 0);
  const Outcome bare = fovea({"eval", "--model", folder / "tiny.toml", "--weights",
                              folder / "bare.pth", "--data", data, "--json"});
  ASSERT_EQ(bare.code, 0) << bare.err;
  EXPECT_EQ(bare.json().at("count"), 60);
  ASSERT_EQ(fovea({"convert", folder / "bare.pth", folder / "again.safetensors", "--model",
                   folder / "tiny.toml"})
                .code,
            0);
  EXPECT_EQ(fovea({"summary", "--model", folder / "again.safetensors", "--text"}).out, net);
}

TEST(Nets, MistakesHaveTheirExitCodesAndLines) {
  TemporaryFolder folder;
  struct Mistake {
    const char* text;
    int code;
    std::vector<std::string> parts;
  };
  const Mistake mistakes[] = {
      {"layers = [", 4, {"net.toml:1"}},
      {"layers = [\n\"Relu\" ]", 4, {"unknown layer type \"Relu\"", "ReLU", "net.toml:2"}},
      {"input = [3, 8, 8]\nlayers = [\n{ name = \"pool\", type = \"MaxPool2d\", kernel_size = 9 } "
       "]",
       2,
       {"max_pool2d: the window spans 9", "net.pool (", "net.toml:3)"}},
      {"layers = [\"Flatten\"]", 2, {"one number per class"}},
  };
  for (const Mistake& mistake : mistakes) {
    put(folder / "net.toml", mistake.text);
    for (const char* command : {"summary", "train"}) {
      const Outcome outcome = fovea({command, "--model", folder / "net.toml"});
      EXPECT_EQ(outcome.code, mistake.code) << outcome.err;
      for (const std::string& part : mistake.parts)
        EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
      if (mistake.code == 2) break;  // training takes the data's images and classes
    }
  }
  EXPECT_EQ(fovea({"summary", "--model", folder / "none.toml"}).code, 4);
  const Outcome code = fovea({"summary", "--model", "small_cnn", "--text"});
  EXPECT_EQ(code.code, 2);
  EXPECT_NE(code.err.find("--text: small_cnn is written in C++, not in a net file"),
            std::string::npos);
  const Outcome bare = fovea({"predict", "--model", examples + "small_cnn.toml", "a.png"});
  EXPECT_EQ(bare.code, 2);
  EXPECT_NE(bare.err.find("is an architecture without weights"), std::string::npos) << bare.err;
}

TEST(Nets, AvailableLayersAreListed) {
  const Outcome list = fovea({"layers"});
  EXPECT_NE(list.out.find("\nConv2d: 2-D convolution\n    out_channels, kernel_size, stride = 1, "),
            std::string::npos)
      << list.out;
  EXPECT_NE(list.out.find("kernel_size, stride (default: kernel_size), padding = 0"),
            std::string::npos);
  std::map<std::string, nlohmann::json> kinds;
  for (const nlohmann::json& kind : fovea({"layers", "--json"}).json()) {
    kinds[kind.at("name")] = kind;
  }
  EXPECT_EQ(kinds.at("Dropout"),
            nlohmann::json({{"name", "Dropout"},
                            {"help", "In training, zeroes each value with probability p"},
                            {"example", "{ type = \"Dropout\", p = 0.2 }"},
                            {"example_input", {64}},
                            {"arguments", nlohmann::json::array({{{"name", "p"},
                                                                  {"type", "number"},
                                                                  {"default", 0.5},
                                                                  {"minimum", 0},
                                                                  {"maximum", 1},
                                                                  {"words", {"dropout"}}}})}}));
  EXPECT_EQ(kinds.at("MaxPool2d").at("arguments").at(1), nlohmann::json({{"name", "stride"},
                                                                         {"type", "integers"},
                                                                         {"default", nullptr},
                                                                         {"follows", "kernel_size"},
                                                                         {"minimum", 1},
                                                                         {"maximum", 65536}}));
  EXPECT_EQ(kinds.at("Upsample").at("arguments").at(1),
            nlohmann::json({{"name", "mode"},
                            {"type", "word"},
                            {"default", "nearest"},
                            {"words", {"nearest", "linear", "bilinear", "trilinear"}}}));
}

}  // namespace
}  // namespace fovea::cli_test
