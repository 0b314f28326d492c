#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/models/choices.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/predict/predictor.h"
#include "paths.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// 2x, without a kernel.
struct Doubled {
  static constexpr std::string_view name = "doubled";
  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  Tensors gradient(const Node&, const Tensors& dy) const { return {dy[0] * 2.0}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = 2 * v.in[0][i];
  }
};

/// A user's own net, with an op of their own.
class OwnNet : public nn::Module {
 public:
  OwnNet(const nn::Scope& s, const models::Config& c)
      : Module(s), fc(at("fc"), c.input.numel(), c.outputs) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x.graph().add_one(Doubled{}, {x}))); }
  nn::Linear fc;
};

TEST_F(Training, NetsFromOutsideTrainByNameAndSlowOpsAreReportedOnce) {
  models::add({.name = "own_net",
               .input = {1, 8, 8},
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<OwnNet>(s, c);
               }});
  expect_error(ErrorKind::usage, "own_net: a model of this name is already registered",
               [] { models::add({.name = "own_net"}); });
  settings_.model = "own_net";
  std::vector<std::string> slow;
  Watch watch;
  watch.message = [&](const std::string& text) {
    if (text.find("no fast kernel") != std::string::npos) slow.push_back(text);
  };
  const Result result = train(settings_, folder_ / "own", {&watch});
  EXPECT_GT(accuracy(result), 0.9);
  EXPECT_EQ(slow, std::vector<std::string>{
                      "no fast kernel, this will be slow: doubled f32[16, 1, 8, 8] -> "
                      "f32[16, 1, 8, 8]"});
  const Predictor predictor(result.folder / "best.safetensors");  // knows how to build it
}

/// A net with an auxiliary head, if requested.
class AuxiliaryNet : public nn::Module {
 public:
  AuxiliaryNet(const nn::Scope& s, const models::Config& c)
      : Module(s), fc(at("fc"), c.input.numel(), c.outputs) {
    if (c.choices.flag("aux")) aux1.emplace(at("aux1"), c.input.numel(), c.outputs);
  }
  Tensor forward(Tensor x) const override {
    if (aux1 && x.graph().mode() == Mode::train) x.graph().output("aux1", (*aux1)(flatten(x)));
    return fc(flatten(x));
  }
  nn::Linear fc;
  std::optional<nn::Linear> aux1;
};

