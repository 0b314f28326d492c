#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "commands.h"
#include "fovea/data/prepared.h"
#include "fovea/data/registry.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct Flags : TrainedFlags {
  const CLI::App* app = nullptr;
  std::string data, split = "test";
  int64_t batch = 256;
};

/// The split with its classes counted as the model counts them. Scoring one set of targets by
/// another's numbers would give nonsense, so that what the model does not know is an error.
std::shared_ptr<const data::Dataset> fitted(const Predictor& predictor, const data::DataSets& sets,
                                            std::shared_ptr<const data::Dataset> split) {
  const ModelFile& model = predictor.file();
  const data::Targets &own = predictor.task().targets(), &given = sets.targets();
  const auto fail = [&](const std::string& what,
                        const std::vector<std::pair<std::string, std::string>>& details = {}) {
    Error error(ErrorKind::usage, "eval: the model does not fit the data set " + sets.name);
    error.with("what", what);
    for (const auto& [key, text] : details) error.with(key, text);
    return error.with(
        "try", "the data set it was trained on" +
                   (model.training.contains("data") ? ": " + model.training.at("data") : ""));
  };
  if (own.type != given.type) {
    throw fail("the model's targets are " + to_string(own.type) + ", the data set's " +
               to_string(given.type));
  }
  predictor.task().check(*split);
  const bool named = !model.class_names.empty();  // not where only weights are known
  if (own.type == data::class_targets({}).type && named && own.names != given.names) {
    try {
      return std::make_shared<data::Renumbered>(std::move(split), own.names);
    } catch (const Error& error) {
      throw fail(error.headline().substr(error.headline().find(": ") + 2), error.details());
    }
  }
  if (own.names.size() != given.names.size()) {
    throw fail("the model has " + std::to_string(own.names.size()) + " classes, the data set has " +
               std::to_string(given.names.size()));
  }
  return split;
}

/// Errors: usage when the data set has no such part.
std::shared_ptr<const data::Dataset> part(const data::DataSets& sets, const std::string& name) {
  if (name == "train") return sets.train;
  if (name == "test") return sets.test;
  if (sets.val) return sets.val;
  throw Error(ErrorKind::usage, "eval: the data set " + sets.name + " has no part \"val\"")
      .with("try", "--split test or --split train");
}

Json to_json(const tasks::Table& table) {
  Json rows = Json::array();
  if (table.matrix) {
    for (const auto& [name, values] : table.rows)
      rows.push_back(std::vector<int64_t>(values.begin(), values.end()));
    return rows;
  }
  for (const auto& [name, values] : table.rows) {
    Json row{{"name", name}};
    for (size_t i = 0; i < values.size(); ++i) {
      row[table.columns[i]] =
          i < table.counts ? Json(static_cast<int64_t>(values[i])) : Json(values[i]);
    }
    rows.push_back(row);
  }
  return rows;
}

Json to_json(const tasks::Measures& measures) {
  Json document = Json::object();
  for (const auto& [name, value] : measures.numbers()) document[name] = value;
  document["count"] = measures.count();
  for (const tasks::Table& table : measures.tables()) document[table.name] = to_json(table);
  return document;
}

/// What is taken for another most often, in place of all of a matrix.
std::string most_confused(const tasks::Table& matrix) {
  constexpr size_t shown = 10;
  std::vector<std::array<size_t, 3>> pairs;  // count, row, column
  for (size_t r = 0; r < matrix.rows.size(); ++r) {
    for (size_t c = 0; c < matrix.columns.size(); ++c) {
      const auto count = static_cast<size_t>(matrix.rows[r].second[c]);
      if (r != c && count > 0) pairs.push_back({count, r, c});
    }
  }
  if (pairs.empty()) return "";
  std::ranges::stable_sort(pairs, std::greater(), [](const auto& pair) { return pair[0]; });
  pairs.resize(std::min(pairs.size(), shown));
  std::vector<std::vector<std::string>> rows;
  for (const auto& [count, r, c] : pairs) {
    rows.push_back({matrix.rows[r].first, matrix.columns[c], grouped(static_cast<int64_t>(count))});
  }
  return "\n" + table({"most confused: " + matrix.rows_are, "taken for", "count"}, rows, "llr");
}

std::string to_text(const tasks::Table& given) {
  if (given.matrix) return most_confused(given);
  std::vector<std::string> header{given.rows_are};
  header.insert(header.end(), given.columns.begin(), given.columns.end());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, values] : given.rows) {
    rows.push_back({name});
    for (size_t i = 0; i < values.size(); ++i) {
      rows.back().push_back(i < given.counts ? grouped(static_cast<int64_t>(values[i]))
                                             : fmt::format("{:.4f}", values[i]));
    }
  }
  return "\n" + table(header, rows, "l" + std::string(given.columns.size(), 'r'));
}

std::string to_text(const tasks::Measures& measures) {
  std::string text;
  for (const auto& [name, value] : measures.numbers())
    text += fmt::format("{:<10}{:.4f}\n", name, value);
  text += fmt::format("{:<10}{}\n", "samples", grouped(measures.count()));
  for (const tasks::Table& table : measures.tables()) text += to_text(table);
  return text;
}

int run(const Flags& flags, Console& console) {
  require_flag(*flags.app, "--model");
  require_flag(*flags.app, "--data");
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const data::DataSets sets = data::open(flags.data);
  std::shared_ptr<const data::Dataset> split = fitted(*predictor, sets, part(sets, flags.split));
  if (const auto& preprocessing = predictor->file().preprocessing)
    split = data::prepared(split, *preprocessing);
  const tasks::Measures measures =
      predictor->evaluation().measure(split, flags.batch, [&](int64_t done, int64_t all) {
        console.status(static_cast<double>(done) / static_cast<double>(all),
                       grouped(done) + " of " + grouped(all) + " samples");
      });
  console.document(to_json(measures));
  console.result(to_text(measures));
  return 0;
}

}  // namespace

void add_eval(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = commands.add(commands.root(), "eval", "Measure a trained model on a data set",
                               [flags](Console& console) { return run(*flags, console); });
  flags->app = &app;
  flags->add(app);
  app.add_option("--data", flags->data, "Data set: a name that `fovea data` knows, or NAME:DIR")
      ->type_name("D");
  add_choice(app, "--split", flags->split, "Which part of it: test, val or train",
             {"test", "val", "train"});
  add_count(app, "--batch", flags->batch, "Images at once");
}

}  // namespace fovea::cli
