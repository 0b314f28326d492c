#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/data/prepared.h"
#include "fovea/data/registry.h"
#include "fovea/train/metrics.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct Flags : TrainedFlags {
  const CLI::App* app = nullptr;
  std::string data, split = "test";
  int64_t batch = 256;
};

/// Scoring one set of classes by another's numbers would give nonsense, so any difference is an
/// error.
void check_fit(const Predictor& predictor, const data::DataSets& sets) {
  const ModelFile& model = predictor.file();
  const std::vector<std::string>&own = model.class_names, &given = sets.targets().names;
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, "eval: the model does not fit the data set " + sets.name)
        .with("what", what)
        .with("try", "the data set it was trained on" +
                         (model.training.contains("data") ? ": " + model.training.at("data") : ""));
  };
  if (predictor.classes() != std::ssize(given)) {
    throw fail("the model has " + std::to_string(predictor.classes()) +
               " classes, the data set has " + std::to_string(given.size()));
  }
  for (size_t i = 0; i < own.size(); ++i) {  // none where only the weights are known
    if (own[i] == given[i]) continue;
    throw fail("class " + std::to_string(i) + " is \"" + own[i] + "\" in the model and \"" +
               given[i] + "\" in the data set");
  }
}

Json to_json(const train::Metrics& metrics) {
  Json classes = Json::array();
  for (const train::ClassMetrics& c : metrics.per_class) {
    classes.push_back(
        {{"name", c.name}, {"count", c.count}, {"correct", c.correct}, {"accuracy", c.accuracy()}});
  }
  return {{"accuracy", metrics.accuracy()},
          {"top5", metrics.top5()},
          {"loss", metrics.loss()},
          {"count", metrics.count},
          {"per_class", classes}};
}

std::string to_text(const train::Metrics& metrics) {
  std::vector<std::vector<std::string>> rows;
  for (const train::ClassMetrics& c : metrics.per_class) {
    rows.push_back(
        {c.name, grouped(c.count), grouped(c.correct), fmt::format("{:.4f}", c.accuracy())});
  }
  return fmt::format("accuracy  {:.4f}\ntop 5     {:.4f}\nloss      {:.4f}\nimages    {}\n\n",
                     metrics.accuracy(), metrics.top5(), metrics.loss(), grouped(metrics.count)) +
         table({"class", "images", "correct", "accuracy"}, rows, "lrrr");
}

int run(const Flags& flags, Console& console) {
  require_flag(*flags.app, "--model");
  require_flag(*flags.app, "--data");
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const data::DataSets sets = data::open(flags.data);
  check_fit(*predictor, sets);
  const train::Metrics metrics =
      train::evaluate(predictor->inference(),
                      data::prepared(flags.split == "train" ? sets.train : sets.test,
                                     predictor->file().preprocessing),
                      flags.batch, [&](int64_t done, int64_t all) {
                        console.status(static_cast<double>(done) / static_cast<double>(all),
                                       grouped(done) + " of " + grouped(all) + " images");
                      });
  console.document(to_json(metrics));
  console.result(to_text(metrics));
  return 0;
}

}  // namespace

void add_eval(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = commands.add(commands.root(), "eval", "Measure a trained model on a data set",
                               [flags](Console& console) { return run(*flags, console); });
  flags->app = &app;
  flags->add(app);
  app.add_option("--data", flags->data,
                 "Data set: fashion-mnist, mnist, cifar10, cifar100, or NAME:DIR")
      ->type_name("D");
  add_choice(app, "--split", flags->split, "Which part of it: test or train", {"test", "train"});
  add_count(app, "--batch", flags->batch, "Images at once");
}

}  // namespace fovea::cli