TEST_F(Training, AuxiliaryHeadsAreTrainedOnRequest) {
  models::add({.name = "auxiliary_net",
               .input = {1, 8, 8},
               .choices = {models::aux()},
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<AuxiliaryNet>(s, c);
               }});
  settings_.model = "auxiliary_net";
  settings_.epochs = 1;
  run("bare", settings_);
  settings_.choices.set("aux", true);
  const Result result = run("heads", settings_);
  Predictor bare(folder_ / "bare/last.safetensors"), heads(result.folder / "last.safetensors");
  EXPECT_EQ(bare.file().arguments.at("aux"), "0");
  EXPECT_EQ(heads.file().arguments.at("aux"), "1");
  EXPECT_FALSE(bare.state().contains("aux1.weight"));
  State first;
  nn::declare(first, heads.model(), static_cast<uint64_t>(settings_.seed));
  EXPECT_NE(first.get("aux1.weight").data<float>()[0],
            heads.state().get("aux1.weight").data<float>()[0]);
  settings_.model = "small_cnn";
  expect_error(ErrorKind::usage, "small_cnn: this model has no choice \"aux\"",
               [&] { run("none", settings_); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
}

/// A small net in TOML.
constexpr std::string_view net_text =
    "layers = [\n"
    "  { name = \"conv\", type = \"ConvNormAct\", out_channels = 8 },\n"
    "  { type = \"Dropout\", p = 0.1 },\n"
    "  \"Flatten\",\n"
    "  { name = \"fc\", type = \"Linear\", out_features = \"classes\" },\n"
    "]\n";

TEST_F(Training, ANetOfATextNeedsItsFileOnlyOnce) {
  // The run keeps the text it began with: neither resuming nor using its models reads the file
  // again.
  put(folder_ / "tiny.toml", net_text);
  settings_.model = folder_ / "tiny.toml";
  const Result uninterrupted = run("uninterrupted", settings_);
  EXPECT_GT(accuracy(uninterrupted), 0.9);
  EXPECT_EQ(contents("uninterrupted/tiny.toml"), net_text);
  stopped("part", settings_, 14);
  put(folder_ / "tiny.toml", "layers = []");
  (void)resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
  EXPECT_EQ(contents("uninterrupted/last.safetensors"), contents("part/last.safetensors"));
  std::filesystem::remove(folder_ / "tiny.toml");
  std::filesystem::remove(folder_ / "uninterrupted/tiny.toml");
  Predictor best(folder_ / "uninterrupted/best.safetensors");
  EXPECT_EQ(best.file().architecture, "tiny");
  EXPECT_EQ(best.file().arguments.at("net"), net_text);
  EXPECT_EQ(best.model().children().front()->name(), "conv");
  // No folder of the machine it was trained on is in the model.
  EXPECT_EQ(best.file().arguments.at("net_file"), "tiny.toml");
  EXPECT_EQ(best.file().training.at("setting.model"), "tiny.toml");
  std::filesystem::remove(folder_ / "part/tiny.toml");
  expect_error(ErrorKind::model, "tiny.toml", [&] { (void)resume(folder_ / "part"); });
}

TEST_F(Training, ATextIsTrainedAsTheSameNetInCode) {
  settings_.epochs = 1;
  const Result code = run("code", settings_);
  settings_.model = tests_folder() + "/../examples/nets/small_cnn.toml";
  const Result text = run("text", settings_);
  EXPECT_EQ(code.history[0].numbers, text.history[0].numbers);
  const ModelFile a = load_model(code.folder / "last.safetensors"),
                  b = load_model(text.folder / "last.safetensors");
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    EXPECT_EQ(a.weights[i].first, b.weights[i].first);
    EXPECT_EQ(std::memcmp(a.weights[i].second.raw(), b.weights[i].second.raw(),
                          a.weights[i].second.bytes()),
              0)
        << a.weights[i].first;
  }
}

TEST_F(Training, ANetInTomlTakesWeightsAndFreezing) {
  put(folder_ / "tiny.toml", net_text);
  settings_.model = folder_ / "tiny.toml";
  settings_.epochs = 1;
  run("first", settings_);
  settings_.weights = folder_ / "first/best.safetensors";
  settings_.freeze = "backbone";
  const Result result = run("second", settings_);
  EXPECT_EQ(result.frozen, 6);  // all but the two of fc
  EXPECT_EQ(result.frozen_changed, 0);
}

TEST_F(Training, ANetFileMustNotHaveTheNameOfTheSettings) {
  put(folder_ / "config.toml", net_text);
  settings_.model = folder_ / "config.toml";
  expect_error(ErrorKind::usage, "--model: a net file must not be called config.toml",
               [&] { run("no", settings_); });
}

TEST_F(Training, WritesARunFolder) {
  std::vector<std::string> messages;
  int starts = 0, batches = 0, epochs = 0;
  Watch watch;
  watch.start = [&](Trainer&) { ++starts; };
  watch.batch = [&](Trainer& trainer) {
    ++batches;
    EXPECT_EQ(trainer.batches(), 9);
    EXPECT_EQ(trainer.progress().epoch, epochs);
    EXPECT_GE(trainer.seconds_left(), 0);
  };
  watch.epoch = [&](EpochRecord&, bool) { ++epochs; };
  watch.message = [&](const std::string& m) { messages.push_back(m); };
  const Result result = train(settings_, folder_ / "run", {&watch});
  EXPECT_EQ(starts, 1);
  EXPECT_EQ(batches, 27);
  EXPECT_EQ(epochs, 3);
  EXPECT_TRUE(messages.empty()) << messages[0];
  EXPECT_EQ(result.epochs, 3);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.test_samples, 40);
  EXPECT_GT(accuracy(result), 0.9);
  EXPECT_GE(result.best_epoch, 1);
  EXPECT_EQ(result.history.size(), 3u);
  EXPECT_EQ(contents("run/history.csv"), to_csv(result.history));
  Settings expected = settings_;
  EXPECT_EQ(contents("run/config.toml"), to_toml(expected));
  Predictor best(folder_ / "run/best.safetensors");
  EXPECT_EQ(best.file().class_names.size(), 10u);
  EXPECT_EQ(best.file().training.at("epoch"), std::to_string(result.best_epoch));
}

