#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/predict/predictor.h"
#include "fovea/train/trainer.h"

namespace fovea {

/// How a training run went, and the model of its best epoch.
struct History : train::Result {
  std::unique_ptr<Predictor> model;  ///< has `evaluate` and `predict`

  /// A header and a line per epoch, as in the history.csv of a run's folder.
  std::string csv() const { return train::to_csv(history); }
};

/// Trains `model`, a name of the registry or the file of a net, on data of your own, and measures
/// the best epoch's model on the test data. `settings` are those of `fovea train`, but for `model`
/// and `data`, which the arguments replace. Callbacks are called in order. The run's files go to
/// the new folder `out`, or with "" nowhere. Errors: as train::train.
///
///     const data::DataSets data = data::open("fashion-mnist");
///     const History history = fit("small_cnn", data, {.epochs = 3});
///     const tasks::Numbers numbers = history.model->evaluate(data.test);
History fit(const std::string& model, const data::DataSets& data, train::Settings settings = {},
            const std::vector<train::Callback*>& callbacks = {},
            const std::filesystem::path& out = {});

/// The same for a net of your own, which must outlive the History. It is trained from initial
/// weights drawn by `settings.seed`, or those of `settings.weights`; its model file is read with
/// Predictor(path, net). Errors: also usage when the net cannot take the samples, or does not give
/// the numbers that the task needs: one per class, or per number to predict.
///
///     const MyNet net(nn::Scope("my_net"));
///     const History history = fit(net, data, {.epochs = 3});
///     history.model->save("my_net.safetensors");
///     Predictor again("my_net.safetensors", net);
History fit(const nn::Module& net, const data::DataSets& data, const train::Settings& settings = {},
            const std::vector<train::Callback*>& callbacks = {},
            const std::filesystem::path& out = {});

}  // namespace fovea
