#include "fovea/train/checkpoint.h"
#include "fovea/train/progress.h"

#include <cmath>

#include "error_text.h"
#include "fovea/core/files.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

/// A State with one array of each saved role, all elements `value`.
struct Small {
  State state;
  explicit Small(double value, const Shape& shape = {2, 3}) {
    for (const auto& [name, role] : {std::pair<std::string, Role>{"w", Role::parameter},
                                     {"mean", Role::buffer},
                                     {"momentum:w", Role::moment},
                                     {"grad:w", Role::gradient}}) {
      state.declare(name, {DType::f32, shape}, role);
      state.set(name, Array::full(DType::f32, shape, value));
    }
  }
  double at(const std::string& name) { return state.get(name).at(0); }
};

TEST(Checkpoint, HoldsEverythingThatARunNeeds) {
  TemporaryFolder folder;
  Small saved(1.5), read(0);
  save_checkpoint(folder / "", saved.state, {{"epoch", "3"}, {"history", "a\nb"}});
  Checkpoint checkpoint;
  ASSERT_TRUE(load_checkpoint(folder / "", read.state, checkpoint));
  EXPECT_EQ(checkpoint.progress.at("epoch"), "3");
  EXPECT_EQ(checkpoint.progress.at("history"), "a\nb");
  EXPECT_EQ(checkpoint.warning, "");
  for (const char* name : {"w", "mean", "momentum:w"}) EXPECT_EQ(read.at(name), 1.5) << name;
  EXPECT_EQ(read.at("grad:w"), 0);  // of the next step
}

TEST(Checkpoint, ThereMayBeNone) {
  TemporaryFolder folder;
  Small read(7);
  Checkpoint checkpoint;
  EXPECT_FALSE(load_checkpoint(folder / "", read.state, checkpoint));
  EXPECT_EQ(read.at("w"), 7);
}

TEST(Checkpoint, ABrokenOneFallsBackToThePreviousOne) {
  const auto spoilt = [](const std::string& text) {
    return std::vector<std::string>{"", text.substr(0, text.size() / 2), "{" + text, text + "more"};
  };
  TemporaryFolder folder;
  Small first(1), second(2);
  save_checkpoint(folder / "", first.state, {{"epoch", "1"}});
  save_checkpoint(folder / "", second.state, {{"epoch", "2"}});
  const std::filesystem::path latest = folder / "checkpoint.safetensors";
  for (const std::string& text : spoilt(read_text(latest, ErrorKind::data))) {
    put(latest, text);
    Small read(0);
    Checkpoint checkpoint;
    ASSERT_TRUE(load_checkpoint(folder / "", read.state, checkpoint));
    EXPECT_EQ(checkpoint.progress.at("epoch"), "1");
    EXPECT_EQ(read.at("w"), 1);
    EXPECT_NE(checkpoint.warning.find("; continuing from the previous checkpoint"),
              std::string::npos);
  }
  // Stopped between the two renames of a save.
  std::filesystem::remove(latest);
  Small read(0);
  Checkpoint checkpoint;
  ASSERT_TRUE(load_checkpoint(folder / "", read.state, checkpoint));
  EXPECT_EQ(read.at("w"), 1);

  put(latest, "");
  put(folder / "checkpoint.previous.safetensors", "");
  EXPECT_THROW((void)load_checkpoint(folder / "", read.state, checkpoint), Error);
}