TEST_F(Training, TheSameSettingsGiveTheSameBytes) {
  run("a", settings_);
  run("b", settings_);
  EXPECT_TRUE(same_weights("a", "b"));
  for (int64_t workers : {0, 2}) {
    Settings other = settings_;
    other.workers = workers;
    run("workers" + std::to_string(workers), other);
    EXPECT_TRUE(same_weights("a", "workers" + std::to_string(workers))) << workers;
  }
  Settings seed = settings_;
  seed.seed = 2;
  run("seed", seed);
  EXPECT_FALSE(same_weights("a", "seed"));
}

TEST_F(Training, AStoppedRunResumesToTheSameBytes) {
  run("uninterrupted", settings_);
  Random random(1, "stops");
  std::vector<int64_t> stops{1, 9, 26, 27};  // also at the ends of epochs
  for (int i = 0; i < 3; ++i) stops.push_back(1 + static_cast<int64_t>(random.below(26)));
  for (int64_t batches : stops) {
    const std::string out = "stopped" + std::to_string(batches);
    if (std::filesystem::exists(folder_ / out)) continue;
    const Result first = stopped(out, settings_, batches);
    EXPECT_TRUE(first.stopped);
    EXPECT_EQ(first.history.size(), static_cast<size_t>((batches - 1) / 9)) << "it validated first";
    const Result second = resume(folder_ / out);
    EXPECT_FALSE(second.stopped);
    EXPECT_EQ(second.history.size(), 3u);
    EXPECT_EQ(second.test_samples, 40);
    EXPECT_TRUE(same_weights("uninterrupted", out)) << "stopped after " << batches;
  }
}

TEST_F(Training, ARunStoppedFromAnotherThreadResumesToTheSameBytes) {
  settings_.workers = 4;
  run("uninterrupted", settings_);
  std::stop_source stop;
  std::atomic<bool> begun{false};
  Watch watch;
  watch.batch = [&](Trainer&) {
    begun = true;
    begun.notify_one();
  };
  std::jthread other([&] {
    begun.wait(false);
    stop.request_stop();
  });
  train(settings_, folder_ / "part", {&watch}, stop.get_token());
  other.join();
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Training, AdamWithClippingAndSmoothingResumesToTheSameBytes) {
  settings_.optimizer = "adamw";
  settings_.lr = 0.002;
  settings_.clip = 0.5;
  settings_.label_smoothing = 0.1;
  settings_.val = 0;
  settings_.schedule = "step:1:0.5";
  run("uninterrupted", settings_);
  stopped("part", settings_, 14);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Training, StartsOverWithoutACheckpointAndFallsBackFromABrokenOne) {
  run("uninterrupted", settings_);
  stopped("part", settings_, 20);
  const auto again = [&] {
    std::vector<std::string> messages;
    Watch watch;
    watch.message = [&](const std::string& m) { messages.push_back(m); };
    resume(folder_ / "part", {&watch});
    EXPECT_TRUE(same_weights("uninterrupted", "part"));
    return messages.empty() ? "" : messages[0];
  };
  put(folder_ / "part/checkpoint.safetensors", "torn");
  EXPECT_NE(again().find("; continuing from the previous checkpoint"), std::string::npos);
  for (const char* name : {"checkpoint.safetensors", "checkpoint.previous.safetensors"})
    std::filesystem::remove(folder_ / "part" / name);
  EXPECT_EQ(again(), "no checkpoint was written yet: starting over");
}

TEST_F(Training, ResumingAFinishedRunMeasuresItAgain) {
  const Result first = run("run", settings_);
  const std::string before = contents("run/last.safetensors");
  const Result again = resume(folder_ / "run");
  EXPECT_EQ(accuracy(again), accuracy(first));
  EXPECT_EQ(again.best_epoch, first.best_epoch);
  EXPECT_EQ(contents("run/last.safetensors"), before);
}

