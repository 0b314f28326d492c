#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/csv.h"
#include "fovea/data/image_files.h"
#include "fovea/draw/matrix.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "fovea/report/report.h"
#include "fovea/train/setup.h"
#include "kernel_flags.h"
#include "model.h"
#include "rows.h"
#include "run_records.h"

namespace fovea::cli {
namespace {

struct EvalFlags : TrainedFlags {
  Command command;
  std::string data, split = "test", predictions, confusion, report, on_bad_image, tta;
  int64_t batch = 256;
  KernelFlags kernels;
  TaskFlags of_task;
};

/// The split with its classes counted as the model counts them. Scoring one set of targets by
/// another's numbers would give nonsense, so that what the model does not know is an error.
std::shared_ptr<const data::Dataset> fitted(const Predictor& predictor, const data::DataSets& sets,
                                            std::shared_ptr<const data::Dataset> split) {
  const ModelFile& model = predictor.file();
  const data::Targets &own = predictor.task().targets(), &given = sets.targets();
  const auto fail = [&](const std::string& what,
                        const std::vector<std::pair<std::string, std::string>>& details = {}) {
    Error error(ErrorKind::usage,
                fmt::format("eval: the model does not fit the data set {}", sets.name));
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
  const std::vector<std::string> names = tasks::make(model.task, given)->targets().names;
  if (own.names.size() != names.size()) {
    throw fail(fmt::format("the model has {}, the data set has {}",
                           counted(std::ssize(own.names), "class"), names.size()));
  }
  if (named && own.names != names) {
    throw fail("its targets have other names",
               {{"model", printable(join(own.names))}, {"data set", printable(join(names))}});
  }
  return split;
}

/// Errors: as train::validation_of.
std::shared_ptr<const data::Dataset> part(const ModelFile& model, const data::DataSets& sets,
                                          const std::string& name) {
  if (name == "train") return sets.train;
  return name == "test" ? sets.test : train::validation_of(model, sets);
}

/// Whether samples that cannot be read are left out: as --on-bad-image says, or else as the model
/// was trained.
bool skips_bad_images(const EvalFlags& flags, const ModelFile& model) {
  if (!flags.on_bad_image.empty()) return flags.on_bad_image == "skip";
  const auto trained = model.training.find("setting.on-bad-image");
  return trained != model.training.end() && trained->second == "skip";
}

/// The split to measure; samples that were left out go to `skipped`. Errors: as part and fitted.
std::shared_ptr<const data::Dataset> chosen(const EvalFlags& flags, const Predictor& predictor,
                                            data::DataSets sets,
                                            std::vector<data::BadSample>& skipped) {
  const ModelFile& model = predictor.file();
  const bool skips = skips_bad_images(flags, model);
  // What was held out depends on what was left out before.
  if (skips && flags.split == "val") sets = train::without_bad_images(std::move(sets), skipped);
  std::shared_ptr<const data::Dataset> split = part(model, sets, flags.split);
  if (skips && flags.split != "val" && data::reads_files(*split)) {
    skipped = data::find_bad(*split);
    split = data::without(std::move(split), skipped);
  }
  return fitted(predictor, sets, std::move(split));
}

/// Writes the confusion matrix, .csv as a table or .png as a picture. Errors: usage for a task
/// without one, or another suffix.
void write_confusion(const std::string& path, const tasks::Measures& measures) {
  for (const tasks::Table& table : measures.tables()) {
    if (!table.matrix) continue;
    if (path.ends_with(".png")) {
      std::vector<std::vector<double>> counts;
      for (const auto& [name, values] : table.rows) counts.push_back(values);
      return encode_png(path, draw::chart_image(draw::confusion_chart(table.columns, counts)));
    }
    std::vector<std::string> header{table.rows_are};
    header.insert(header.end(), table.columns.begin(), table.columns.end());
    std::string text = data::csv_line(header);
    for (const auto& [name, values] : table.rows) {
      std::vector<std::string> cells{name};
      for (const double value : values) cells.push_back(std::to_string(std::llround(value)));
      text += data::csv_line(cells);
    }
    return replace_file(path, text);
  }
  throw Error(ErrorKind::usage, "--confusion: this model has no confusion matrix")
      .with("expected", "a model for 2 to 2,048 classes");
}

/// Errors: usage when the name does not say the format.
void check_confusion(const std::string& path) {
  if (path.empty() || path.ends_with(".csv") || path.ends_with(".png") || is_stream(path)) return;
  throw Error(ErrorKind::usage,
              fmt::format("--confusion {}: its name does not say the format", path))
      .with("expected", "FILE.csv for a table, FILE.png for a picture");
}

/// What --predictions writes: a line for each sample, or the net's raw outputs.
class Predictions {
 public:
  /// Errors: usage when the file's name does not say which.
  Predictions(const EvalFlags& flags, const Predictor& predictor, const data::Dataset& split)
      : path_(flags.predictions),
        as_array_(path_.ends_with(".npy")),
        predictor_(predictor),
        split_(split) {
    if (path_.empty() || as_array_ || path_.ends_with(".csv") || is_stream(path_)) return;
    throw Error(ErrorKind::usage,
                fmt::format("--predictions {}: its name does not say the format", path_))
        .with("expected", "FILE.csv for a table, FILE.npy for the net's outputs");
  }

  void add(const EvaluatedBatch& batch) {
    if (as_array_) return add_outputs(batch);
    for (int64_t i = 0; i < batch.targets.dim(0); ++i) {
      rows_.add(split_.name(batch.first + i),
                predictor_.task().scored(batch.decoded, batch.targets, i));
    }
  }
  void write() const {
    if (as_array_) return write_npy(path_, outputs_);
    rows_.write(path_);
  }

 private:
  void add_outputs(const EvaluatedBatch& batch) {
    const Array& part = batch.output;
    const Shape one = part.shape().slice(1);
    if (batch.first == 0) outputs_ = Array(part.dtype(), Shape{split_.size()}.concat(one));
    const size_t row = part.bytes() / static_cast<size_t>(part.dim(0));
    std::memcpy(outputs_.raw() + static_cast<size_t>(batch.first) * row, part.raw(), part.bytes());
  }

  std::string path_;
  bool as_array_;
  const Predictor& predictor_;
  const data::Dataset& split_;
  Rows rows_;
  Array outputs_;
};

Json to_json(const tasks::Table& table) {
  Json rows = Json::array();
  if (table.matrix) {
    for (const auto& [name, values] : table.rows)
      rows.push_back(std::vector<int64_t>(values.begin(), values.end()));
    return rows;
  }
  if (table.columns.size() == 1) {  // {"cat": 0.5}
    rows = Json::object();
    for (const auto& [name, values] : table.rows) rows[name] = values[0];
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

std::string to_text(const tasks::Table& given) {
  if (given.matrix) {  // not all of it: what is taken for another most often
    const auto rows = tasks::most_confused(given);
    if (rows.empty()) return "";
    return "\n" + table({"most confused: " + given.rows_are, "taken for", "count"}, rows, "llr");
  }
  std::vector<std::string> header{given.rows_are};
  header.insert(header.end(), given.columns.begin(), given.columns.end());
  return "\n" +
         table(header, tasks::text_rows(given), "l" + std::string(given.columns.size(), 'r'));
}

std::string to_text(const tasks::Measures& measures) {
  std::string text;
  size_t width = 10;
  for (const auto& [name, value] : measures.numbers()) width = std::max(width, name.size() + 2);
  for (const auto& [name, value] : measures.numbers())
    text += fmt::format("{:<{}}{:.4f}\n", name, width, value);
  text += fmt::format("{:<{}}{}\n", "samples", width, grouped(measures.count()));
  for (const tasks::Table& table : measures.tables()) text += to_text(table);
  return text;
}

void write_report(const EvalFlags& flags, Predictor& predictor, const report::Results& results) {
  replace_file(flags.report, report::evaluation_report(
                                 predictor, report::describe(predictor, results), *results.samples,
                                 {flags.model, flags.data + ", " + flags.split, command_line()}));
}

int run(const EvalFlags& flags, Console& console) {
  flags.command.require("--model");
  flags.command.require("--data");
  check_confusion(flags.confusion);
  if (!flags.predictions.empty()) console.data_goes_to("--predictions", flags.predictions);
  if (!flags.confusion.empty()) console.data_goes_to("--confusion", flags.confusion);
  if (!flags.report.empty()) console.data_goes_to("--report", flags.report);
  const std::unique_ptr<TuningSession> tuning = flags.kernels.apply(console);
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  if (!flags.tta.empty()) predictor->use(TestViews::parse(flags.tta));
  flags.of_task.apply(*predictor);
  std::vector<data::BadSample> skipped;
  std::shared_ptr<const data::Dataset> split =
      chosen(flags, *predictor, open_data(flags.data, *predictor, console), skipped);
  split = predictor->prepared(std::move(split));
  Predictions predictions(flags, *predictor, *split);
  const auto progress = [&](int64_t done, int64_t all) {
    console.status(static_cast<double>(done) / static_cast<double>(all),
                   grouped(done) + " of " + grouped(all) + " samples");
  };
  report::Results results{.split = flags.split, .samples = split, .all = split->size()};
  const auto each = [&](const EvaluatedBatch& batch) {
    if (!flags.predictions.empty()) predictions.add(batch);
    if (!flags.report.empty()) results.add(batch, predictor->task());
  };
  const tasks::Measures measures =
      predictor->evaluation().measure(split, flags.batch, progress, {}, each);
  if (!flags.predictions.empty()) predictions.write();
  if (!flags.confusion.empty()) write_confusion(flags.confusion, measures);
  if (!flags.report.empty()) {
    results.count = measures.count();
    results.numbers = measures.numbers();
    results.tables = measures.tables();
    write_report(flags, *predictor, results);
  }
  Json document = to_json(measures);
  std::string text = to_text(measures);
  if (const TestViews& views = predictor->views(); views.count() > 1) {
    document["tta"] = {{"name", views.text()}, {"views", views.count()}};
    text =
        fmt::format("{:<10}{}, the mean of {} views\n", "tta", views.text(), views.count()) + text;
  }
  if (!skipped.empty()) {
    document["skipped"] = Json::array();
    for (const data::BadSample& bad : skipped) document["skipped"].push_back(bad.name);
    const int64_t count = std::ssize(skipped);
    text += fmt::format("\n{} {} that cannot be read, left out; the first: {}\n", grouped(count),
                        data::noun_of(*split, count), skipped[0].message);
  }
  console.document(document);
  console.result(text);
  return 0;
}

}  // namespace

void add_eval(Commands& commands) {
  const auto flags = std::make_shared<EvalFlags>();
  Command command = commands.add(commands.root(), "eval", "Measure a trained model on a data set",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  flags->add(command);
  command.text("--data", flags->data, "Data set: a name that `fovea data` knows, or NAME:DIR", "D");
  command.word(
      "--split", flags->split,
      "Which part of it: test, train, or val: the data set's own, or what training held out",
      {"test", "val", "train"});
  command.word(
      "--on-bad-image", flags->on_bad_image,
      "What to do about a file that cannot be read: fail, or skip, which reads all files first; as "
      "the model was trained by default",
      {"fail", "skip"});
  command.count("--batch", flags->batch, "Samples at once");
  add_views(command, flags->tta);
  flags->of_task.add(command);
  flags->kernels.add(command);
  command.text("--predictions", flags->predictions,
               "Write what was predicted for each sample: .csv, or the raw outputs as .npy",
               "FILE");
  command.text("--confusion", flags->confusion,
               "Write the confusion matrix: .csv, or a picture as .png", "FILE");
  command.text("--report", flags->report,
               "Write a report, an HTML page, with the worst mistakes and what the model looked at",
               "FILE.html");
}

}  // namespace fovea::cli
