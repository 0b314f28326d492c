#include "fovea/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/core/timeline.h"
#include "fovea/data/folder_index.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/winograd.h"
#include "fovea/predict/predictor.h"
#include "fovea/tasks/class_weights.h"
#include "fovea/train/frozen.h"
#include "fovea/train/initialize.h"
#include "fovea/train/plan.h"
#include "fovea/train/run_folder.h"
#include "fovea/train/run_tuning.h"
#include "fovea/weights/fit.h"

namespace fovea::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<tasks::Metric> training_metrics(const Setup& setup) {
  return setup.step_options(0).metrics;
}

optim::Schedule schedule_of(const Settings& s, int64_t batches) {
  const auto update = static_cast<double>(std::min(s.accumulate, batches));
  return {s.schedule, static_cast<double>(s.epochs), warmup(s),
          update / static_cast<double>(batches)};
}

/// "accuracy 0.93, loss 0.2".
std::string numbers_text(const tasks::Numbers& numbers) {
  std::vector<std::string> words;
  for (const auto& [name, value] : numbers) words.push_back(name + " " + format_number(value));
  return join(words);
}

}  // namespace

Trainer::Trainer(Setup setup, std::vector<Callback*> callbacks, std::stop_token stop)
    : setup_(std::move(setup)),
      callbacks_(std::move(callbacks)),
      outer_stop_(std::move(stop), [this] { stop_.request_stop(); }),
      loader_(setup_.split.train, setup_.loader_options()),
      schedule_(schedule_of(setup_.settings, loader_.batches())),
      learner_(std::make_shared<Learner>(setup_)),
      progress_{.measures = tasks::Measures(training_metrics(setup_))},
      save_every_(setup_.settings.save_every) {
  if (setup_.settings.patience > 0) {
    early_stopping_ = std::make_unique<EarlyStopping>(EarlyStopping::Options{
        .patience = setup_.settings.patience, .min_change = setup_.settings.min_change});
    callbacks_.push_back(early_stopping_.get());
  }
  loader_.start(0);                         // loads ahead while the net is compiled
  tight_ = check_memory(setup_, learner_);  // finds samples that the net cannot take, too
  anew_ = initialize_run(setup_, state());
}

double Trainer::speed() const {
  return progress_.epoch_seconds > 0 ? static_cast<double>(progress_.seen) / progress_.epoch_seconds
                                     : 0;
}

double Trainer::seconds_left() const {
  const int64_t epochs = setup_.settings.epochs - progress_.epoch;
  return static_cast<double>(setup_.epoch_samples() * epochs - progress_.seen) / speed();
}

int64_t Trainer::trainable() const {
  int64_t count = 0;
  for (const nn::Variable* parameter : setup_.model->parameters()) {
    if (!setup_.groups.frozen(parameter->name(), 0)) count += parameter->shape().numel();
  }
  return count;
}

void Trainer::add(const std::string& name, double value) {
  std::erase_if(progress_.added, [&](const auto& number) { return number.first == name; });
  progress_.added.emplace_back(name, value);
}

void Trainer::finish(const std::string& why) {
  progress_.finished = 1;
  if (!why.empty()) message(why);
}

void Trainer::message(const std::string& text) {
  append_log(folder_, text);
  for (Callback* callback : callbacks_) callback->on_message(text);
}

/// Where the next update is, or that whose gradients are being added, in epochs.
double Trainer::where() const {
  const int64_t begun = progress_.batch == batches() ? progress_.batch : part_begin();
  return static_cast<double>(progress_.epoch) +
         static_cast<double>(begun) / static_cast<double>(batches());
}

/// The first of the batches of an epoch whose gradients are added for the next update.
int64_t Trainer::part_begin() const {
  return progress_.batch - progress_.batch % setup_.settings.accumulate;
}

/// Whether all gradients so far were applied, so that the run can be left here.
bool Trainer::is_updated() const {
  return progress_.batch == part_begin() || progress_.batch == batches();
}