TEST_F(Training, ResumingWarnsWhenTheBitsMayDiffer) {
  stopped("part", settings_, 5);
  std::string config = contents("part/config.toml");
  config.replace(config.find("threads = 2"), 11, "threads = 1");
  put(folder_ / "part/config.toml", config);
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& m) { messages.push_back(m); };
  resume(folder_ / "part", {&watch});
  ASSERT_FALSE(messages.empty());
  EXPECT_EQ(messages[0],
            "resuming with another threads than before (1 instead of 2): the result may differ in "
            "its last bits");
}

TEST_F(Training, WithoutValidationTheLastEpochIsTheBest) {
  settings_.val = 0;
  const Result result = run("run", settings_);
  EXPECT_EQ(result.best_epoch, 3);
  EXPECT_EQ(tasks::find(result.history[0].numbers, "val_accuracy"), std::nullopt);
  EXPECT_EQ(result.best_value, std::nullopt);
  EXPECT_EQ(contents("run/best.safetensors"), contents("run/last.safetensors"));
}

TEST_F(Training, FindsMistakesBeforeItCreatesAFolder) {
  const auto fails = [&](ErrorKind kind, const std::string& text, const auto& spoil) {
    Settings settings = settings_;
    spoil(settings);
    expect_error(kind, text, [&] { run("run", settings); });
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run")) << text;
  };
  fails(ErrorKind::usage, "unknown model \"smal_cnn\"\n  nearest small_cnn",
        [](Settings& s) { s.model = "smal_cnn"; });
  fails(ErrorKind::usage, "unknown optimizer", [](Settings& s) { s.optimizer = "lion"; });
  fails(ErrorKind::usage, "unknown schedule", [](Settings& s) { s.schedule = "up"; });
  fails(ErrorKind::usage, "the warm-up must be from 0 to the run's 3 epochs, not 4",
        [](Settings& s) { s.warmup = 4; });
  fails(ErrorKind::usage, "augment", [](Settings& s) { s.augment = "turn"; });
  fails(ErrorKind::data, "nowhere",
        [&](Settings& s) { s.data = "mnist:" + (folder_ / "nowhere").string(); });
  fails(ErrorKind::usage, "vgg_style_cnn.block", [&](Settings& s) {
    s.model = "vgg_style_cnn";
    s.data = "mnist:" + (folder_ / "tiny").string();
    std::filesystem::create_directories(folder_ / "tiny");
    for (const char* name : {"train", "t10k"}) {
      put(folder_ / "tiny" / (std::string(name) + "-images-idx3-ubyte"),
          big_endian({2051, 2, 4, 4}) + std::string(16, 'x') + std::string(16, 'y'));
      put(folder_ / "tiny" / (std::string(name) + "-labels-idx1-ubyte"),
          big_endian({2049, 2}) + std::string(2, '\1'));
    }
  });
}

constexpr std::string_view normed_text =
    "layers = [\n"
    "  { type = \"AdaptiveAvgPool2d\", output_size = 1 },\n"
    "  \"Flatten\",\n"
    "  { name = \"fc\", type = \"Linear\", out_features = 8 },\n"
    "  { name = \"bn\", type = \"BatchNorm1d\" },\n"
    "  { name = \"out\", type = \"Linear\", out_features = \"classes\" },\n"
    "]\n";

TEST_F(Training, ALastBatchTooSmallForANormIsFoundBeforeTheFirstStep) {
  put(folder_ / "normed.toml", normed_text);
  settings_.model = folder_ / "normed.toml";
  settings_.batch = 67;  // of 135: the last has 1
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("run", settings_); }),
            "the last batch of an epoch has 1 image, too few to train this net\n"
            "  images  135 to train on, --batch 67\n"
            "  because batch_norm: one value per channel; training needs at least 2 to compute a "
            "variance\n"
            "  try     --drop-last, which leaves that batch out, or --batch 66");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  settings_.epochs = 1;
  Settings other = settings_;
  other.batch = 66;
  EXPECT_NO_THROW(run("other", other));
  settings_.drop_last = true;
  int batches = 0;
  Watch watch;
  watch.batch = [&](Trainer& trainer) {
    ++batches;
    EXPECT_EQ(trainer.batches(), 2);
    EXPECT_NEAR(trainer.seconds_left() * trainer.speed(), 134 - 67 * trainer.progress().batch,
                1e-6);
  };
  const Result result = train(settings_, folder_ / "run", {&watch});
  EXPECT_EQ(batches, 2);
  EXPECT_NEAR(result.images_per_second * result.seconds, 134, 1e-6);
  // Frozen it takes one image, but not once it is trained.
  settings_.drop_last = false;
  settings_.weights = result.folder / "last.safetensors";
  settings_.freeze = "backbone";
  EXPECT_NO_THROW(run("frozen", settings_));
  settings_.epochs = 2;
  settings_.unfreeze_after = 1;
  expect_error(ErrorKind::usage, "the last batch of an epoch has 1 image",
               [&] { run("thawed", settings_); });
}

