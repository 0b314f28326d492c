#include "fovea/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <set>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/data/prepared.h"
#include "fovea/optim/schedule.h"
#include "fovea/predict/predictor.h"
#include "fovea/runtime/nonfinite.h"
#include "fovea/train/checkpoint.h"
#include "fovea/train/plan.h"
#include "fovea/train/setup.h"
#include "fovea/train/step.h"
#include "fovea/train/transfer.h"

namespace fovea::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds of training between checkpoints inside an epoch.
constexpr double checkpoint_seconds = 300;
/// Of the learning rate, for what was frozen, unless --backbone-lr says another.
constexpr double default_backbone_share = 0.1;

/// Of the program's own file, read in parts: it is not to count as memory of the run. "unknown"
/// without /proc.
std::string program_hash() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string part(size_t{1} << 16, 0), hashes;
  while (file.read(part.data(), std::ssize(part)) || file.gcount() > 0) {
    hashes += hex(hash({part.data(), static_cast<size_t>(file.gcount())}));
  }
  return hashes.empty() ? "unknown" : hex(hash(hashes));
}

/// A run under way: what is fixed by the settings, and where it is.
class Run {
 public:
  Run(Setup setup, const Watch& watch, std::stop_token stop)
      : setup_(std::move(setup)),
        watch_(watch),
        stop_(std::move(stop)),
        schedule_(setup_.settings.schedule, static_cast<double>(setup_.settings.epochs),
                  setup_.settings.warmup),
        loader_(setup_.split.train, setup_.loader_options()) {
    const Settings& settings = setup_.settings;
    tight_ = check_memory(setup_);
    nn::declare(state_, *setup_.model, static_cast<uint64_t>(settings.seed));
    setup_.optimizer->declare(state_);
    if (!setup_.start.weights.empty())
      anew_ = start_from(setup_.start, settings.model, setup_.config, *setup_.model, state_);
    setup_.start.weights.clear();
    inference_ = std::make_unique<Inference>(*setup_.model, state_, setup_.normalization());
    make_step();
    (void)full_batch_program();  // images that the net cannot take are found now
  }

  /// Trains into the empty folder of a new run.
  Result begin(const std::filesystem::path& folder);
  /// Goes on from the last checkpoint of a folder, with a note for each setting that changed.
  Result go_on(const std::filesystem::path& folder, const std::vector<std::string>& notes);

 private:
  void open(const std::filesystem::path& folder);
  Result finish();
  void make_step();
  void restore();
  void thaw();
  bool thawed() const {
    return setup_.settings.unfreeze_after > 0 && epoch_ >= setup_.settings.unfreeze_after;
  }
  /// Whether the next batch is the first with nothing frozen.
  bool at_the_thaw() const {
    return setup_.unfreezes() && epoch_ == setup_.settings.unfreeze_after && batch_ == 0;
  }
  void train_all();
  Result result();
  void train_epoch();
  void train_batch(const data::Batch& batch);
  bool finish_epoch();
  bool validate(EpochRecord& record);
  void warn_of_guessing();
  void report(const Clock::time_point& start, double before);
  void save_model_file(const std::string& name);
  void save_progress();
  void warn_of_references();
  const std::map<std::string, std::string>& bits();
  const Program& full_batch_program();
  const std::string& fingerprint();
  double rate() const;
  int64_t trainable() const;
  void message(const std::string& text);
  void require_finite();
  [[noreturn]] void diverged(const std::string& what, const data::Batch* batch = nullptr);
  std::string place() const;

  Setup setup_;
  std::filesystem::path folder_;
  const Watch& watch_;
  std::stop_token stop_;
  optim::Schedule schedule_;
  data::Loader loader_;
  State state_;
  std::unique_ptr<TrainStep> step_;
  std::unique_ptr<Inference> inference_;