/// The place of the next batch, of this many samples, among those of its update.
Learner::Part Trainer::next_part(int64_t samples) const {
  const int64_t count = setup_.settings.accumulate;
  if (count == 1) return {};
  const int64_t size = std::min(setup_.settings.batch, setup_.epoch_samples());
  const int64_t begin = part_begin() * size, end = begin + count * size;
  return {.first = progress_.batch == part_begin(),
          .last = progress_.batch + 1 == std::min(part_begin() + count, batches()),
          .weight = static_cast<double>(samples) /
                    static_cast<double>(std::min(end, setup_.epoch_samples()) - begin)};
}

/// Records which arrays are frozen in the next step.
FrozenArrays::Change Trainer::freeze() {
  if (!setup_.groups.freezes()) return {};
  return kept_.update(state(), [&, epoch = where()](std::string_view name) {
    return setup_.groups.frozen(name, epoch);
  });
}

/// Freezes and unfreezes what the groups say for the next step.
void Trainer::enter_phase() {
  const size_t phase = setup_.groups.phase(where());
  if (phase == learner_->phase()) return;
  learner_->enter(phase);
  bits_.clear();
  const auto [frozen, unfrozen] = freeze();
  const std::string epoch = format_number(setup_.groups.begin(phase));
  const auto arrays = [](int64_t n) { return std::to_string(n) + (n == 1 ? " array" : " arrays"); };
  if (frozen > 0) message("frozen from epoch " + epoch + " on: " + arrays(frozen));
  if (unfrozen > 0) {
    message("unfrozen after epoch " + epoch + ": " + arrays(unfrozen) + ", " +
            std::to_string(kept_.changed(state())) + " of which had changed");
  }
}

void Trainer::warn_of_references() {
  std::set<std::string> problems;
  for (const StepInfo& info : full_batch_program().reference_steps()) {
    // Metrics are exact rather than fast: a few numbers per sample.
    if (!tasks::is_metric_scope(info.scope)) problems.insert(info.problem);
  }
  for (const std::string& problem : problems)
    message("no fast kernel, this will be slow: " + problem);
}

/// The current step, in words.
std::string Trainer::place() const {
  return "step " + std::to_string(progress_.updates + 1) + " (epoch " +
         std::to_string(progress_.epoch + 1) + ", batch " + std::to_string(progress_.batch + 1) +
         ")";
}

/// The learning rate of the next step.
double Trainer::rate() const {
  return setup_.settings.lr * schedule_.factor(where(), scores()) * progress_.lr_factor;
}

/// The loss scale of f16, and how many steps of this epoch it made necessary to skip.
void Trainer::record_scale(const optim::LossScaler& scaler) {
  add("loss_scale", scaler.scale());
  add("skipped_steps", tasks::find(progress_.added, "skipped_steps").value_or(0) + skip_);
}

void Trainer::train_batch(const data::Batch& batch) {
  progress_.lr = rate();
  const Learner::Part part = next_part(batch.size());
  const Learner::Outcome outcome = learner_->gradient(batch, progress_.updates + 1, part);
  const auto& [result, gradients] = outcome;
  if (!std::isfinite(result.loss))
    diverged("the loss is " + format_number(result.loss) + " at " + place(), &batch);
  const optim::LossScaler* scaler = learner_->scaler();
  if (!std::isfinite(gradients.norm) && (scaler == nullptr || scaler->at_minimum()))
    diverged("the gradients are not finite at " + place(), &batch);
  progress_.measures.add(result.sums, batch.size());
  progress_.loss_sum += result.loss * static_cast<double>(batch.size());
  progress_.seen += batch.size();
  if (part.last) update(outcome);
  ++progress_.updates;
  ++progress_.batch;
  if (part.last && progress_.batch < batches()) enter_phase();
}

