#include "fovea/train/frozen.h"

#include <cstring>
#include <map>
#include <set>

#include "error_text.h"
#include "fovea/formats/model_file.h"
#include "fovea/predict/predictor.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// Runs on a pretrained net: weights of `start` in a separate folder.
class Transfer : public Training {
 protected:
  Transfer() {
    Settings first = settings_;
    first.epochs = 1;
    settings_.weights = (run("first", first).folder / "last.safetensors").string();
    settings_.seed = 2;
  }
  std::map<std::string, Array> weights(const std::filesystem::path& file) {
    std::map<std::string, Array> all;
    for (const auto& [name, array] : load_model(file).weights) all.emplace(name, array.clone());
    return all;
  }
  /// The arrays of the run's last model that differ from those it started from.
  std::set<std::string> moved(const Result& result) {
    const auto before = weights(settings_.weights);
    std::set<std::string> names;
    for (const auto& [name, array] : weights(result.folder / "last.safetensors")) {
      const Array& old = before.at(name);
      if (std::memcmp(old.raw(), array.raw(), array.bytes()) != 0) names.insert(name);
    }
    return names;
  }
};

TEST_F(Transfer, AFrozenBackboneStaysBitIdenticalIncludingRunningStatistics) {
  // What transfer recipes often get wrong: frozen norms whose statistics keep changing.
  settings_.freeze = "backbone";
  const Result result = run("frozen", settings_);
  const auto head = models::head("small_cnn", {.outputs = 10, .input = {1, 8, 8}});
  EXPECT_EQ(moved(result), std::set<std::string>(head.begin(), head.end()));
  EXPECT_EQ(result.frozen_changed, 0);
  EXPECT_EQ(result.frozen, static_cast<int64_t>(weights(settings_.weights).size() - head.size()));
}

TEST_F(Transfer, GlobsFreezeWhatTheyName) {
  settings_.freeze = "bn*";
  settings_.epochs = 1;
  for (const std::string& name : moved(run("globs", settings_)))
    EXPECT_EQ(name.find("bn"), std::string::npos) << name;
  settings_.freeze = "block1*";
  expect_error(ErrorKind::usage, "unknown --freeze \"block1*\"", [&] { run("no", settings_); });
}

TEST_F(Transfer, UnfreezingTrainsTheRestMoreSlowlyAndResumesToTheSameBytes) {
  settings_.freeze = "backbone";
  settings_.unfreeze_after = 1;
  settings_.backbone_lr = 1e-12;
  std::vector<std::string> messages;
  Watch watch;
  watch.message = [&](const std::string& text) { messages.push_back(text); };
  const Result uninterrupted = train(settings_, folder_ / "uninterrupted", {&watch});
  EXPECT_EQ(messages, std::vector<std::string>{
                          "unfrozen after epoch 1: " + std::to_string(uninterrupted.frozen) +
                          " arrays, 0 of which had changed"});
  EXPECT_EQ(uninterrupted.frozen_changed, 0);
  EXPECT_TRUE(moved(uninterrupted).contains("bn1.running_mean"));
  const auto before = weights(settings_.weights);
  for (const auto& [name, array] : weights(uninterrupted.folder / "last.safetensors")) {
    if (!name.starts_with("conv")) continue;
    for (int64_t i = 0; i < array.numel(); ++i)
      ASSERT_NEAR(array.at(i), before.at(name).at(i), 1e-6) << name;
  }
  for (const int64_t batches : {4, 9, 14}) {  // before, at and after the change
    const std::string out = "cut" + std::to_string(batches);
    stopped(out, settings_, batches);
    resume(folder_ / out);
    EXPECT_EQ(
        read_text(folder_ / out / "last.safetensors", ErrorKind::data, size_t{1} << 30),
        read_text(uninterrupted.folder / "last.safetensors", ErrorKind::data, size_t{1} << 30))
        << batches;
  }
}

TEST_F(Transfer, LimitAndInputChooseTheImages) {
  settings_.limit = 60;
  settings_.weights = {};
  settings_.input = "3x16x12";
  settings_.epochs = 1;
  int64_t samples = 0;
  Shape input;
  Watch watch;
  watch.start = [&](Trainer& trainer) {
    samples = trainer.setup().split.train->size() + trainer.setup().split.val->size();
    input = trainer.setup().input;
  };
  const Result result = train(settings_, folder_ / "few", {&watch});
  EXPECT_EQ(samples, 60);
  EXPECT_EQ(input, (Shape{3, 16, 12}));
  EXPECT_EQ(result.test_samples, 40);
  settings_.input = "32";
  expect_error(ErrorKind::usage, "--input: \"32\" is not a size", [&] { run("no", settings_); });
}

TEST_F(Transfer, SettingsThatWouldDoNothingAreRefused) {
  settings_.backbone_lr = 0.01;
  expect_error(ErrorKind::usage, "--backbone-lr has no effect without --unfreeze-after",
               [&] { run("no", settings_); });
  settings_.unfreeze_after = 1;
  expect_error(ErrorKind::usage, "--unfreeze-after has no effect without --freeze",
               [&] { run("no", settings_); });
  settings_.freeze = "backbone";
  settings_.lr = 0;
  expect_error(ErrorKind::usage, "--backbone-lr has no effect without an --lr above 0",
               [&] { run("no", settings_); });
}

TEST(FrozenArrays, NoticeAChange) {
  State state;
  state.declare("a", {DType::f32, {3}}, Role::parameter);
  state.declare("b", {DType::f32, {3}}, Role::buffer);
  state.declare("c", {DType::f32, {3}}, Role::parameter);
  FrozenArrays kept;
  EXPECT_EQ(kept.update(state, [](std::string_view name) { return name != "c"; }).frozen, 2);
  EXPECT_EQ(kept.count(), 2);
  state.get("c").set(0, 1);
  EXPECT_EQ(kept.changed(state), 0);
  state.get("b").set(2, 1);
  EXPECT_EQ(kept.changed(state), 1);
  EXPECT_EQ(FrozenArrays::parse(kept.text()).changed(state), 1);
  EXPECT_EQ(FrozenArrays::parse("").count(), 0);
  // Once unfrozen, arrays may change; that one did before stays known.
  EXPECT_EQ(kept.update(state, [](std::string_view) { return false; }).unfrozen, 2);
  state.get("a").set(0, 1);
  EXPECT_EQ(kept.changed(state), 1);
  EXPECT_EQ(kept.update(state, [](std::string_view) { return true; }).frozen, 3);
  EXPECT_EQ(kept.count(), 3);
  EXPECT_EQ(FrozenArrays::parse(kept.text()).changed(state), 1);
}

}  // namespace
}  // namespace fovea::train