  // Where the run is: all of it is in a checkpoint.
  int64_t epoch_ = 0;  ///< complete epochs
  int64_t batch_ = 0;  ///< batches done of the epoch under way
  int64_t updates_ = 0;
  double lr_ = 0;
  double loss_sum_ = 0;  ///< of the epoch under way, over samples
  int64_t seen_ = 0, correct_ = 0;
  double epoch_seconds_ = 0;
  int64_t best_epoch_ = 0;
  double best_accuracy_ = -1;
  std::vector<EpochRecord> history_;

  std::string tight_;              ///< a warning about memory; or ""
  std::vector<std::string> anew_;  ///< arrays of the head that the weights did not hold
  FrozenArrays kept_;              ///< what is frozen, as it was
  int64_t frozen_changed_ = 0;     ///< of it, when it was unfrozen or the run ended

  double last_saved_ = 0;  ///< epoch_seconds_ at the last checkpoint
  std::map<std::string, std::string> bits_;
  std::string fingerprint_;  ///< of the training data, once asked for
};

void Run::message(const std::string& text) {
  append_log(folder_, text);
  if (watch_.on_message) watch_.on_message(text);
}

/// The step of the phase under way: with the frozen arrays, or, once thawed, with all.
void Run::make_step() {
  step_ = std::make_unique<TrainStep>(*setup_.model, state_, setup_.step_options(thawed()));
  inference_->share(step_->memory());
  bits_.clear();
}

/// The end of the phase with frozen arrays.
void Run::thaw() {
  frozen_changed_ = kept_.changed(state_);
  make_step();
  message("unfrozen after epoch " + std::to_string(epoch_) + ": " + std::to_string(kept_.count()) +
          " arrays, " + std::to_string(frozen_changed_) + " of which had changed");
}

const Program& Run::full_batch_program() {
  const int64_t n = std::min(setup_.settings.batch, setup_.split.train->size());
  return step_->program(setup_.images(n), setup_.labels(n));
}

/// What bits depend on apart from the settings.
const std::map<std::string, std::string>& Run::bits() {
  if (!bits_.empty()) return bits_;
  const Program& program = full_batch_program();
  std::string kernels;
  for (const StepInfo& info : program.steps()) kernels += info.kernel + "\n";
  bits_ = {{"bits.binary", program_hash()},
           {"bits.instructions", instruction_set()},
           {"bits.threads", std::to_string(program.threads())},
           {"bits.kernels", hex(hash(kernels))}};
  return bits_;
}

void Run::save_progress() {
  require_finite();
  std::map<std::string, std::string> p = bits();
  p.merge(origin(setup_, fingerprint()));
  p["epoch"] = std::to_string(epoch_);
  p["batch"] = std::to_string(batch_);
  p["updates"] = std::to_string(updates_);
  p["lr"] = format_number(lr_);
  p["loss_sum"] = format_number(loss_sum_);
  p["seen"] = std::to_string(seen_);
  p["correct"] = std::to_string(correct_);
  p["epoch_seconds"] = format_number(epoch_seconds_);
  p["best_epoch"] = std::to_string(best_epoch_);
  p["best_accuracy"] = format_number(best_accuracy_);
  p["history"] = to_csv(history_);
  if (setup_.frozen) {
    p["frozen"] = kept_.text();
    p["frozen_changed"] = std::to_string(frozen_changed_);
  }
  save_checkpoint(folder_, state_, p);
  last_saved_ = epoch_seconds_;
}

