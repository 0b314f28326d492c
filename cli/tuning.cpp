#include "tuning.h"

namespace fovea::cli {

void add_tune(Command command, bool& tune) {
  command.flag("--tune", tune,
               "Measure which kernels are the fastest on this machine, and keep that for later");
}

std::unique_ptr<TuningSession> begin_tuning(bool tune, Console& console) {
  if (!tune) return nullptr;
  return std::make_unique<TuningSession>([&](const std::string& text) { console.note(text); });
}

}  // namespace fovea::cli
