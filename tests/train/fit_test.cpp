#include "fovea/train/fit.h"

#include <cstdlib>

#include "error_text.h"
#include "fovea/data/registry.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// A place for temporary folders that no other test uses.
class OwnTemporaryFolders {
 public:
  explicit OwnTemporaryFolders(std::filesystem::path place) : place_(std::move(place)) {
    std::filesystem::create_directory(place_);
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", place_.c_str(), 1);
  }
  ~OwnTemporaryFolders() {
    before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR");
  }
  bool empty() const { return std::filesystem::is_empty(place_); }

 private:
  std::filesystem::path place_;
  std::optional<std::string> before_;
};

class Fit : public Training {
 protected:
  data::DataSets data_ = data::open(settings_.data);
};

TEST_F(Fit, GivesTheModelOfTheBestEpochAndItsHistory) {
  const OwnTemporaryFolders temporary(folder_ / "temporary");
  int64_t batches = 0;
  Watch watch;
  watch.batch = [&](Trainer&) {
    ++batches;
    EXPECT_FALSE(temporary.empty());
  };
  const History history = fit("small_cnn", data_, settings_, {&watch});
  EXPECT_TRUE(temporary.empty());
  EXPECT_EQ(history.history.size(), 3u);
  EXPECT_EQ(batches, 3 * 9);
  EXPECT_EQ(history.csv(), to_csv(history.history));
  for (const auto& [name, value] : history.model->evaluate(data_.test))
    EXPECT_NEAR(value, tasks::find(history.test, name).value_or(-1), 1e-5) << name;
  EXPECT_EQ(history.model->predict(std::vector<Image>(2, Image::black(8, 8, 1))).size(), 2u);
}

TEST_F(Fit, GivesTheSameWeightsAsARunOfTheSameSettings) {
  settings_.epochs = 1;
  run("run", settings_);
  const History history = fit(settings_.model, data_, settings_, {}, folder_ / "fit");
  EXPECT_EQ(history.folder, folder_ / "fit");
  const auto weights = [](const std::filesystem::path& file) {
    std::vector<double> all;
    for (const auto& [name, array] : load_model(file).weights) {
      for (int64_t i = 0; i < array.numel(); ++i) all.push_back(array.at(i));
    }
    return all;
  };
  EXPECT_EQ(weights(folder_ / "run/best.safetensors"), weights(folder_ / "fit/best.safetensors"));
}

/// A net that no registry knows.
struct MyNet : nn::Module {
  explicit MyNet(int64_t outputs = 10)
      : Module(nn::Scope("my_net")),
        conv(at("conv"), 1, 4, {.kernel = 3, .padding = 1}),
        fc(at("fc"), 4 * 4 * 4, outputs) {}
  Tensor forward(Tensor x) const override {
    return fc(flatten(max_pool2d(relu(conv(x)), {.kernel = 2})));
  }
  nn::Conv2d conv;
  nn::Linear fc;
};

TEST_F(Fit, TrainsANetThatIsInNoRegistry) {
  const MyNet net;
  settings_.lr = 0.05;
  const History history = fit(net, data_, settings_, {}, folder_ / "run");
  EXPECT_EQ(history.history.size(), 3u);
  for (const auto& [name, value] : history.model->evaluate(data_.test))
    EXPECT_NEAR(value, tasks::find(history.test, name).value_or(-1), 1e-5) << name;

  history.model->save(folder_ / "net.safetensors");
  const MyNet other;
  Predictor again(folder_ / "net.safetensors", other);
  const std::vector<Image> images(2, Image::black(8, 8, 1));
  EXPECT_EQ(again.predict(images)[1]->json(), history.model->predict(images)[1]->json());
  EXPECT_EQ(again.evaluate(data_.test), history.model->evaluate(data_.test));

  expect_error(
      ErrorKind::model,
      "\"my_net\" is a net of a C++ program, which alone can build it\n"
      "  try     in C++: Predictor(FILE, net), with a module like the one that was trained\n"
      "  file    " +
          (folder_ / "net.safetensors").string(),
      [&] { Predictor predictor(folder_ / "net.safetensors"); });
  const MyNet wider(11);
  expect_error(ErrorKind::model, "the weights do not fit the model my_net",
               [&] { Predictor predictor(folder_ / "net.safetensors", wider); });
}

// It was saved as the registry's net of that name, with the registry's defaults.
TEST_F(Fit, ANetWithTheNameOfAnotherIsNotTakenForThatOne) {
  settings_.epochs = 1;
  const auto net = models::make(
      "small_cnn", {.outputs = 10, .input = Shape{1, 8, 8}, .choices = {{"dropout", 0}}});
  const History history = fit(*net, data_, settings_, {}, folder_ / "run");
  expect_error(ErrorKind::model, "\"small_cnn\" is a net of a C++ program",
               [&] { Predictor predictor(folder_ / "run/best.safetensors"); });
  Predictor again(folder_ / "run/best.safetensors", *net);
  EXPECT_EQ(again.evaluate(data_.test), history.model->evaluate(data_.test));
}

TEST_F(Fit, ArraysOfANetOfOnesOwnAreChosenByGlob) {
  const MyNet net;
  settings_.epochs = 1;
  settings_.freeze = "conv.*";
  EXPECT_EQ(fit(net, data_, settings_).frozen, 2);
  settings_.freeze = "backbone";
  expect_error(ErrorKind::usage,
               "--freeze backbone: no array of the net is known to depend on the number of outputs",
               [&] { (void)fit(net, data_, settings_); });
}

TEST_F(Fit, StartsFromWeightsOfAFileWithANetOfOnesOwn) {
  const MyNet net;
  settings_.epochs = 1;
  (void)fit(net, data_, settings_, {}, folder_ / "first");
  settings_.weights = folder_ / "first/last.safetensors";
  settings_.lr = 0;
  const History second = fit(net, data_, settings_);
  Predictor first(folder_ / "first/last.safetensors", net);
  EXPECT_EQ(second.model->evaluate(data_.test), first.evaluate(data_.test));
}

TEST_F(Fit, SaysWhatANetOfOnesOwnShouldGive) {
  const MyNet net(3);
  expect_error(ErrorKind::usage,
               "my_net gives [1, 3] for one sample, but the task needs 10 numbers\n"
               "  input   [1, 1, 8, 8]\n"
               "  try     a last layer of 10 outputs",
               [&] { (void)fit(net, data_, settings_); });
  const MyNet good;
  settings_.choices = {{"dropout", 0.5}};
  expect_error(ErrorKind::usage,
               "my_net is a module: its choices are made when it is constructed\n  given   dropout",
               [&] { (void)fit(good, data_, settings_); });
  settings_.choices = {};
  settings_.input = "3x8x8";
  expect_error(ErrorKind::usage, "conv2d: input has 3 channels, weight expects 1",
               [&] { (void)fit(good, data_, settings_); });
}

}  // namespace
}  // namespace fovea::train