void Run::restore() {
  Checkpoint checkpoint;
  if (!load_checkpoint(folder_, state_, checkpoint)) {
    message("no checkpoint was written yet: starting over");
    return;
  }
  if (!checkpoint.warning.empty()) message(checkpoint.warning);
  const auto number = [&](const std::string& key) {
    const std::optional<double> value = parse_number(checkpoint.progress[key]);
    if (!value)
      throw Error(ErrorKind::model, "checkpoint: \"" + key + "\" is missing or no number")
          .with("folder", folder_.string());
    return *value;
  };
  const auto whole = [&](const std::string& key) { return static_cast<int64_t>(number(key)); };
  epoch_ = whole("epoch");
  batch_ = whole("batch");
  updates_ = whole("updates");
  lr_ = number("lr");
  loss_sum_ = number("loss_sum");
  seen_ = whole("seen");
  correct_ = whole("correct");
  epoch_seconds_ = last_saved_ = number("epoch_seconds");
  best_epoch_ = whole("best_epoch");
  best_accuracy_ = number("best_accuracy");
  history_ = from_csv(checkpoint.progress["history"]);
  if (epoch_ < 0 || epoch_ > setup_.settings.epochs || batch_ < 0 || batch_ > loader_.batches()) {
    throw Error(ErrorKind::model, "checkpoint: epoch " + std::to_string(epoch_) + ", batch " +
                                      std::to_string(batch_) + " is outside of the run")
        .with("folder", folder_.string());
  }
  if (setup_.frozen) {
    kept_ = FrozenArrays::parse(checkpoint.progress["frozen"]);
    frozen_changed_ = whole("frozen_changed");
    if (thawed() && !at_the_thaw()) make_step();
  }
  for (const auto& [key, value] : bits()) {
    if (checkpoint.progress[key] == value) continue;
    message("resuming with another " + key.substr(5) + " than before (" + value + " instead of " +
            checkpoint.progress[key] + "): the result may differ in its last bits");
  }
  if (at_the_thaw()) thaw();
  message("resuming after " + std::to_string(epoch_) + " epochs and " + std::to_string(batch_) +
          " batches, at a learning rate of " + format_number(rate()));
}

void Run::warn_of_references() {
  std::set<std::string> problems;
  for (const StepInfo& info : full_batch_program().reference_steps()) problems.insert(info.problem);
  for (const std::string& problem : problems)
    message("no fast kernel, this will be slow: " + problem);
}

/// Ends the run because of numbers that are not finite. They came from `batch`, or, without one,
/// from the update before.
void Run::diverged(const std::string& what, const data::Batch* batch) {
  Error error(ErrorKind::diverged, what);
  std::string first = nonfinite_in(state_, {Role::parameter, Role::moment});
  if (first.empty() && batch != nullptr) {
    first = step_->first_nonfinite(batch->inputs, batch->targets, updates_ + 1);
    if (!first.empty()) first += " gave a number that is not finite";
  }
  if (first.empty()) first = nonfinite_in(state_, {Role::buffer});
  if (!first.empty()) error.with("first", first);
  error.with("try",
             "a lower --lr (it was " + format_number(lr_) + "), --clip 1, or a longer --warmup");
  append_log(folder_, error.what());
  throw error;
}

/// The step under way, in words.
std::string Run::place() const {
  return "step " + std::to_string(updates_ + 1) + " (epoch " + std::to_string(epoch_ + 1) +
         ", batch " + std::to_string(batch_ + 1) + ")";
}

/// Before anything is saved: no file is replaced by one that holds a number that is not finite.
void Run::require_finite() {
  if (!nonfinite_in(state_, {Role::parameter, Role::buffer, Role::moment}).empty())
    diverged("the net is not finite after step " + std::to_string(updates_) + ": it is not saved");
}

/// The learning rate of the next step.
double Run::rate() const {
  const double where = static_cast<double>(epoch_) +
                       static_cast<double>(batch_) / static_cast<double>(loader_.batches());
  return setup_.settings.lr * schedule_.factor(where);
}

