#include "fovea/records/recorder.h"

#include <algorithm>

#include "fovea/core/files.h"
#include "fovea/core/process.h"
#include "fovea/records/batch_pictures.h"
#include "fovea/records/curves.h"

namespace fovea::records {
namespace {

double total(const std::vector<train::EpochRecord>& history, double train::EpochRecord::*member) {
  double sum = 0;
  for (const train::EpochRecord& record : history) sum += record.*member;
  return sum;
}

}  // namespace

Recorder::Recorder(std::string command) {
  session_.started = utc_now();
  session_.command = std::move(command);
}

/// Seconds since the last call.
double Recorder::lap() {
  const Clock::time_point now = Clock::now();
  return std::chrono::duration<double>(now - std::exchange(lap_, now)).count();
}

/// What is known before training.
void Recorder::describe(const train::Trainer& trainer) {
  const train::Setup& setup = trainer.setup();
  Record& r = record_;
  r.status = "running";
  r.error.clear();
  r.model = train::model_name(setup.settings);
  r.data = setup.settings.data;
  r.task = setup.task->name();
  r.settings.clear();
  for (const train::Setting& setting : train::settings_table())
    r.settings[setting.name] = setting.get(setup.settings);
  r.parameters = 0;
  for (const nn::Variable* p : setup.model->parameters()) r.parameters += p->shape().numel();
  r.trainable = trainer.trainable();
  r.input.assign(setup.input.begin(), setup.input.end());
  r.train_samples = setup.split.train->size();
  r.val_samples = setup.split.val->size();
  r.test_samples = setup.sets.test->size();
  r.classes = setup.sets.targets().names;
  r.metric = trainer.monitored();
  r.larger_is_better = setup.metrics[setup.monitored].better == tasks::Better::larger;
  session_.environment = this_environment(setup.settings.threads);
}

void Recorder::on_start(train::Trainer& trainer) {
  folder_ = trainer.folder();
  try {
    if (exists(folder_ / record_name, ErrorKind::data)) record_ = read_record(folder_);
  } catch (const Error&) {
    record_ = {};  // of no use to the run that is resumed: it is written anew
  }
  describe(trainer);
  record_.sessions.push_back(session_);
  save(trainer);
}

void Recorder::on_resume(train::Trainer& trainer) {
  record_.sessions.back().from_epoch = trainer.progress().epoch;
}

void Recorder::on_batch(train::Trainer& trainer) {
  const double seconds = lap();
  if (std::exchange(first_, false)) {
    record_.timings.setup += seconds;
  } else if (trainer.progress().batch > 1) {
    steps_.push_back(seconds);
  }
  if (trainer.progress().updates > kept_batches || trainer.progress().epoch > 0) return;
  if (auto pictures = save_batch(trainer)) {
    std::erase_if(record_.batches, [&](const BatchPictures& b) { return b.fed == pictures->fed; });
    record_.batches.push_back(std::move(*pictures));
  }
  if (trainer.progress().updates == kept_batches) save(trainer);
  lap();
}

void Recorder::on_epoch(train::Trainer&, train::EpochRecord&, bool) {
  record_.timings.validation += lap();
}

/// The median and the slow end of the steps so far.
void Recorder::measure_steps() {
  if (steps_.empty()) return;
  std::vector<double> sorted = steps_;
  std::ranges::sort(sorted);
  const auto at = [&](double share) {
    return 1000 * sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  record_.timings.step_median_ms = at(0.5);
  record_.timings.step_p95_ms = at(0.95);
  record_.timings.step_max_ms = at(1);
}

void Recorder::on_saved(train::Trainer& trainer) {
  const train::Progress& progress = trainer.progress();
  record_.epochs = progress.epoch;
  record_.best_epoch = progress.best_epoch;
  record_.best_value = progress.best_value;
  record_.timings.training = total(progress.history, &train::EpochRecord::seconds);
  record_.timings.waiting = 0;
  for (const train::EpochRecord& epoch : progress.history)
    record_.timings.waiting += epoch.waiting * epoch.seconds;
  trainer.files().text(std::string(history_name), history_text(progress.history));
  measure_steps();
  save(trainer);
  record_.timings.validation += lap();
}

void Recorder::on_end(train::Trainer& trainer, const train::Result& result) {
  if (!result.stopped) record_.timings.test = lap();
  record_.status = result.stopped ? "stopped" : "complete";
  record_.test = result.test;
  record_.images_per_second = result.images_per_second;
  record_.sessions.back().ended = utc_now();
  measure_steps();
  save(trainer);
  draw_curves(trainer);
}

/// curves.png and curves.svg
void Recorder::draw_curves(train::Trainer& trainer) {
  const std::vector<NamedHistory> runs{{"", trainer.progress().history}};
  if (runs[0].history.empty()) return;
  for (const char* name : {"curves.png", "curves.svg"}) {
    trainer.files().file(name, [path = folder_ / name, runs, metric = record_.metric] {
      write_curves(path, runs, metric);
    });
  }
}

/// Writes the record with the session as far as it has come.
void Recorder::save(train::Trainer& trainer) {
  Session& session = record_.sessions.back();
  session.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  session.peak_memory_bytes = static_cast<int64_t>(peak_resident_bytes());
  trainer.files().text(std::string(record_name), record_text(record_));
  if (changed) changed(folder_, record_);
}

void Recorder::failed(const std::string& why) {
  if (record_.sessions.empty()) return;
  record_.status = "failed";
  record_.error = why;
  record_.sessions.back().ended = utc_now();
  try {
    replace_file(folder_ / record_name, record_text(record_));
  } catch (const Error&) {
    // the error that ended the run is the one to report
  }
  if (changed) changed(folder_, record_);
}

}  // namespace fovea::records
