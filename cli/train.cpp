#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include "commands.h"
#include "downloads.h"
#include "fovea/core/files.h"
#include "fovea/core/process.h"
#include "fovea/core/text.h"
#include "fovea/formats/trace.h"
#include "fovea/predict/evaluation.h"
#include "fovea/records/record.h"
#include "fovea/report/report.h"
#include "fovea/runtime/profile.h"
#include "fovea/train/profiler.h"
#include "fovea/train/trainer.h"
#include "live_curves.h"
#include "model.h"
#include "profile.h"
#include "report.h"
#include "run_records.h"
#include "settings_flags.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct TrainFlags {
  SettingsFlags settings;
  std::string out, resume;
  bool pretrained = false, profile = false, no_report = false, no_curves = false;
};

/// A line for each of the first samples that cannot be read; "" where all can.
std::string skipped_text(const std::vector<data::BadSample>& skipped, const data::Dataset& data) {
  constexpr size_t shown = 10;
  if (skipped.empty()) return "";
  const int64_t count = std::ssize(skipped);
  std::string text = fmt::format("skipped   {} {} that cannot be read\n", grouped(count),
                                 data::noun_of(data, count));
  for (size_t i = 0; i < std::min(shown, skipped.size()); ++i)
    text += "          " + skipped[i].message + "\n";
  if (skipped.size() > shown)
    text += fmt::format("          and {} more; --json lists all\n", skipped.size() - shown);
  return text;
}

std::string plan_text(const train::Trainer& trainer) {
  const train::Setup& setup = trainer.setup();
  const train::Settings& s = setup.settings;
  int64_t parameters = 0;
  for (const nn::Variable* p : setup.model->parameters()) parameters += p->shape().numel();
  const std::string trained =
      trainer.trainable() == parameters ? "" : " (" + grouped(trainer.trainable()) + " trained)";
  std::string text =
      fmt::format("model     {}, {} parameters{}, input {}, {} outputs\n", s.model,
                  grouped(parameters), trained, sizes_text(setup.input), setup.task->outputs());
  text += fmt::format("data      {}: {} to train, {} to validate, {} to test\n", s.data,
                      grouped(setup.split.train->size()), grouped(setup.split.val->size()),
                      grouped(setup.sets.test->size()));
  text += skipped_text(setup.skipped, *setup.split.train);
  const std::string best = setup.split.val->size() > 0
                               ? "best epoch by " + setup.metrics[setup.monitored].name
                               : "the last epoch counts";
  text += fmt::format("task      {}, {}\n", setup.task->name(), best);
  text += "settings ";
  const train::Settings defaults;
  for (const train::Setting& setting : train::settings_table()) {
    if (setting.name == "data" || setting.name == "model") continue;
    const std::string value = setting.get(s);
    constexpr std::string_view always[] = {"epochs", "batch",    "optimizer",
                                           "lr",     "schedule", "seed"};
    if (std::ranges::count(always, setting.name) > 0 || value != setting.get(defaults))
      text += fmt::format(" {}={}", setting.name, value);
  }
  text += "; the others by default";
  return text + fmt::format("\nrun       {}", trainer.folder().string());
}