void Run::train_batch(const data::Batch& batch) {
  lr_ = rate();
  const StepResult result = step_->gradient(batch.inputs, batch.targets, updates_ + 1);
  if (!std::isfinite(result.loss)) {
    diverged("the loss is " + format_number(result.loss) + " at " + place(), &batch);
  }
  const double norm = optim::gradient_norm(state_);  // finite if all gradients are
  if (!std::isfinite(norm)) diverged("the gradients are not finite at " + place(), &batch);
  Metrics metrics;
  metrics.add(result.logits, batch.targets);
  const double scale =
      setup_.settings.clip > 0 ? optim::clip_scale(norm, setup_.settings.clip) : 1.0;
  optim::Update update{.lr = lr_, .gradient_scale = scale};
  if (thawed()) {
    const double share = setup_.settings.backbone_lr > 0
                             ? setup_.settings.backbone_lr / setup_.settings.lr
                             : default_backbone_share;
    update.lr_scale = [this, share](std::string_view name) {
      return setup_.frozen(name) ? share : 1;
    };
  }
  setup_.optimizer->update(state_, update);
  ++updates_;
  ++batch_;
  seen_ += metrics.count;
  correct_ += metrics.correct;
  loss_sum_ += result.loss * static_cast<double>(metrics.count);
}

void Run::report(const Clock::time_point& start, double before) {
  if (!watch_.on_batch) return;
  epoch_seconds_ = before + seconds_since(start);
  const double speed = static_cast<double>(seen_) / epoch_seconds_;
  const auto all =
      static_cast<double>(setup_.epoch_images() * (setup_.settings.epochs - epoch_) - seen_);
  watch_.on_batch({.epoch = epoch_ + 1,
                   .epochs = setup_.settings.epochs,
                   .batch = batch_,
                   .batches = loader_.batches(),
                   .loss = loss_sum_ / static_cast<double>(seen_),
                   .accuracy = static_cast<double>(correct_) / static_cast<double>(seen_),
                   .lr = lr_,
                   .images_per_second = speed,
                   .seconds_left = all / speed});
}

void Run::train_epoch() {
  const double before = epoch_seconds_;
  const Clock::time_point start = Clock::now();
  loader_.start(epoch_, batch_);
  while (!stop_.stop_requested()) {
    const std::optional<data::Batch> batch = loader_.next();
    if (!batch) break;
    train_batch(*batch);
    epoch_seconds_ = before + seconds_since(start);
    report(start, before);
    if (epoch_seconds_ - last_saved_ > checkpoint_seconds && batch_ < loader_.batches())
      save_progress();
  }
}

/// Measures the validation split, where there is one; false when asked to stop meanwhile.
bool Run::validate(EpochRecord& record) {
  const int64_t size = setup_.split.val->size();
  if (size == 0) return true;
  const Metrics metrics = evaluate(*inference_, setup_.split.val,
                                   evaluation_batch(setup_.settings.batch), nullptr, stop_);
  if (metrics.count < size) return false;
  record.val_loss = metrics.loss();
  record.val_accuracy = metrics.accuracy();
  return true;
}

/// A net that does no better than guessing is told of once, when it has had time to learn.
void Run::warn_of_guessing() {
  constexpr int64_t enough = 100;
  if (updates_ < enough || updates_ - batch_ >= enough) return;
  std::vector<int64_t> counts(setup_.sets.targets().names.size());
  const double seen = static_cast<double>(seen_),
               guessing = std::log(static_cast<double>(counts.size()));
  if (loss_sum_ / seen < 0.98 * guessing) return;
  const data::Dataset& images = *setup_.split.train;
  for (int64_t i = 0; i < images.size(); ++i)
    ++counts[static_cast<size_t>(data::class_of(images, i))];
  const double most_frequent =
      static_cast<double>(*std::ranges::max_element(counts)) / static_cast<double>(images.size());
  if (static_cast<double>(correct_) / seen > 1.2 * most_frequent) return;
  message("after " + std::to_string(updates_) +
          " steps the loss is not below that of guessing, ln(" + std::to_string(counts.size()) +
          ") = " + format_number(std::round(guessing * 1e3) / 1e3) + ": --lr " +
          format_number(setup_.settings.lr) +
          " may be far too high or too low, the labels may not be those of the images" +
          (setup_.frozen ? ", --freeze may leave too little to train" : ""));
}