/// Applies the gradients.
void Trainer::update(const Learner::Outcome& outcome) {
  skip_ = !learner_->accept(outcome);
  if (const optim::LossScaler* scaler = learner_->scaler()) record_scale(*scaler);
  if (!skip_) {
    for (Callback* callback : callbacks_) callback->on_gradients(*this);
  }
  if (!skip_) {
    optim::Update update{
        .lr = progress_.lr,
        .gradient_scale = outcome.gradients.clip_scale,
        .group_lrs = setup_.groups.rates(where(), progress_.lr, progress_.lr_factor, scores())};
    if (setup_.settings.clip_value > 0) update.clip_value = setup_.settings.clip_value;
    const Span span("update", "training");
    learner_->update(update);
  }
  const int64_t count = setup_.settings.accumulate, per_epoch = (batches() + count - 1) / count;
  const int64_t done = progress_.epoch * per_epoch + progress_.batch / count + 1;
  learner_->averages().after_update(state(), done, setup_.settings.epochs * per_epoch);
}

std::optional<data::Batch> Trainer::next_batch() {
  const Span span("wait for data", "data");
  return loader_.next();
}

void Trainer::train_epoch() {
  const double before = progress_.epoch_seconds;
  const Clock::time_point start = Clock::now();
  loader_.start(progress_.epoch, progress_.batch);
  while (!stop_.stop_requested() || !is_updated()) {
    const Clock::time_point asked = Clock::now();
    const std::optional<data::Batch> batch = next_batch();
    progress_.waiting_seconds += seconds_since(asked);
    if (!batch) break;
    batch_ = &*batch;
    train_batch(*batch);
    progress_.epoch_seconds = before + seconds_since(start);
    for (Callback* callback : callbacks_) callback->on_batch(*this);
    // One that could not be written is tried again soon.
    const double every = saved_ ? save_every_.seconds : std::min(save_every_.seconds, 60.0);
    const bool due = progress_.epoch_seconds - last_saved_ > every;
    if ((due || save_asked_) && is_updated() && progress_.batch < batches()) save_progress();
  }
}

/// Measures the validation split, if there is one; false when stopped meanwhile.
bool Trainer::validate(EpochRecord& record) {
  const int64_t size = setup_.split.val->size();
  if (size == 0) return true;
  const Span span("validate", "training");
  const std::string place =
      fmt::format("validation after epoch {} (step {})", progress_.epoch + 1, progress_.updates);
  const tasks::Measures measures = measured(place, [&] {
    return learner_->evaluation().measure(setup_.prepared(setup_.split.val),
                                          evaluation_batch(setup_.settings.batch), nullptr,
                                          stop_.get_token());
  });
  if (measures.count() < size) return false;
  for (const auto& [name, value] : measures.numbers())
    record.numbers.emplace_back("val_" + name, value);
  return true;
}

std::string Trainer::monitored() const { return "val_" + setup_.metrics[setup_.monitored].name; }

bool Trainer::larger_is_better() const {
  return setup_.metrics[setup_.monitored].better == tasks::Better::larger;
}

std::optional<double> Trainer::score(const EpochRecord& record) const {
  std::optional<double> value = tasks::find(record.numbers, monitored());
  if (value && !larger_is_better()) *value = -*value;
  return value;
}

std::vector<double> Trainer::scores() const {
  std::vector<double> all;
  for (const EpochRecord& record : progress_.history) {
    if (const std::optional<double> value = score(record)) all.push_back(*value);
  }
  return all;
}

/// Whether this epoch is the best so far, which is then recorded; without validation each is.
bool Trainer::is_best(const EpochRecord& record) {
  const std::optional<double> value = tasks::find(record.numbers, monitored());
  const std::optional<double>& best = progress_.best_value;
  if (value && best && !(larger_is_better() ? *value > *best : *value < *best)) return false;
  progress_.best_value = value;
  progress_.best_epoch = record.epoch;
  return true;
}