/// The heading of a column: "val loss" for "val_loss".
std::string heading(const std::string& name) {
  std::string text = name.starts_with("train_") ? name.substr(6) : name;
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string epoch_header(const train::EpochRecord& record, const std::string& unit) {
  std::string text = fmt::format("{:>7}  {:>8}", "epoch", "lr");
  for (const auto& [name, value] : record.numbers) text += fmt::format("  {:>8}", heading(name));
  return text + fmt::format("  {:>9}", unit);
}

/// A loss or metric with four decimals, or as a power of ten where that would be a long row of
/// digits.
std::string number_text(double value) {
  return std::abs(value) < 1e6 ? fmt::format("{:.4f}", value) : fmt::format("{:.2e}", value);
}

std::string epoch_text(const train::EpochRecord& record, int64_t epochs) {
  std::string text =
      fmt::format("{:>7}  {:8.5f}", fmt::format("{}/{}", record.epoch, epochs), record.lr);
  for (const auto& [name, value] : record.numbers) {
    const size_t width = std::max<size_t>(8, heading(name).size());
    text += fmt::format("  {:>{}}", number_text(value), width);
  }
  return text + fmt::format("  {:>9}", grouped(static_cast<int64_t>(record.images_per_second)));
}

std::string progress_text(const train::Trainer& trainer) {
  const train::Progress& p = trainer.progress();
  std::string text =
      fmt::format("epoch {}/{}  loss {}", p.epoch + 1, trainer.setup().settings.epochs,
                  number_text(p.loss_sum / static_cast<double>(p.seen)));
  for (const auto& [name, value] : p.measures.numbers())
    text += fmt::format("  {} {}", name, number_text(value));
  return text + fmt::format("  {} {}  {} left", grouped(static_cast<int64_t>(trainer.speed())),
                            data::noun_of(*trainer.setup().split.train, 2) + "/s",
                            duration_text(trainer.seconds_left()));
}

/// Shows a run on the console, and keeps what is printed at its end.
class Display : public train::Callback {
 public:
  Display(bool curves, Console& console) : console_(console), shows_curves_(curves) {}

  std::string data, noun;  ///< of several samples
  bool validated = false;

  void on_start(train::Trainer& trainer) override {
    finish_first();  // from now on there is something to save
    data = trainer.setup().settings.data;
    noun = data::noun_of(*trainer.setup().split.train, 2);
    validated = trainer.setup().split.val->size() > 0;
    console_.note(plan_text(trainer));
  }
  void on_batch(train::Trainer& trainer) override {
    curves_.add(trainer);
    console_.status(
        static_cast<double>(trainer.progress().batch) / static_cast<double>(trainer.batches()),
        progress_text(trainer), curves_.text(trainer, area()));
  }
  void on_epoch(train::Trainer& trainer, train::EpochRecord& record, bool best) override {
    if (!headed_) console_.note("\n" + epoch_header(record, noun + "/s"));
    headed_ = true;
    console_.note(epoch_text(record, trainer.setup().settings.epochs) +
                  (best && validated ? console_.green("  best", true) : ""));
  }
  void on_test(train::Trainer& trainer, const EvaluatedBatch& batch) override {
    const int64_t done = batch.first + batch.targets.dim(0),
                  all = trainer.setup().sets.test->size();
    console_.status(static_cast<double>(done) / static_cast<double>(all),
                    fmt::format("test of the best model: {} of {}", grouped(done), grouped(all)),
                    curves_.text(trainer, area()));
  }
  /// The curves stay on the screen.
  void on_end(train::Trainer& trainer, const train::Result&) override {
    std::string curves = curves_.text_now(trainer, area());
    if (curves.empty()) return;
    curves.pop_back();
    console_.note("\n" + curves);
  }
  void on_message(const std::string& text) override { console_.note(text); }

 private:
  std::optional<DrawingArea> area() const {
    return shows_curves_ ? console_.status_area() : std::nullopt;
  }

  Console& console_;
  bool shows_curves_, headed_ = false;
  LiveCurves curves_;
};

/// Keeps the results of the test for the report.
class Tested : public train::Callback {
 public:
  report::Results results{.split = "test"};

  void on_test(train::Trainer& trainer, const EvaluatedBatch& batch) override {
    results.add(batch, *trainer.setup().task);
  }
  void on_end(train::Trainer& trainer, const train::Result& result) override {
    const train::Setup& setup = trainer.setup();
    results.samples = setup.prepared(setup.sets.test);
    results.count = result.test_samples;
    results.all = setup.sets.test->size();
    results.numbers = result.test;
    results.tables = result.test_tables;
  }
};

Json to_json(const train::Result& result) {
  Json document{{"epochs", result.epochs},
                {"stopped", result.stopped},
                {"early_stopped", result.early_stopped}};
  const Json best = result.best_value ? Json(*result.best_value) : Json(nullptr);
  document["best"] = {{"epoch", result.best_epoch},
                      {"metric", result.best_metric},
                      {"value", best},
                      {result.best_metric, best}};
  if (!result.stopped) {
    document["test"] = Json::object();
    for (const auto& [name, value] : result.test) document["test"][name] = value;
  }
  document["seconds"] = result.seconds;
  document["images_per_second"] = result.images_per_second;
  document["precision"] = result.precision;
  document["precisions"] = Json::array();
  for (const train::PrecisionSpeed& speed : result.precisions) {
    document["precisions"].push_back(
        {{"precision", speed.precision}, {"images_per_second", speed.images_per_second}});
  }
  document["peak_memory_bytes"] = peak_resident_bytes();
  document["out"] = result.folder.string();
  document["skipped"] = result.skipped;
  document["frozen"] = {{"count", result.frozen}, {"changed", result.frozen_changed}};
  document["history"] = records::to_json(result.history);
  return document;
}

/// `noun`: of several samples.
std::string result_text(const train::Result& result, const std::string& noun) {
  std::string text = fmt::format("best epoch     {}", result.best_epoch);
  if (result.best_value)
    text += fmt::format(", {} {}", heading(result.best_metric), number_text(*result.best_value));
  std::string numbers;
  for (const auto& [name, value] : result.test) {
    numbers += numbers.empty() ? fmt::format("{:<15}{}", "test " + name, number_text(value))
                               : fmt::format(", {} {}", name, number_text(value));
  }
  return text + fmt::format(
                    "\n{}, {} {}\n"
                    "training       {:.1f} s, {} {}/s\n"
                    "run folder     {}\n",
                    numbers, grouped(result.test_samples), noun, result.seconds,
                    grouped(static_cast<int64_t>(result.images_per_second)), noun,
                    result.folder.string());
}

/// What the profiled batches did, and how much of their time was waiting for data.
std::string profiler_text(const train::Profiler& profiler, const Peak& peak) {
  const Timeline& timeline = profiler.timeline();
  return fmt::format("profile      {} in {:.2f} s, {:.1f}% of it waiting for data\n",
                     counted(profiler.batches(), "batch"), timeline.seconds,
                     100 * span_seconds(timeline, "wait for data") / timeline.seconds) +
         profile_text(timeline, profiler.batches(), peak);
}

/// Writes the run's report into its folder; its path, or "" if there is none. The run is complete:
/// what goes wrong here is no reason to let it fail, and Ctrl-C leaves the report out.
std::string written_report(const train::Result& result, const report::Results& tested,
                           const TrainFlags& flags, Console& console) {
  if (flags.no_report || result.stopped) return "";
  const std::filesystem::path path = result.folder / "report.html";
  const auto no_report = [&](const std::string& why) {
    console.note(fmt::format("warning: no report was written: {}", why));
    return "";
  };
  try {
    if (write_report({result.folder}, path, console, &tested) > 0) return path.string();
  } catch (const Error& error) {
    return no_report(error.headline());
  } catch (const std::bad_alloc&) {
    return no_report("not enough memory");
  }
  return no_report("interrupted; the run is complete, and this writes it: fovea report " +
                   shell_word(result.folder.string()));
}

int report(const train::Result& result, const Display& display, const report::Results& tested,
           const train::Profiler& profiler, const TrainFlags& flags, Console& console) {
  Json document = to_json(result);
  if (!profiler.timeline().events.empty()) {
    const Peak peak = measure_peak();
    document["profile"] = profile_json(profiler.timeline(), profiler.batches(), peak);
    console.result(profiler_text(profiler, peak) + "\n");
    // Not during the run: a full disk must not end it.
    replace_file(result.folder / "trace.json", trace_text(profiler.timeline()));
  }
  const std::string page = written_report(result, tested, flags, console);
  if (!page.empty()) document["report"] = page;
  console.document(document);
  const int code = signal_received() > 0 ? 128 + signal_received() : 0;
  const std::string folder = shell_word(result.folder.string());
  if (result.stopped) {
    console.note("continue with: fovea train --resume " + folder);
    return code;
  }
  console.note("");
  console.result(result_text(result, display.noun));
  if (!page.empty()) console.result("report         " + page + "\n");
  const std::string model = shell_word((result.folder / "best.safetensors").string());
  console.note("\nnext\n  fovea eval --model " + model + " --data " + shell_word(display.data) +
               "\n  fovea predict --model " + model + " FILE...\n  fovea summary --model " + model);
  return code;
}

train::Result trained(const TrainFlags& flags, const std::vector<train::Callback*>& callbacks,
                      Console& console) {
  if (flags.resume.empty()) {
    train::Settings settings = flags.settings.read();
    if (flags.pretrained)
      settings.weights = pretrained_weights(settings.model, settings.weights, console);
    return train::train(settings, flags.out, callbacks, stop_token());
  }
  if (!flags.out.empty()) {
    throw Error(ErrorKind::usage,
                "--resume writes to the run's folder and cannot be combined with --out");
  }
  if (flags.pretrained)
    throw Error(ErrorKind::usage, "--resume continues with the run's weights, not --pretrained");
  if (flags.settings.given("recipe")) {
    throw Error(ErrorKind::usage, "--recipe: a run that is resumed keeps its settings")
        .with("try", "a new run, or --resume without --recipe");
  }
  return train::resume(flags.resume, callbacks, stop_token(), flags.settings.changes());
}

int run(const TrainFlags& flags, Console& console) {
  Display display(!flags.no_curves, console);
  Tested tested;
  train::Profiler profiler;
  std::vector<train::Callback*> callbacks{&display, &tested};
  if (flags.profile) callbacks.push_back(&profiler);
  RunRecords records(console);
  for (train::Callback* callback : records.callbacks()) callbacks.push_back(callback);
  try {
    const train::Result result = trained(flags, callbacks, console);
    return report(result, display, tested.results, profiler, flags, console);
  } catch (const std::exception& error) {
    records.failed(error.what());
    throw;
  }
}

}  // namespace

void add_train(Commands& commands) {
  const auto flags = std::make_shared<TrainFlags>();
  Command command = commands.add(commands.root(), "train", "Train a model on a data set",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->settings.add(command);
  command.text("--out", flags->out, "Folder of the run; runs/MODEL-DATA-NNN by default", "DIR");
  command.flag("--pretrained", flags->pretrained,
               "Start from the model's published weights, downloaded if needed");
  command.flag(
      "--profile", flags->profile,
      "Also time, FLOPs and bytes per second of each kernel and module over 20 batches, and "
      "RUN/trace.json, a timeline that chrome://tracing and Perfetto open");
  command.flag("--no-report", flags->no_report,
               "Do not write RUN/report.html, the report of the run, at its end");
  command.flag("--no-curves", flags->no_curves,
               "Do not draw the run's curves above the progress; only a terminal shows them");
  command.text("--resume", flags->resume,
               "Continue the run in this folder; --epochs, --data, --threads, --workers, "
               "--cache, --save-every, --keep, --tensorboard and --no-winograd may change",
               "DIR");
}

}  // namespace fovea::cli