/// Validates and saves; false when asked to stop before the epoch was validated.
bool Run::finish_epoch() {
  require_finite();
  EpochRecord record{.epoch = epoch_ + 1,
                     .lr = lr_,
                     .train_loss = loss_sum_ / static_cast<double>(seen_),
                     .train_accuracy = static_cast<double>(correct_) / static_cast<double>(seen_),
                     .val_loss = {},
                     .val_accuracy = {},
                     .seconds = epoch_seconds_,
                     .images_per_second = static_cast<double>(seen_) / epoch_seconds_};
  if (!validate(record)) return false;
  warn_of_guessing();
  const double accuracy = record.val_accuracy.value_or(0);
  const bool best = !record.val_accuracy || accuracy > best_accuracy_;
  if (best) best_accuracy_ = accuracy;
  ++epoch_;
  batch_ = seen_ = correct_ = 0;
  loss_sum_ = epoch_seconds_ = 0;
  history_.push_back(record);
  if (best) {
    best_epoch_ = epoch_;
    save_model_file("best.safetensors");
  }
  save_model_file("last.safetensors");
  replace_file(folder_ / "history.csv", to_csv(history_));
  save_progress();
  append_log(
      folder_,
      "epoch " + std::to_string(record.epoch) + ": loss " + format_number(record.train_loss) +
          ", accuracy " + format_number(record.train_accuracy) +
          (record.val_accuracy ? ", validation accuracy " + format_number(*record.val_accuracy)
                               : ""));
  if (watch_.on_epoch) watch_.on_epoch(record, best);
  return true;
}

const std::string& Run::fingerprint() {
  if (fingerprint_.empty()) fingerprint_ = data::fingerprint(*setup_.sets.train);
  return fingerprint_;
}

void Run::save_model_file(const std::string& name) {
  ModelFile file;
  file.architecture = setup_.model->name();
  file.arguments = to_arguments(setup_.config);
  file.preprocessing = setup_.preprocessing;
  file.class_names = setup_.sets.targets().names;
  // What the weights came from; nothing that depends on time, place, machine or speed.
  for (const Setting& setting : settings_table()) {
    constexpr std::string_view elsewhere[] = {"threads", "workers", "data", "weights"};
    if (std::ranges::count(elsewhere, setting.name) > 0) continue;
    file.training["setting." + std::string(setting.name)] = setting.get(setup_.settings);
  }
  file.training["data"] = setup_.sets.name;
  if (!setup_.start.fingerprint.empty())
    file.training["weights.fingerprint"] = setup_.start.fingerprint;
  file.training["data.fingerprint"] = fingerprint();
  file.training["epoch"] = std::to_string(epoch_);
  if (history_.back().val_accuracy) {
    file.training["val_accuracy"] = format_number(*history_.back().val_accuracy);
  }
  file.weights = shared_weights_of(*setup_.model, state_);
  save_model(folder_ / name, file);
}

void Run::train_all() {
  while (epoch_ < setup_.settings.epochs) {
    train_epoch();
    if (batch_ < loader_.batches() || !finish_epoch()) {  // asked to stop
      save_progress();
      message("stopped in epoch " + std::to_string(epoch_ + 1) + " after " +
              std::to_string(batch_) + " batches; a checkpoint was saved");
      return;
    }
    if (at_the_thaw()) thaw();
    if (stop_.stop_requested() && epoch_ < setup_.settings.epochs) {
      message("stopped after epoch " + std::to_string(epoch_) + "; a checkpoint was saved");
      return;
    }
  }
}