TEST(Checkpoint, OfAnotherModelIsRefusedAndChangesNothing) {
  TemporaryFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  Small saved(1, {3, 2});
  save_checkpoint(folder / "", saved.state, {});
  Small read(0);
  Checkpoint checkpoint;
  const auto says = [&] {
    return error_text(ErrorKind::model,
                      [&] { (void)load_checkpoint(folder / "", read.state, checkpoint); });
  };
  EXPECT_EQ(says(), path + ": the run has no array \"w\" of type f32[3, 2]");
  EXPECT_EQ(read.at("w"), 0);
  std::filesystem::remove(path);
  saved.state.declare("other", {DType::f32, {1}}, Role::buffer);
  save_checkpoint(folder / "", saved.state, {});
  const std::string advice =
      "the version of Fovea that wrote it; or a new run that starts from its weights: --weights " +
      (folder / "last.safetensors").string();
  EXPECT_EQ(says(), path + " does not hold the arrays of this run\n  arrays     4 instead of 3\n" +
                        "  unexpected other\n  try        " + advice);
  // Like AdamW's checkpoints before it counted the steps of each array.
  read.state.declare("other", {DType::f32, {1}}, Role::buffer);
  read.state.declare("step:w", {DType::i64, {}}, Role::moment);
  EXPECT_EQ(says(), path + " does not hold the arrays of this run\n  arrays  4 instead of 5\n" +
                        "  missing step:w\n  try     " + advice);
  EXPECT_TRUE(checkpoint_progress(folder / "nowhere").empty());
}

TEST(Progress, EveryFieldIsRestoredToTheBit) {
  const auto fresh = [] {
    return Progress{.measures = tasks::Measures({{.name = "accuracy", .sum = nullptr}})};
  };
  Progress p = fresh();
  p.epoch = 3;
  p.batch = 4;
  p.updates = 1000000;
  p.lr = 0.1 + 0.2;
  p.lr_factor = 1.0 / 3;
  p.loss_sum = 1e-300;
  p.measures.add({Array::full(DType::f64, Shape{}, 7)}, 8);
  p.seen = 8;
  p.epoch_seconds = 0.5;
  p.waiting_seconds = 0.125;
  p.added = {{"my number", -2.5}, {"b=c", 0}};
  p.best_epoch = 2;
  p.best_value = 0.75;
  p.finished = 1;
  p.history = {{.epoch = 1, .lr = 0.1, .numbers = {{"train_loss", 2}}, .seconds = 1},
               {.epoch = 2, .lr = 0.1, .numbers = {{"train_loss", 1}, {"mine", 3}}, .seconds = 1}};
  const std::map<std::string, std::string> strings = to_strings(p), defaults = to_strings(fresh());
  Progress read = fresh();
  from_strings(read, strings);
  EXPECT_EQ(to_strings(read), strings);
  for (const ProgressField& field : progress_fields()) {
    const std::string name(field.name);
    EXPECT_NE(strings.at(name), defaults.at(name)) << name << " was not tested";
    std::map<std::string, std::string> without = strings;
    without.erase(name);
    if (field.newer) {
      read = fresh();
      from_strings(read, without);
      EXPECT_EQ(field.get(read), defaults.at(name)) << name;
      continue;
    }
    expect_error(ErrorKind::model, "checkpoint: it has no \"" + name + "\"",
                 [&] { from_strings(read, without); });
  }
  from_strings(read, defaults);
  EXPECT_EQ(read.best_value, std::nullopt);
}

// As written before waiting was measured, and by a version that is yet to come.
TEST(Progress, OlderCheckpointsAreReadAndNewerOnesNameTheirVersion) {
  Progress p{.measures = tasks::Measures({{.name = "accuracy", .sum = nullptr}})};
  std::map<std::string, std::string> strings = to_strings(p);
  strings.erase("waiting_seconds");
  strings.erase("fovea.version");
  strings["bits.threads"] = "2";
  strings["history"] = "epoch,lr,train_loss,seconds,images_per_second\n1,0.1,2.5,3,100\n";
  from_strings(p, strings);
  ASSERT_EQ(p.history.size(), 1u);
  EXPECT_EQ(p.history[0].numbers, (tasks::Numbers{{"train_loss", 2.5}}));
  EXPECT_EQ(p.history[0].images_per_second, 100);
  EXPECT_EQ(p.history[0].waiting, 0);
  strings["moon_phase"] = "3";
  strings["fovea.version"] = "9.1";
  const std::string text = error_text(ErrorKind::model, [&] { from_strings(p, strings); });
  EXPECT_TRUE(
      text.starts_with("checkpoint: this version does not know \"moon_phase\"\n"
                       "  written by Fovea 9.1\n"
                       "  this is    Fovea "))
      << text;
}

}  // namespace
}  // namespace fovea::train
