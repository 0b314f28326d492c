#include "fovea/train/fit.h"

#include "fovea/data/registry.h"
#include "train/training.h"

namespace fovea::train {
namespace {

/// The temporary folders of fit that exist.
int64_t temporary_folders() {
  return std::ranges::count_if(
      std::filesystem::directory_iterator(std::filesystem::temp_directory_path()),
      [](const auto& entry) { return entry.path().filename().string().starts_with("fovea-fit-"); });
}

class Fit : public Training {
 protected:
  data::DataSets data_ = data::open(settings_.data);
};

TEST_F(Fit, GivesTheModelOfTheBestEpochAndItsHistory) {
  const int64_t before = temporary_folders();
  int64_t batches = 0;
  Watch watch;
  watch.batch = [&](Trainer&) { ++batches; };
  const History history = fit("small_cnn", data_, settings_, {&watch});
  EXPECT_EQ(temporary_folders(), before);
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

}  // namespace
}  // namespace fovea::train
