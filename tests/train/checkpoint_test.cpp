#include "fovea/train/checkpoint.h"

#include <cmath>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/train/metrics.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

/// A State of one array of each kept role, all elements `value`.
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

TEST(Checkpoint, HoldsAllThatARunNeeds) {
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

TEST(Checkpoint, ABrokenOneFallsBackToTheOneBefore) {
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
    EXPECT_NE(checkpoint.warning.find("; going on from the checkpoint before it"),
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
  // As AdamW's checkpoints were before it counted the steps of each array.
  read.state.declare("other", {DType::f32, {1}}, Role::buffer);
  read.state.declare("step:w", {DType::i64, {}}, Role::moment);
  EXPECT_EQ(says(), path + " does not hold the arrays of this run\n  arrays  4 instead of 5\n" +
                        "  missing step:w\n  try     " + advice);
  EXPECT_TRUE(checkpoint_progress(folder / "nowhere").empty());
}

TEST(Metrics, CountAndAddOverBatches) {
  Metrics m;
  for (const char* name : {"a", "b", "c"}) m.per_class.push_back({.name = name});
  const double third = std::log(3.0);
  m.add(Array::of(std::vector<float>{0, 0, 0, 1, 5, 2}, {2, 3}),
        Array::of(std::vector<int64_t>{0, 1}));
  m.add(Array::of(std::vector<float>{0, 0, 0}, {1, 3}), Array::of(std::vector<int64_t>{2}));
  EXPECT_EQ(m.count, 3);
  EXPECT_EQ(m.correct, 2);  // of equal logits the first counts
  EXPECT_EQ(m.correct5, 3);
  const double second = std::log(std::exp(-4.0) + 1 + std::exp(-3.0));
  EXPECT_NEAR(m.loss(), (2 * third + second) / 3, 1e-7);
  EXPECT_EQ(m.per_class[2].count, 1);
  EXPECT_EQ(m.per_class[2].accuracy(), 0);
  EXPECT_EQ(m.per_class[1].accuracy(), 1);
  EXPECT_EQ(Metrics{}.accuracy(), 0);
}

TEST(Metrics, TopFiveIsAmongTheFiveLargest) {
  Metrics m;
  const Array logits = Array::of(std::vector<float>{7, 6, 5, 4, 3, 2, 1}, {1, 7});
  for (int64_t label = 0; label < 7; ++label) m.add(logits, Array::of(std::vector<int64_t>{label}));
  EXPECT_EQ(m.correct, 1);
  EXPECT_EQ(m.correct5, 5);
}

TEST(Metrics, ANetThatGivesNoNumbersIsNeverRight) {
  Metrics m;
  const float nan = std::nanf("");
  m.add(Array::of(std::vector<float>{nan, nan}, {1, 2}), Array::of(std::vector<int64_t>{0}));
  EXPECT_EQ(m.correct, 0);
  EXPECT_EQ(m.correct5, 0);
  EXPECT_TRUE(std::isnan(m.loss()));
}

}  // namespace
}  // namespace fovea::train
