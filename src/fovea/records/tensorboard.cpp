#include "fovea/records/tensorboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "fovea/core/files.h"
#include "fovea/passes/autodiff.h"
#include "fovea/records/batch_pictures.h"

namespace fovea::records {
namespace {

constexpr std::string_view prefix = "events.out.tfevents.";

EventTime now(const train::Trainer& trainer) {
  const std::chrono::duration<double> wall = std::chrono::system_clock::now().time_since_epoch();
  return {.wall = wall.count(), .step = trainer.progress().updates};
}

/// "val/accuracy" for "val_accuracy", "run/loss_scale" for what a callback added.
std::string tag_of(const std::string& name) {
  for (const std::string_view part : {"train", "val"}) {
    if (name.starts_with(fmt::format("{}_", part)))
      return fmt::format("{}/{}", part, name.substr(part.size() + 1));
  }
  return fmt::format("run/{}", name);
}

std::vector<HyperParameter> parameters_of(const train::Settings& settings) {
  std::vector<HyperParameter> parameters;
  for (const train::Setting& setting : train::settings_table())
    parameters.push_back({setting.name, setting.get(settings)});
  return parameters;
}

bool is_of_end(const Event& event) {
  return !event.scalars.empty() && event.scalars[0].first.starts_with("test/");
}

/// Whether an event was before a checkpoint.
bool is_before(const Event& event, const train::Progress& progress) {
  const std::optional<double> epoch = tasks::find(event.scalars, "epoch");
  return event.time.step <= progress.updates && !is_of_end(event) &&
         (!epoch || *epoch <= static_cast<double>(progress.epoch));
}

}  // namespace

std::filesystem::path find_event_file(const std::filesystem::path& run) {
  std::error_code error;
  for (std::filesystem::directory_iterator i(run, error), end; !error && i != end;
       i.increment(error)) {
    if (i->path().filename().string().starts_with(prefix)) return i->path();
  }
  return {};
}

void TensorBoard::begin(train::Trainer& trainer) {
  const EventTime time = now(trainer);
  const std::vector<HyperParameter> parameters = parameters_of(trainer.setup().settings);
  const std::string metric = trainer.setup().metrics[trainer.setup().monitored].name;
  trainer.files().append(
      file_, version_event(time) +
                 hyper_parameters_event(time, parameters,
                                        {tag_of(trainer.monitored()), "test/" + metric}) +
                 run_started_event(time, parameters));
}

void TensorBoard::on_start(train::Trainer& trainer) {
  if (trainer.setup().settings.tensorboard == "off") return;
  file_ = find_event_file(trainer.folder()).filename().string();
  if (!file_.empty()) return;  // of a run that is resumed
  file_ = fmt::format("{}{:.0f}.fovea", prefix, now(trainer).wall);
  begin(trainer);
}

void TensorBoard::on_resume(train::Trainer& trainer) {
  if (file_.empty()) return;
  loss_sum_ = trainer.progress().loss_sum;
  const std::filesystem::path path = trainer.folder() / file_;
  if (!exists(path, ErrorKind::io)) return;
  uint64_t end = 0;
  for (const Event& event : read_events(read_text(path, ErrorKind::io, largest_stream))) {
    if (!is_before(event, trainer.progress())) break;
    end = event.end;
  }
  trainer.files().append_from(file_, end);
  if (end == 0) begin(trainer);
}

void TensorBoard::on_batch(train::Trainer& trainer) {
  if (file_.empty()) return;
  const train::Progress& progress = trainer.progress();
  if (progress.batch == 1) loss_sum_ = 0;
  const double loss = (progress.loss_sum - loss_sum_) / static_cast<double>(trainer.batch().size());
  loss_sum_ = progress.loss_sum;
  constexpr int64_t points = 100;  // per epoch, at least
  if (progress.batch % std::max<int64_t>(1, trainer.batches() / points) == 0) {
    trainer.files().append(
        file_, scalars_event(now(trainer), {{"batch/loss", loss}, {"batch/lr", progress.lr}}));
  }
  if (progress.updates > kept_batches) return;
  const std::filesystem::path picture =
      trainer.folder() / fmt::format("batch-{}.png", progress.batch);
  if (!exists(picture, ErrorKind::io)) return;
  trainer.files().append(
      file_, image_event(now(trainer), "batches/fed", read_text(picture, ErrorKind::io)));
}

void TensorBoard::on_epoch(train::Trainer& trainer, train::EpochRecord& record, bool) {
  if (file_.empty()) return;
  const EventTime time = now(trainer);
  tasks::Numbers numbers{{"epoch", static_cast<double>(record.epoch)}};
  for (const auto& [name, value] : record.numbers) numbers.emplace_back(tag_of(name), value);
  numbers.emplace_back("speed/images_per_second", record.images_per_second);
  numbers.emplace_back("speed/waiting", record.waiting);
  trainer.files().append(file_, scalars_event(time, numbers));
  if (trainer.setup().settings.tensorboard == "histograms") write_histograms(trainer, time);
}

void TensorBoard::write_histograms(train::Trainer& trainer, EventTime time) {
  State& state = trainer.state();
  const auto write = [&](const std::string& kind, const std::string& name, const Array& array) {
    const Array values = array.astype(DType::f32);
    trainer.files().append(
        file_, histogram_event(time, fmt::format("{}/{}", kind, name), values.data<float>()));
  };
  for (const std::string& name : state.names(Role::parameter)) {
    write("weights", name, state.get(name));
    const std::string gradient = gradient_name(name);
    if (state.contains(gradient)) write("gradients", name, state.get(gradient));
  }
}

void TensorBoard::on_end(train::Trainer& trainer, const train::Result& result) {
  if (result.stopped || file_.empty()) return;
  tasks::Numbers numbers;
  for (const auto& [name, value] : result.test) numbers.emplace_back("test/" + name, value);
  const EventTime time = now(trainer);
  trainer.files().append(file_, scalars_event(time, numbers) + run_complete_event(time));
}

}  // namespace fovea::records