/// Warns once about a net that does no better than guessing after it has had time to learn.
void Trainer::warn_of_guessing() {
  constexpr int64_t enough = 100;
  if (progress_.updates < enough || progress_.updates - progress_.batch >= enough) return;
  const double loss = progress_.loss_sum / static_cast<double>(progress_.seen);
  const std::string guessing =
      setup_.task->guessing(*setup_.split.train, loss, progress_.measures.numbers());
  if (guessing.empty()) return;
  message("after " + std::to_string(progress_.updates) +
          " steps the loss is no lower than by guessing, " + guessing + ": --lr " +
          format_number(setup_.settings.lr) +
          " may be far too high or too low, the labels may not be those of the samples" +
          (setup_.groups.freezes() ? ", --freeze may leave too little to train" : ""));
}

/// Validates and saves; false when stopped before the epoch was validated.
bool Trainer::finish_epoch() {
  require_finite();
  EpochRecord record{
      .epoch = progress_.epoch + 1,
      .lr = progress_.lr,
      .numbers = {{"train_loss", progress_.loss_sum / static_cast<double>(progress_.seen)}},
      .seconds = progress_.epoch_seconds,
      .images_per_second = speed(),
      .waiting = progress_.waiting_seconds / progress_.epoch_seconds};
  for (const auto& [name, value] : progress_.measures.numbers())
    record.numbers.emplace_back("train_" + name, value);
  if (!evaluate(record)) return false;
  if (progress_.epoch < setup_.settings.epochs) enter_phase();
  files_->text("history.csv", to_csv(progress_.history));
  save_progress();
  append_log(folder_,
             "epoch " + std::to_string(record.epoch) + ": " + numbers_text(record.numbers));
  for (Callback* callback : callbacks_) callback->on_saved(*this);
  return true;
}

/// Validates the weights, or their average, and saves the model; false when stopped before that.
bool Trainer::evaluate(EpochRecord& record) {
  learner_->averages().after_epoch(state(), record.epoch);
  const AveragedWeights averaged(learner_->averages(), state());
  if (averaged && learner_->averages().needs_statistics() && !measure_statistics()) return false;
  if (record.epoch < setup_.settings.epochs) loader_.start(record.epoch);  // the next one's data
  if (!validate(record)) return false;
  warn_of_guessing();
  const bool best = is_best(record);
  const auto take_added = [&] {
    for (const auto& number : progress_.added) record.numbers.push_back(number);
    progress_.added.clear();
  };
  take_added();
  for (Callback* callback : callbacks_) {
    callback->on_epoch(*this, record, best);
    take_added();
  }
  ++progress_.epoch;
  progress_.batch = progress_.seen = 0;
  progress_.loss_sum = progress_.epoch_seconds = progress_.waiting_seconds = 0;
  progress_.measures.clear();
  progress_.history.push_back(record);
  save_epoch(best);
  return true;
}

/// Measures the norms' statistics in one pass over the training data; false when stopped.
bool Trainer::measure_statistics() {
  if (state().names(Role::buffer).empty()) return true;
  loader_.start(progress_.epoch);
  for (int64_t count = 1; const std::optional<data::Batch> batch = loader_.next(); ++count) {
    if (stop_.stop_requested()) return false;
    learner_->step().measure_statistics(batch->inputs, batch->targets, count, count);
  }
  return true;
}

void Trainer::train_all() {
  while (progress_.epoch < setup_.settings.epochs && progress_.finished == 0) {
    train_epoch();
    if (progress_.batch < batches() || !finish_epoch()) {  // asked to stop
      save_progress();
      finish_files();
      message("stopped in epoch " + std::to_string(progress_.epoch + 1) + " after " +
              counted(progress_.batch, "batch") + "; a checkpoint was saved");
      return;
    }
    const bool more = progress_.epoch < setup_.settings.epochs && progress_.finished == 0;
    if (stop_.stop_requested() && more) {
      finish_files();
      message("stopped after epoch " + std::to_string(progress_.epoch) +
              "; a checkpoint was saved");
      return;
    }
  }
  finish_files();
}

