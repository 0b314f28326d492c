// What every command has in common: help, flags, names, exit codes, streams.

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdint>

#include "fovea/formats/npy.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

using testing::Test;

/// Expects exit code `code` and every one of `parts` on standard error, nothing on standard output.
void expect_refusal(const Arguments& arguments, int code, const std::vector<std::string>& parts) {
  const Outcome outcome = fovea(arguments);
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos)
        << "expected: " << part << "\ngot: " << outcome.err;
  }
}

TEST(Commands, EachHasHelpOnStandardOutput) {
  const std::vector<Arguments> commands{{},
                                        {"train"},
                                        {"eval"},
                                        {"predict"},
                                        {"summary"},
                                        {"models"},
                                        {"layers"},
                                        {"data"},
                                        {"data", "info"},
                                        {"data", "samples"},
                                        {"data", "transforms"},
                                        {"bench"},
                                        {"bench", "step"},
                                        {"bench", "infer"},
                                        {"bench", "op"},
                                        {"filter"},
                                        {"selftest"}};
  for (Arguments arguments : commands) {
    arguments.push_back("--help");
    const Outcome outcome = fovea(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("Usage: fovea"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(Commands, TrainsHelpShowsTheTableOfSettings) {
  const std::string help = fovea({"train", "--help"}).out;
  for (const char* flag : {"--data",
                           "--model",
                           "--epochs",
                           "--batch",
                           "--optimizer",
                           "--lr",
                           "--weight-decay",
                           "--schedule",
                           "--warmup",
                           "--clip",
                           "--label-smoothing",
                           "--augment",
                           "--val",
                           "--workers",
                           "--seed",
                           "--threads",
                           "--out",
                           "--resume",
                           "--json",
                           "--quiet"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
}

TEST(Commands, HelpListsWhatIsChosenByName) {
  const std::string train = fovea({"train", "--help"}).out;
  for (const char* part :
       {"\nOptimizers:\n  sgd[:MOMENTUM]  ", "\n  step:EPOCHS[:GAMMA]  ",
        "  multiplied by gamma every `epochs` epochs\n"
        "      epochs: epochs from one change to the next, a number above 0\n",
        "\n  crop[:PADDING[:MODE]]  ", "\nAverages:\n  swa[:START]  ",
        "      start: epoch from which on weights are averaged, a number of at least 0 (default: "
        "three quarters of the run)\n"}) {
    EXPECT_NE(train.find(part), std::string::npos) << part << train;
  }
  const std::string filter = fovea({"filter", "--help"}).out;
  EXPECT_NE(filter.find("      size: pixels along each side, an integer from 1 to 255\n"),
            std::string::npos)
      << filter;
}

TEST(Commands, TooLittleMemoryEndsWith7) {
  // And with what to try, not with a bare signal.
  const Outcome outcome = fovea({"bench", "infer", "--model", "small_cnn", "--batch", "20000"},
                                {.folder = {}, .memory = size_t{1} << 30});
  EXPECT_EQ(outcome.code, 7) << outcome.err;
  EXPECT_NE(outcome.err.find("cannot allocate"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("--batch"), std::string::npos) << outcome.err;
}

TEST(Terminal, LongWorkDrawsABarThatIsErasedAtTheEnd) {
  const TemporaryFolder folder;
  write_digits(folder / "digits", 200, 50, 16);
  const Arguments train{"train",   "--data",    "mnist:" + (folder / "digits").string(),
                        "--model", "small_cnn", "--epochs",
                        "2",       "--out",     folder / "run"};
  const std::string screen = fovea(train, {.folder = {}, .terminal = true}).err;
  EXPECT_NE(screen.find("\r["), std::string::npos) << screen;
  EXPECT_NE(screen.find("\r\x1b[J"), std::string::npos) << screen;
}

TEST(Terminal, ErrorsAreRedUnlessColoursAreUnwanted) {
  const Arguments unknown{"summary", "--model", "nothing"};
  const auto shown = [&](std::vector<std::string> set) {
    return fovea(unknown, {.folder = {}, .terminal = true, .set = std::move(set)}).err;
  };
  EXPECT_EQ(shown({"TERM=xterm", "NO_COLOR="}).find("\x1b[31merror:"), 0u);
  EXPECT_EQ(shown({"TERM=xterm", "NO_COLOR=1"}).find("error:"), 0u);
  EXPECT_EQ(shown({"TERM=dumb", "NO_COLOR="}).find("error:"), 0u);
  EXPECT_EQ(fovea(unknown).err.find("error:"), 0u);
}

TEST(Commands, OfAFlagGivenTwiceTheLastCounts) {
  // ./quickstart.sh --epochs 1 puts the user's number behind its own.
  const Outcome outcome = fovea({"summary", "--model", "nothing", "--model", "small_cnn",
                                 "--classes", "10", "--json", "--classes", "20"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("model"), "small_cnn");
  EXPECT_EQ(outcome.json().at("output"), nlohmann::json({20}));
}

TEST(Commands, VersionIsOneLine) {
  const Outcome outcome = fovea({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out.substr(0, 6), "fovea ");
}

TEST(Commands, UnknownNamesAreUsageErrorsWithTheNearest) {
  expect_refusal({"trian"}, 2, {"error: unknown command \"trian\"", "nearest train"});
  expect_refusal({"help", "trian"}, 2, {"error: unknown command \"trian\"", "nearest train"});
  EXPECT_EQ(fovea({"help"}).out, fovea({"--help"}).out);
  EXPECT_EQ(fovea({"help", "data", "info"}).out, fovea({"data", "info", "--help"}).out);
  expect_refusal({"data", "inof"}, 2, {"unknown command \"inof\"", "nearest info"});
  expect_refusal({"train", "--epoch", "3"}, 2, {"unknown flag \"--epoch\"", "--epochs"});
  expect_refusal({"train", "--precison=bf16"}, 2, {"unknown flag \"--precison\""});
  expect_refusal({"summary", "--model", "resnet18_cfar"}, 2,
                 {"unknown model \"resnet18_cfar\"", "resnet18_cifar"});
  expect_refusal({"models", "smal_cnn"}, 2, {"unknown model \"smal_cnn\"", "small_cnn"});
  expect_refusal({"train", "--data", "fashion_mnist"}, 2, {"fashion-mnist"});
  expect_refusal({"data", "info", "cifar11"}, 2, {"cifar10"});
}

TEST(Commands, WhatIsMissingIsReported) {
  expect_refusal({}, 2, {"a command is required", "train, eval, predict"});
  expect_refusal({"bench"}, 2, {"a command is required", "step"});
  expect_refusal({"summary"}, 2, {"--model is missing"});
  expect_refusal({"eval", "--model", "x.safetensors"}, 2, {"--data is missing"});
  expect_refusal({"predict", "--model", "x.safetensors"}, 2, {"predict: no file is given"});
  expect_refusal({"train", "--epochs"}, 2, {"--epochs"});
  expect_refusal({"data", "info"}, 2, {"a data set is required", "cifar10"});
}

TEST(Commands, BadValuesNameTheFlag) {
  expect_refusal({"train", "--epochs", "0"}, 2, {"--epochs must be an integer from 1"});
  expect_refusal({"train", "--lr", "fast"}, 2, {"--lr must be a number from 0"});
  expect_refusal({"train", "--optimizer", "adamm"}, 2, {"adamm", "adamw"});
  expect_refusal({"train", "--threads", "0"}, 2, {"--threads"});
  expect_refusal({"summary", "--model", "small_cnn", "--input", "3x8x8x8x8"}, 2,
                 {"--input: \"3x8x8x8x8\" has 5 sizes; at most 4 are allowed"});
  expect_refusal({"summary", "--model", "small_cnn", "--input", "3xbx2"}, 2, {"\"3xbx2\""});
  expect_refusal({"bench", "op", "conv:ic64"}, 2, {"\"oc\" is missing"});
  expect_refusal({"train", "--resume", "x", "--out", "y"}, 2, {"cannot be combined with --out"});
  expect_refusal({"bench", "op", "relo f32[8]"}, 2, {"unknown op \"relo\"", "nearest relu"});
  // A backward op trusts the values of its forward op: it would read beyond these.
  expect_refusal({"bench", "op", "slice_backward axis=0 begin=90 size=4 f32[2]"}, 2,
                 {"slice_backward is not a forward op"});
}

TEST(Commands, AnImageTooSmallForTheNetNamesTheLayer) {
  expect_refusal({"summary", "--model", "small_cnn", "--input", "3x2x2"}, 2,
                 {"f32[N=1, C=64, H=1, W=1]", "small_cnn.pool2"});
}

TEST(Commands, FailuresAreOneJsonDocument) {
  const Outcome outcome = fovea({"summary", "--json", "--model", "smallcnn"});
  EXPECT_EQ(outcome.code, 2);
  const nlohmann::json error = outcome.json().at("error");
  EXPECT_EQ(error.at("kind"), "usage");
  EXPECT_EQ(error.at("message"), "unknown model \"smallcnn\"");
  EXPECT_EQ(error.at("details").at("nearest"), "small_cnn");
  EXPECT_EQ(error.at("exit_code"), 2);
  // Even if the command line itself cannot be parsed.
  EXPECT_EQ(fovea({"train", "--no-such", "--json"}).json().at("error").at("exit_code"), 2);
}

TEST(Commands, StandardOutputThatNobodyReadsDoesNotCrash) {
  const Outcome outcome = fovea({"models"}, {.folder = {}, .closed_output = true});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(Commands, StandardOutputOnAFullDiskIsAnError) {
  const Outcome outcome = fovea({"models", "--json"}, {.folder = {}, .output = "/dev/full"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_NE(outcome.err.find("cannot write to standard output"), std::string::npos) << outcome.err;
}

TEST(Commands, ASignalEndsCommandsWithoutACheckpoint) {
  for (const auto& [signal, code] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGHUP, 129)}) {
    TemporaryFolder folder;
    Running bench({"bench", "step", "--model", "small_cnn", "--samples", "1000000"});
    ::usleep(200'000);
    bench.signal(signal);
    EXPECT_EQ(bench.wait().code, code);
  }
}

TEST(Models, ListsParametersAndInputs) {
  const nlohmann::json models = fovea({"models", "--json"}).json();
  ASSERT_TRUE(models.is_array());
  bool found = false;
  for (const auto& model : models) {
    if (model.at("name") != "resnet18_cifar") continue;
    found = true;
    EXPECT_EQ(model.at("parameters"), 11173962);
    EXPECT_EQ(model.at("input"), "3x32x32");
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(fovea({"models", "resnet*_cifar", "--json"}).json().size(), 5u);
}

TEST(Bench, TuneKeepsWhatItMeasuredAndIgnoresABrokenFile) {
  const TemporaryFolder folder;
  const Surroundings here{.set = {"XDG_CACHE_HOME=" + (folder / "cache").string()}};
  const auto run = [&] {
    const Outcome outcome = fovea({"bench", "op", "conv:mb2ic16ih8oc16kh3ph1", "--tune", "--warmup",
                                   "0", "--samples", "1", "--json"},
                                  here);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("results").size(), 3u);
    return outcome.err;
  };
  const std::string first = run(), second = run();
  EXPECT_NE(first.find(" problems measured, 0 known from "), std::string::npos) << first;
  EXPECT_NE(second.find("tuning: 0 problems measured, "), std::string::npos) << second;
  const std::filesystem::path tuning = folder / "cache/fovea/tuning";
  for (const auto& entry : std::filesystem::directory_iterator(tuning))
    put(entry.path(), "nonsense");
  const std::string third = run();
  EXPECT_NE(third.find(" is ignored: it begins with \"nonsense\""), std::string::npos) << third;
  EXPECT_NE(third.find(" problems measured, 0 known from "), std::string::npos) << third;
}

TEST(Summary, HasTheExactCounts) {
  struct Expected {
    const char* model;
    int64_t parameters, macs, field;
    int64_t buffers;
  };
  for (const Expected& e : {Expected{"small_cnn", 545290, 6128896, 10, 192},
                            Expected{"deeper_cnn", 410826, 77269504, 24, 1024},
                            Expected{"lenet_cnn", 620362, 10848768, 22, 0},
                            Expected{"vgg_style_cnn", 1806154, 190581248, 44, 2304},
                            Expected{"resnet18_cifar", 11173962, 555422720, 109, 9600}}) {
    const nlohmann::json summary =
        fovea({"summary", "--json", "--batch", "2", "--model", e.model}).json();
    EXPECT_EQ(summary.at("parameters"), e.parameters) << e.model;
    EXPECT_EQ(summary.at("trainable"), e.parameters) << e.model;
    EXPECT_EQ(summary.at("buffers"), e.buffers) << e.model;
    EXPECT_EQ(summary.at("macs"), e.macs) << e.model;
    EXPECT_EQ(summary.at("receptive_field").at("size"), e.field) << e.model;
    EXPECT_EQ(summary.at("output"), nlohmann::json::array({10})) << e.model;
    EXPECT_GE(summary.at("arena").at("bytes"), summary.at("arena").at("lower_bound"));
    int64_t sum = 0;
    for (const auto& layer : summary.at("layers")) sum += layer.at("parameters").get<int64_t>();
    EXPECT_EQ(sum, e.parameters) << e.model;
  }
}

TEST(Summary, CountsAuxiliaryHeads) {
  struct Expected {
    const char* model;
    int64_t parameters, bare;
  };
  for (const Expected& e :
       {Expected{"googlenet", 13004888, 6624904}, Expected{"inception_v3", 27161264, 23834568}}) {
    const Arguments command{"summary", "--json", "--batch", "2", "--model", e.model};
    Arguments with_heads = command;
    with_heads.emplace_back("--aux");
    const nlohmann::json bare = fovea(command).json(), heads = fovea(with_heads).json();
    EXPECT_EQ(bare.at("parameters"), e.bare) << e.model;
    EXPECT_EQ(heads.at("parameters"), e.parameters) << e.model;
    EXPECT_EQ(heads.at("trainable"), e.parameters) << e.model;
    EXPECT_EQ(heads.at("macs"), bare.at("macs")) << e.model;  // of use
    EXPECT_EQ(bare.at("training_macs"), 0) << e.model;
    int64_t parameters = 0, macs = 0;
    for (const auto& layer : heads.at("layers")) {
      parameters += layer.at("parameters").get<int64_t>();
      macs += layer.at("macs").get<int64_t>();
    }
    EXPECT_EQ(parameters, e.parameters) << e.model;
    EXPECT_EQ(macs, heads.at("macs").get<int64_t>() + heads.at("training_macs").get<int64_t>());
  }
}

TEST(Commands, ChoicesThatAModelDoesNotHaveAreRefused) {
  expect_refusal({"summary", "--model", "vgg11", "--aux"}, 2,
                 {"vgg11: this model has no choice \"aux\""});
  expect_refusal({"train", "--model", "small_cnn", "--aux"}, 2,
                 {"small_cnn: this model has no choice \"aux\""});
  expect_refusal({"summary", "--model", "small_cnn", "--width", "2"}, 2,
                 {"small_cnn: this model has no choice \"width\""});
  expect_refusal({"bench", "step", "--model", "lenet_cnn", "--drop-path", "0.1"}, 2,
                 {"lenet_cnn: this model has no choice \"drop_path\""});
  expect_refusal({"summary", "--model", "small_cnn", "--dropout", "1"}, 2,
                 {"--dropout must be a number of at least 0 and below 1, not \"1\""});
  expect_refusal({"summary", "--model", "vgg11", "--stem", "cifar"}, 2,
                 {"vgg11: this model has no choice \"stem\""});
  expect_refusal({"predict", "--model", "a.safetensors", "--stem", "cifar", "a.png"}, 2,
                 {"--stem only together with --weights"});
  EXPECT_EQ(fovea({"summary", "--model", "resnet18", "--stem", "cifar", "--classes", "10",
                   "--input", "3x32x32", "--json"})
                .json()
                .at("macs"),
            555'422'720);  // of resnet18_cifar
  expect_refusal({"convert", "a.pth", "b.pth", "--aux"}, 2, {"--aux", "--model NAME as well"});
  expect_refusal({"predict", "--model", "a.safetensors", "--width", "2", "a.png"}, 2,
                 {"--width only together with --weights"});
  EXPECT_EQ(fovea({"summary", "--model", "mobilenet_v2", "--width", "0.5", "--json"})
                .json()
                .at("parameters"),
            1968680);
}

TEST(Summary, TakesOtherInputsAndClasses) {
  const nlohmann::json summary = fovea({"summary", "--json", "--model", "small_cnn", "--input",
                                        "1x28x28", "--classes", "7", "--batch", "2"})
                                     .json();
  EXPECT_EQ(summary.at("input"), nlohmann::json::array({1, 28, 28}));
  EXPECT_EQ(summary.at("output"), nlohmann::json::array({7}));
}

TEST(Summary, ShowsPassesAndKernels) {
  const std::string text =
      fovea({"summary", "--model", "small_cnn", "--batch", "2", "--graph", "--explain-kernels"})
          .out;
  for (const char* part : {"== training step: after trace", "== training step: after autodiff",
                           "conv_backward_weights", "== inference: after ", "== inference: kernels",
                           "normalize_images"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(Summary, StepsOfALayerAreForwardAndBackward) {
  const nlohmann::json kernels =
      fovea({"summary", "--json", "--model", "small_cnn", "--batch", "2", "--explain-kernels"})
          .json()
          .at("kernels");
  for (const char* layer : {"conv1", "bn1", "pool1", "head.4"}) {
    for (const char* program : {"training step", "inference"}) {
      int forward = 0, backward = 0;
      for (const auto& step : kernels) {
        if (step.at("program") != program || step.at("scope") != layer) continue;
        ++(step.at("backward") ? backward : forward);
      }
      // The norm is folded into the convolution in inference, and takes the pool in training.
      const bool training = program == std::string("training step");
      const bool gone = layer == std::string(training ? "pool1" : "bn1");
      EXPECT_EQ(forward > 0, !gone) << layer;
      EXPECT_EQ(backward > 0, training && !gone) << layer;
    }
  }
}

TEST(Bench, MeasuresOpsAndNets) {
  const nlohmann::json pool =
      fovea({"bench", "op", "max_pool kernel=2 stride=2 padding=0 f32[2, 16, 8, 8]", "--samples",
             "2", "--json"})
          .json()
          .at("results")
          .at(0);
  EXPECT_EQ(pool.at("pass"), "fwd");
  EXPECT_EQ(pool.at("kernel"), "simd");
  EXPECT_GT(pool.at("images_per_second"), 0);
  const nlohmann::json op = fovea({"bench", "op", "conv:mb2ic16ih8oc16kh3ph1", "--samples", "2",
                                   "--warmup", "0", "--json"})
                                .json();
  ASSERT_EQ(op.at("results").size(), 3u);
  for (const auto& result : op.at("results")) {
    EXPECT_GT(result.at("median_ms"), 0);
    EXPECT_GT(result.at("gflops"), 0);
  }
  EXPECT_GT(op.at("peak_memory_bytes"), 0);
  for (const char* what : {"step", "infer"}) {
    const nlohmann::json net = fovea({"bench", what, "--model", "small_cnn", "--batch", "4",
                                      "--samples", "2", "--warmup", "1", "--profile", "--json"})
                                   .json();
    for (const char* key : {"median_ms", "images_per_second", "gflops", "peak_memory_bytes"}) {
      EXPECT_GT(net.at(key), 0) << key;
    }
    EXPECT_FALSE(net.at("kernels").empty());
    const auto& profile = net.at("profile");
    EXPECT_GT(profile.at("peak").at("gflops"), 1);
    double share = 0;
    for (const auto& kernel : profile.at("kernels")) share += double(kernel.at("share_of_peak"));
    EXPECT_GT(share, 0);
    EXPECT_EQ(profile.at("modules").at(1).at("name"), "conv1");
  }
}

TEST(Bench, AStepOfABatchOfOnesOwnGivesItsLoss) {
  const TemporaryFolder folder;
  const std::string inputs = folder / "x.npy", targets = folder / "y.npy";
  write_npy(inputs, Array::zeros(DType::u8, {2, 28, 28, 1}));
  write_npy(targets, Array::of<int64_t>({3, 4}, {2}));
  std::vector<std::string> command{"bench",   "step",     "--model",   "small_cnn", "--input",
                                   "1x28x28", "--inputs", inputs,      "--targets", targets,
                                   "--task",  "classify", "--samples", "1",         "--warmup",
                                   "0",       "--json"};
  const nlohmann::json step = fovea(command).json();
  EXPECT_EQ(step.at("batch"), 2);
  EXPECT_NEAR(step.at("loss"), std::log(10.0), 0.5);

  write_npy(targets, Array::of<float>({3, 4}, {2}));
  const Outcome refused = fovea(command);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err, "error: --targets: the array of " + targets +
                             " is of another type\n  expected i64[2]\n  found    f32[2]\n");
  command.resize(8);
  expect_refusal(command, 2, {"--inputs, --targets and --task belong together"});
}

TEST(Bench, TraceIsATimelineOfKernelCalls) {
  const TemporaryFolder folder;
  const std::string file = folder / "trace.json";
  EXPECT_EQ(fovea({"bench", "infer", "--model", "small_cnn", "--batch", "2", "--samples", "3",
                   "--warmup", "1", "--trace", file})
                .code,
            0);
  const auto events = nlohmann::json::parse(std::ifstream(file)).at("traceEvents");
  int64_t convolutions = 0;
  for (const auto& event : events) {
    if (event.at("ph") != "X") continue;
    EXPECT_GE(event.at("dur"), 0);
    convolutions += event.at("name") == "conv";
  }
  EXPECT_EQ(convolutions, 6);
}

}  // namespace
}  // namespace fovea::cli_test
