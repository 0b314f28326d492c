#include <fmt/format.h>

// What a run reads from its folder and writes there.

#include <fstream>

#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/predict/predictor.h"
#include "fovea/train/checkpoint.h"
#include "fovea/train/run_folder.h"
#include "fovea/train/trainer.h"
#include "fovea/weights/fit.h"

namespace fovea::train {
namespace {

/// A hash of the program's own file, read in parts so that it does not count as memory of the run.
/// "unknown" without /proc.
std::string program_hash() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string part(size_t{1} << 16, 0), hashes;
  while (file.read(part.data(), std::ssize(part)) || file.gcount() > 0) {
    hashes += hex(hash({part.data(), static_cast<size_t>(file.gcount())}));
  }
  return hashes.empty() ? "unknown" : hex(hash(hashes));
}

}  // namespace

const Program& Trainer::full_batch_program() {
  return learner_->program(std::min(setup_.settings.batch, setup_.split.train->size()));
}

/// What the bits of the result depend on besides the settings.
const std::map<std::string, std::string>& Trainer::bits() {
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

void Trainer::save_progress() {
  require_finite();
  std::map<std::string, std::string> strings = to_strings(progress_);
  strings.merge(std::map<std::string, std::string>(bits()));
  strings.merge(origin(setup_, fingerprint()));
  if (setup_.groups.freezes()) strings["frozen"] = kept_.text();
  saved_ = files_->checkpoint(state(), strings);
  last_saved_ = progress_.epoch_seconds;
  save_asked_ = false;
}

void Trainer::restore() {
  Checkpoint checkpoint;
  if (!load_checkpoint(folder_, state(), checkpoint)) {
    message("no checkpoint was written yet: starting over");
    learner_->averages().begin(state());
    return;
  }
  if (!checkpoint.warning.empty()) message(checkpoint.warning);
  try {
    from_strings(progress_, checkpoint.progress);
  } catch (Error& error) {
    throw error.with("folder", folder_.string());
  }
  last_saved_ = progress_.epoch_seconds;
  if (progress_.epoch < 0 || progress_.epoch > setup_.settings.epochs || progress_.batch < 0 ||
      progress_.batch > loader_.batches()) {
    throw Error(ErrorKind::model, fmt::format("checkpoint: epoch {}, batch {} is outside the run",
                                              progress_.epoch, progress_.batch))
        .with("folder", folder_.string());
  }
  kept_ = FrozenArrays::parse(checkpoint.progress["frozen"]);
  enter_phase();
  for (const auto& [key, value] : bits()) {
    if (checkpoint.progress[key] == value) continue;
    if (key == "bits.threads" && deterministic()) continue;
    message("resuming with another " + key.substr(5) + " than before (" + value + " instead of " +
            checkpoint.progress[key] + "): the result may differ in its last bits");
  }
  message("resuming after " + counted(progress_.epoch, "epoch") + " and " +
          counted(progress_.batch, "batch") + ", at a learning rate of " + format_number(rate()));
}

/// Called when nothing is left to train: what could not be written until now has to be. Errors: io.
void Trainer::finish_files() {
  if (!saved_) save_progress();
  files_->finish();
  if (saved_) return;
  throw Error(ErrorKind::io, "cannot write the last checkpoint; an earlier one is valid")
      .with("folder", folder_.string())
      .with("try", fmt::format("free some space, then --resume {}", folder_.string()));
}

const std::string& Trainer::fingerprint() {
  if (fingerprint_.empty()) fingerprint_ = data::fingerprint(*setup_.sets.train);
  return fingerprint_;
}

void Trainer::save_model_file(const std::string& name) {
  ModelFile file = describe_model(*setup_.model, setup_.config, *setup_.task, setup_.preprocessing);
  if (setup_.modality) file.modality = setup_.modality->text();
  file.mean = setup_.statistics.mean;
  file.std = setup_.statistics.std;
  // What determined the weights; nothing that depends on time, place, machine or speed.
  for (const Setting& setting : settings_table()) {
    if (setting.in_model_file(setup_.settings))
      file.training["setting." + std::string(setting.name)] = setting.get(setup_.settings);
  }
  file.training["data"] = setup_.sets.name;
  if (!setup_.start.fingerprint.empty())
    file.training["weights.fingerprint"] = setup_.start.fingerprint;
  file.training["data.fingerprint"] = fingerprint();
  if (!setup_.class_weights.empty()) {
    std::vector<std::string> weights;
    for (const double weight : setup_.class_weights) weights.push_back(format_number(weight));
    file.training["class_weights"] = join(weights, " ");
  }
  file.training["epoch"] = std::to_string(progress_.epoch);
  const tasks::Numbers& numbers = progress_.history.back().numbers;
  if (const std::optional<double> value = tasks::find(numbers, monitored()))
    file.training[monitored()] = format_number(*value);
  file.weights = shared_weights_of(*setup_.model, state());
  files_->model(name, std::move(file));
}

/// Saves the model after an epoch.
void Trainer::save_epoch(bool best) {
  if (best) save_model_file("best.safetensors");
  save_model_file("last.safetensors");
  if (save_every_.epochs == 0 || progress_.epoch % save_every_.epochs != 0) return;
  save_model_file(epoch_file(progress_.epoch));
  if (setup_.settings.keep > 0) files_->remove_epochs(setup_.settings.keep);
}

}  // namespace fovea::train
