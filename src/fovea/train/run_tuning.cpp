#include "fovea/train/run_tuning.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/files.h"
#include "fovea/train/learner.h"

namespace fovea::train {
namespace {

constexpr const char* file_name = "tuning.txt";

/// Calls compile(n) for the size of a full batch, and of the last one if it is smaller.
template <class Compile>
void each_size(int64_t samples, int64_t batch, const Compile& compile) {
  const int64_t full = std::min(samples, batch);
  if (full == 0) return;
  compile(full);
  if (samples % full > 0) compile(samples % full);
}

}  // namespace

std::unique_ptr<TuningSession> begin_tuning(const Settings& settings,
                                            const std::vector<Callback*>& callbacks) {
  if (!settings.tune) return nullptr;
  return std::make_unique<TuningSession>([callbacks](const std::string& text) {
    for (Callback* callback : callbacks) callback->on_message(text);
  });
}

void tune_kernels(TuningSession& session, const Setup& setup) {
  Learner learner(setup);
  for (size_t phase = 0; phase <= setup.groups.changes().size(); ++phase) {
    learner.enter(phase);
    each_size(setup.epoch_samples(), setup.settings.batch,
              [&](int64_t n) { (void)learner.program(n); });
  }
  for (const int64_t samples : {setup.split.val->size(), setup.sets.test->size()}) {
    each_size(samples, evaluation_batch(setup.settings.batch),
              [&](int64_t n) { (void)learner.evaluation_program(n); });
  }
  session.finish();
}

void save_tuning(const TuningSession& session, const std::filesystem::path& folder) {
  replace_file(folder / file_name, tuning_file_text(session.tuning()));
}

std::shared_ptr<Tuning> tuning_of_run(const Settings& settings, const std::filesystem::path& folder,
                                      std::vector<std::string>& notes) {
  if (!settings.tune) return tuning();
  auto known = std::make_shared<Tuning>();
  known->stop_measuring();
  try {
    read_tuning(*known, folder / file_name);
  } catch (const Error& error) {
    notes.push_back(fmt::format("{} is ignored, so that kernels may be others than before: {}",
                                (folder / file_name).string(), error.headline()));
  }
  return known;
}

}  // namespace fovea::train