Result Run::result() {
  Result result{.epochs = epoch_,
                .best_epoch = best_epoch_,
                .best_val_accuracy = std::max(best_accuracy_, 0.0),
                .test = {},
                .seconds = epoch_seconds_,
                .images_per_second = 0,
                .folder = folder_,
                .history = history_,
                .stopped = epoch_ < setup_.settings.epochs};
  auto images = static_cast<double>(seen_);
  for (const EpochRecord& record : history_) {
    result.seconds += record.seconds;
    images += static_cast<double>(setup_.epoch_images());
  }
  result.images_per_second = result.seconds > 0 ? images / result.seconds : 0;
  result.frozen = kept_.count();
  result.frozen_changed = thawed() ? frozen_changed_ : kept_.changed(state_);
  if (result.stopped) return result;
  step_->memory() = {};  // makes room for the weights of the file
  load_weights(*setup_.model, state_, load_model(folder_ / "best.safetensors").weights);
  result.test = evaluate(*inference_, data::prepared(setup_.sets.test, setup_.preprocessing),
                         evaluation_batch(setup_.settings.batch), nullptr, stop_);
  if (result.test.count < setup_.sets.test->size()) {
    message("stopped during the test of the best model; the checkpoint of the last epoch is there");
    result.test = {};
    result.stopped = true;
    return result;
  }
  append_log(folder_, "test accuracy of the best model, epoch " + std::to_string(best_epoch_) +
                          ": " + format_number(result.test.accuracy()));
  return result;
}

/// Elements of the parameters that are trained from the start.
int64_t Run::trainable() const {
  int64_t count = 0;
  for (const nn::Variable* parameter : setup_.model->parameters()) {
    if (!setup_.frozen || !setup_.frozen(parameter->name())) count += parameter->shape().numel();
  }
  return count;
}

void Run::open(const std::filesystem::path& folder) {
  folder_ = folder;
  if (watch_.on_start) {
    watch_.on_start({.folder = folder,
                     .settings = setup_.settings,
                     .parameters = state_.count(Role::parameter),
                     .trainable = trainable(),
                     .classes = setup_.config.classes,
                     .input = setup_.config.input,
                     .train_images = setup_.split.train->size(),
                     .val_images = setup_.split.val->size(),
                     .test_images = setup_.sets.test->size()});
  }
  kept_ = FrozenArrays(state_, setup_.frozen);
  if (!tight_.empty()) message(tight_);
  if (!setup_.start.note.empty()) message(setup_.start.note);
  if (!anew_.empty()) message("starting anew: " + join(anew_));
}

Result Run::finish() {
  warn_of_references();
  train_all();
  return result();
}

Result Run::begin(const std::filesystem::path& folder) {
  open(folder);
  return finish();
}

Result Run::go_on(const std::filesystem::path& folder, const std::vector<std::string>& notes) {
  open(folder);
  for (const std::string& note : notes) message(note);
  restore();
  if (!notes.empty()) replace_file(folder / "config.toml", to_toml(setup_.settings));
  return finish();
}

/// 0: all the process may use.
int team_of(const Settings& settings) {
  return settings.threads == 0 ? threads() : granted_threads(static_cast<int>(settings.threads));
}

}  // namespace

Result train(const Settings& settings, const std::string& out, const Watch& watch,
             std::stop_token stop) {
  Settings resolved = with_net(settings);
  resolved.threads = team_of(settings);  // config.toml repeats this run, on whatever machine
  const TeamScope team(team_of(resolved));
  // Finds what is wrong with the settings before a folder is made.
  Run run(Setup(resolved), watch, std::move(stop));
  const RunFolder folder = make_run_folder(out, resolved);
  return run.begin(folder.path);
}

Result resume(const std::filesystem::path& folder, const Watch& watch, std::stop_token stop,
              const Changes& changes) {
  const Resumption resumption = read_run(folder, changes);
  const TeamScope team(team_of(resumption.settings));
  Run run(setup_of(resumption), watch, std::move(stop));
  return run.go_on(folder, resumption.notes);
}

}  // namespace fovea::train