Result Trainer::result() {
  Result result{
      .epochs = progress_.epoch,
      .best_epoch = progress_.best_epoch,
      .best_metric = monitored(),
      .best_value = progress_.best_value,
      .test = {},
      .test_samples = 0,
      .test_tables = {},
      .seconds = progress_.epoch_seconds,
      .images_per_second = 0,
      .folder = folder_,
      .precision = setup_.settings.precision,
      .precisions = {},
      .history = progress_.history,
      .skipped = {},
      .stopped = progress_.epoch < setup_.settings.epochs && progress_.finished == 0,
      .early_stopped = progress_.epoch < setup_.settings.epochs && progress_.finished != 0};
  for (const data::BadSample& bad : setup_.skipped) result.skipped.push_back(bad.name);
  auto samples = static_cast<double>(progress_.seen);
  for (const EpochRecord& record : progress_.history) {
    result.seconds += record.seconds;
    samples += static_cast<double>(setup_.epoch_samples());
  }
  result.images_per_second = result.seconds > 0 ? samples / result.seconds : 0;
  result.frozen = kept_.count();
  result.frozen_changed = kept_.changed(state());
  if (!result.stopped) test(result);
  return result;
}

/// Measures the best model on the test set.
void Trainer::test(Result& result) {
  learner_->step().memory() = {};  // makes room for the weights of the file
  load_weights(*setup_.model, state(), load_model(folder_ / "best.safetensors").weights);
  const TestViews views = TestViews::parse(setup_.settings.tta);
  Evaluation evaluation(*setup_.model, state(), setup_.normalization(), *setup_.task,
                        setup_.metrics, true, views);
  evaluation.share(learner_->step().memory());
  const int64_t batch = evaluation_batch(setup_.settings.batch) / views.count();
  const std::string place = fmt::format("test of the best model, epoch {}", result.best_epoch);
  const tasks::Measures measures = measured(place, [&] {
    return evaluation.measure(setup_.prepared(setup_.sets.test), std::max<int64_t>(batch, 1),
                              nullptr, stop_.get_token(), [this](const EvaluatedBatch& done) {
                                for (Callback* callback : callbacks_)
                                  callback->on_test(*this, done);
                              });
  });
  if (measures.count() < setup_.sets.test->size()) {
    message("stopped during the test of the best model; the checkpoint of the last epoch was kept");
    result.stopped = true;
    return;
  }
  result.test = measures.numbers();
  result.test_samples = measures.count();
  result.test_tables = measures.tables();
  append_log(folder_, "test of the best model, epoch " + std::to_string(result.best_epoch) + ": " +
                          numbers_text(result.test));
}

void Trainer::open(const std::filesystem::path& folder) {
  folder_ = folder;
  files_.emplace(folder, [this](const std::string& text) { message(text); });
  for (Callback* callback : callbacks_) callback->on_start(*this);
  freeze();
  if (const auto index = std::exchange(setup_.sets.index, nullptr))  // the data sets have the names
    files_->text(std::string(data::folder_index_name), index->text());
  if (!tight_.empty()) message(tight_);
  for (const std::string& note : setup_.notes) message(note);
  if (!setup_.start.note.empty()) message(setup_.start.note);
  if (!anew_.empty()) message("reinitialised: " + join(anew_));
  if (!setup_.class_weights.empty())
    message("class weights: " + tasks::class_weights_text(setup_.class_weights, *setup_.task));
}

Result Trainer::finish_run() {
  warn_of_references();
  train_all();
  const Result done = result();
  for (Callback* callback : callbacks_) callback->on_end(*this, done);
  files_->finish();
  return done;
}

Result Trainer::begin(const std::filesystem::path& folder, const std::string& note) {
  open(folder);
  if (!note.empty()) message(note);
  learner_->averages().begin(state());
  return finish_run();
}