TEST_F(Training, DropLastThatLeavesNothingIsRefused) {
  settings_.drop_last = true;
  settings_.batch = 136;
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("run", settings_); }),
            "--drop-last leaves an epoch without batches\n"
            "  images  135 to train on, --batch 136\n"
            "  try     --batch 135 or less");
}

TEST_F(Training, DeterministicAndTunedIsRefused) {
  settings_.deterministic = settings_.tune = true;
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { run("run", settings_); }),
            "--deterministic and --tune contradict each other\n"
            "  because which kernels are the fastest depends on the number of threads\n"
            "  try     one of them");
}

TEST_F(Training, RecomputeGivesTheSameBytes) {
  settings_.model = "deeper_cnn";
  settings_.epochs = 1;
  settings_.batch = 64;
  run("kept", settings_);
  settings_.recompute = true;
  run("again", settings_);
  EXPECT_TRUE(same_weights("kept", "again"));
}

TEST_F(Training, DropLastResumesToTheSameBytes) {
  settings_.drop_last = true;  // 8 batches instead of 9
  run("uninterrupted", settings_);
  for (const int64_t batches : {7, 8, 10}) {
    const std::string out = "stopped" + std::to_string(batches);
    stopped(out, settings_, batches);
    resume(folder_ / out);
    EXPECT_TRUE(same_weights("uninterrupted", out)) << batches;
  }
}

TEST_F(Training, ARunThatLearnsNothingSaysSo) {
  const auto messages = [&](const std::string& out) {
    std::vector<std::string> all;
    Watch watch;
    watch.message = [&](const std::string& text) { all.push_back(text); };
    (void)train(settings_, folder_ / out, {&watch});
    return all;
  };
  settings_.batch = 4;  // 34 steps per epoch: the third epoch passes 100
  settings_.epochs = 4;
  EXPECT_EQ(messages("learns"), std::vector<std::string>{});
  settings_.lr = 0;
  const std::vector<std::string> said = messages("still");
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0],
            "after 102 steps the loss is no lower than by guessing, ln(10) = 2.303: --lr 0 may be "
            "far too high or too low, the labels may not be those of the samples");
}

TEST_F(Training, ALabelOutOfRangeIsADataError) {
  write_split(folder_ / "data", "train", 150, true);
  expect_error(ErrorKind::data, "label", [&] { run("run", settings_); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(Training, OnlyTheFolderOfARunIsResumed) {
  const std::string advice =
      "\n  try     a folder that `fovea train` made, such as runs/small_cnn-fashion-mnist-001";
  const auto said = [](const std::string& path) {
    return error_text(ErrorKind::data, [&] { (void)resume(path); });
  };
  const std::string none = folder_ / "none", data = folder_ / "data";
  EXPECT_EQ(said(none), "--resume: " + none + " does not exist" + advice);
  EXPECT_EQ(said(data),
            "--resume: " + data + " has no config.toml: it is not the folder of a run" + advice);
  const std::string file = data + "/train-images-idx3-ubyte";
  EXPECT_EQ(said(file), "--resume: " + file +
                            " is a file, not the folder of a run\n  try     --resume " + data);
}

TEST_F(Training, ACheckpointOfAnotherModelIsRefused) {
  stopped("a", settings_, 3);
  Settings other = settings_;
  other.model = "lenet_cnn";
  stopped("b", other, 3);
  std::filesystem::copy_file(folder_ / "b/checkpoint.safetensors",
                             folder_ / "a/checkpoint.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  expect_error(ErrorKind::model, "does not hold the arrays of this run",
               [&] { (void)resume(folder_ / "a"); });
}

}  // namespace
}  // namespace fovea::train
