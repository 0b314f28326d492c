#include "fovea/train/groups.h"

#include <cstring>

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "fovea/optim/sgd.h"
#include "train/training.h"

namespace fovea::train {
namespace {

const models::Config& config() {
  static const models::Config c =
      models::configure("small_cnn", {.outputs = 10, .input = Shape{1, 8, 8}});
  return c;
}

Groups groups(const std::string& text) {
  Settings settings;
  settings.group = text;
  return {settings, *models::make("small_cnn", config()), models::head("small_cnn", config())};
}

TEST(Groups, TheFirstThatContainsAnArrayCounts) {
  const Groups g = groups("conv1.*:until=2; conv*:from=3; head:from=1,until=4.5");
  EXPECT_EQ(g.changes(), (std::vector<double>{1, 2, 3, 4.5}));
  EXPECT_FALSE(g.frozen("conv1.weight", 1.99));
  EXPECT_TRUE(g.frozen("conv1.weight", 2));
  EXPECT_TRUE(g.frozen("conv1.weight", 5));
  EXPECT_TRUE(g.frozen("conv2.weight", 2.99));
  EXPECT_FALSE(g.frozen("conv2.weight", 3));
  EXPECT_FALSE(g.frozen("bn1.weight", 0));
  EXPECT_EQ(g.phase(0), 0u);
  EXPECT_EQ(g.phase(1), 1u);
  EXPECT_EQ(g.phase(4), 3u);
  EXPECT_EQ(g.phase(9), 4u);
  EXPECT_EQ(g.begin(4), 4.5);
}

TEST(Groups, RatesFollowTheRunOrTheirOwnSchedule) {
  const Groups g =
      groups("conv1.*:lr=0.05; conv2.*:lr-scale=3; head:lr=0.2,schedule=linear,from=2,until=6");
  EXPECT_EQ(g.rates(4, 0.01, 1, {}),
            (std::vector<double>{0.01 * (0.05 / 0.1), 0.01 * 3.0, 0.1 * 0.5 * 2}));
  EXPECT_EQ(g.rates(6, 0.01, 0.5, {})[2], 0);
}

TEST(Groups, ErrorsSayWhatIsExpected) {
  const auto says = [](const std::string& text) {
    return error_text(ErrorKind::usage, [&] { groups(text).add_to(*optim::sgd({})); });
  };
  EXPECT_EQ(
      says("*.bias:momentum=1"),
      "--group \"*.bias:momentum=1\": unknown key \"momentum\"\n"
      "  expected SELECTION:KEY=VALUE,... with the keys lr, lr-scale, weight-decay, optimizer, "
      "schedule, from, until\n"
      "  try      '*.bias:lr=0.05,weight-decay=0'");
  for (const auto& [text, what] :
       {std::pair("*.bias", "it says nothing about its arrays"),
        {":lr=1", "it selects no array"},
        {"*.bias:lr", "\"lr\" has no value"},
        {"*.bias:lr=x", "lr must be a number above 0 and at most 1000000, not \"x\""},
        {"*.bias:lr=1,lr-scale=2", "it has both lr and lr-scale"},
        {"*.bias:from=3,until=2", "from is not before until"},
        {"*.bias:from=10", "from is not before the end of the run, --epochs 10"},
        {"*.bias:optimizer=adm", "unknown optimizer \"adm\""},
        {"*.bias:schedule=lin", "unknown schedule \"lin\""},
        {"layer9.*:lr=1", "unknown --group \"layer9.*\"\n"}}) {
    EXPECT_NE(says(text).find(what), std::string::npos) << says(text);
  }
}

class Phases : public Training {
 protected:
  Phases() { settings_.augment = "none"; }
  std::map<std::string, Array> weights(const std::string& run, const std::string& file = "last") {
    std::map<std::string, Array> all;
    for (const auto& [name, array] : load_model(folder_ / run / (file + ".safetensors")).weights)
      all.emplace(name, array.clone());
    return all;
  }
  bool equal(const Array& a, const Array& b) {
    return std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
  }
};

TEST_F(Phases, ArraysFrozenFromAnEpochOnKeepTheirWeights) {
  settings_.group = "conv1.*:until=1.5,schedule=linear";
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  Array at_the_change;
  watch.batch = [&](Trainer& trainer) {
    if (trainer.progress().updates == 14)
      at_the_change = trainer.state().get("conv1.weight").clone();
    if (trainer.progress().updates == 20) {
      EXPECT_FALSE(trainer.state().contains("grad:conv1.weight"));
    }
  };
  const Result result = train(settings_, folder_ / "uninterrupted", {&watch});
  EXPECT_TRUE(equal(weights("uninterrupted").at("conv1.weight"), at_the_change));
  EXPECT_EQ(messages, std::vector<std::string>{"frozen from epoch 1.5 on: 2 arrays"});
  EXPECT_EQ(result.frozen_changed, 0);
  for (const int64_t batches :
       {9, 13, 14, 20}) {  // 9 batches an epoch: the change is before the 15th
    const std::string out = "cut" + std::to_string(batches);
    stopped(out, settings_, batches);
    resume(folder_ / out);
    EXPECT_TRUE(same_weights("uninterrupted", out)) << batches;
  }
}

TEST_F(Phases, LayersUnfreezeOneAfterTheOther) {
  settings_.group = "head:lr=0.02; conv2.*,bn2.*:from=1; conv1.*,bn1.*:from=2";
  std::map<std::string, std::vector<bool>> moved;  // by epoch
  std::map<std::string, Array> before;
  Watch watch;
  const auto look = [&](State& state) {
    for (const char* name : {"conv1.weight", "conv2.weight"}) {
      const Array now = state.get(name).clone();
      if (before.contains(name)) moved[name].push_back(!equal(now, before.at(name)));
      before.insert_or_assign(name, now);
    }
  };
  watch.start = [&](Trainer& trainer) { look(trainer.state()); };
  watch.batch = [&](Trainer& trainer) {
    if (trainer.progress().batch == trainer.batches()) look(trainer.state());
  };
  const Result result = train(settings_, folder_ / "uninterrupted", {&watch});
  EXPECT_EQ(moved["conv1.weight"], (std::vector<bool>{false, false, true}));
  EXPECT_EQ(moved["conv2.weight"], (std::vector<bool>{false, true, true}));
  EXPECT_EQ(result.frozen_changed, 0);
  stopped("part", settings_, 16);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
}

TEST_F(Phases, GroupsHaveOptimizersOfTheirOwnAndResumeToTheSameBytes) {
  settings_.optimizer = "muon";
  settings_.group = "vectors:optimizer=nesterov:0.85,weight-decay=0;head:optimizer=adamw,lr=0.002";
  const Result uninterrupted = run("uninterrupted", settings_);
  EXPECT_GT(accuracy(uninterrupted), 0.8);
  stopped("part", settings_, 13);
  resume(folder_ / "part");
  EXPECT_TRUE(same_weights("uninterrupted", "part"));
  settings_.group.clear();
  expect_error(ErrorKind::usage, "muon updates matrices and convolution filters",
               [&] { run("no", settings_); });
}

}  // namespace
}  // namespace fovea::train