Result Trainer::go_on(const std::filesystem::path& folder, const std::vector<std::string>& notes) {
  open(folder);
  for (const std::string& note : notes) message(note);
  restore();
  for (Callback* callback : callbacks_) callback->on_resume(*this);
  if (!notes.empty()) replace_file(folder / "config.toml", to_toml(setup_.settings));
  return finish_run();
}

namespace {

/// 0: all that the process may use.
int team_of(const Settings& settings) {
  return static_cast<int>(settings.threads == 0 ? threads() : settings.threads);
}

/// A process that does without Winograd's algorithm does so in every run.
Winograd winograd_of(const Settings& settings) {
  return settings.no_winograd ? Winograd::never : winograd();
}

/// How kernels are chosen while a run lasts.
struct KernelScope {
  explicit KernelScope(const Settings& settings)
      : winograd(winograd_of(settings)), same_bits(settings.deterministic || deterministic()) {}
  WinogradScope winograd;
  DeterministicScope same_bits;
};

/// Trains as `setup` sets up the settings, once all is known that they do not say.
Result run(const Settings& settings, const std::function<Setup(const Settings&)>& setup,
           const std::string& out, const std::vector<Callback*>& callbacks, std::stop_token stop) {
  Settings resolved = settings;
  resolved.threads = team_of(settings);  // so that config.toml repeats this run on any machine
  const TeamScope team(team_of(resolved));
  const KernelScope kernels(resolved);
  // Finds errors in the settings before a folder is created.
  Setup made = setup(resolved);
  const std::unique_ptr<TuningSession> tuning = begin_tuning(resolved, callbacks);
  const PrecisionChoice precision = choose_precision(made);
  resolved.precision = precision.precision;
  if (tuning) tune_kernels(*tuning, made);
  Trainer trainer(std::move(made), callbacks, std::move(stop));
  const RunFolder folder = make_run_folder(out, resolved);
  if (tuning) save_tuning(*tuning, folder.path);
  Result result = trainer.begin(folder.path, precision.note);
  result.precisions = precision.measured;
  return result;
}

}  // namespace

Result train(const Settings& settings, const std::string& out,
             const std::vector<Callback*>& callbacks, std::stop_token stop) {
  const auto setup = [&](const Settings& resolved) {
    Setup made(resolved, known_index(out, resolved.data));
    const std::vector<std::string> frozen = split(resolved.freeze, ',');
    if (resolved.weights.empty() && std::ranges::count(frozen, "backbone") > 0) {
      made.notes.emplace_back(
          "the backbone is frozen at its random initial values: --weights FILE or --pretrained "
          "gives it trained ones");
    }
    return made;
  };
  return run(with_net(settings), setup, out, callbacks, std::move(stop));
}

Result train(const Settings& settings, const data::DataSets& data, const std::string& out,
             const std::vector<Callback*>& callbacks, std::stop_token stop, const nn::Module* net) {
  const auto setup = [&](const Settings& resolved) {
    return Setup(resolved, data, std::nullopt, net);
  };
  Settings named = settings;
  named.data = data.name;
  if (net != nullptr) {
    named.model = net->name();
    named.net = nullptr;
  } else {
    named = with_net(named);
  }
  return run(named, setup, out, callbacks, std::move(stop));
}

Result resume(const std::filesystem::path& folder, const std::vector<Callback*>& callbacks,
              std::stop_token stop, const Changes& changes) {
  Resumption resumption = read_run(folder, changes);
  const TeamScope team(team_of(resumption.settings));
  const KernelScope kernels(resumption.settings);
  const TuningScope tuned(tuning_of_run(resumption.settings, folder, resumption.notes));
  Trainer trainer(setup_of(resumption), callbacks, std::move(stop));
  return trainer.go_on(folder, resumption.notes);
}

}  // namespace fovea::train
