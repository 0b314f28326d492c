#include "fovea/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::optim {
namespace {

ScheduleEntry constant() {
  return {.choice = {.name = "constant", .help = "the learning rate stays the same"},
          .factor = [](const Arguments&, const ScheduleTime&) { return 1.0; }};
}

ScheduleEntry cosine() {
  return {.choice = {.name = "cosine",
                     .arguments = {{.name = "final",
                                    .default_value = 0.0,
                                    .maximum = 1,
                                    .help = "factor at the end of the run"}},
                     .help = "falls along a cosine to final times the learning rate"},
          .factor = [](const Arguments& a, const ScheduleTime& time) {
            const double rest = time.epochs - time.warmup;
            const double done = rest > 0 ? (time.epoch - time.warmup) / rest : 0;
            const double final = a.number("final");
            return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * done));
          }};
}

ScheduleEntry step() {
  return {.choice = {.name = "step",
                     .arguments = {{.name = "epochs",
                                    .open_minimum = true,
                                    .help = "epochs from one change to the next"},
                                   {.name = "gamma",
                                    .default_value = 0.1,
                                    .help = "factor of each change"}},
                     .help = "multiplied by gamma every `epochs` epochs"},
          .factor = [](const Arguments& a, const ScheduleTime& time) {
            return std::pow(a.number("gamma"), std::floor(time.epoch / a.number("epochs")));
          }};
}

ChoiceTable<ScheduleEntry>& table() {
  static ChoiceTable<ScheduleEntry> all("schedule", {constant(), cosine(), step()});
  return all;
}

}  // namespace

const std::vector<ScheduleEntry>& schedules() { return table().rows(); }

void add_schedule(ScheduleEntry entry) { table().add(std::move(entry)); }

Schedule::Schedule(std::string_view text, double epochs, double warmup)
    : chosen_(table().read(text)), epochs_(epochs), warmup_(warmup) {
  if (warmup >= 0 && warmup <= epochs) return;
  throw Error(ErrorKind::usage,
              "schedule " + chosen_.row.choice.name + ": the warm-up must be from 0 to the run's " +
                  format_number(epochs) + " epochs, not " + format_number(warmup));
}

double Schedule::factor(double epoch) const {
  epoch = std::clamp(epoch, 0.0, epochs_);
  if (epoch < warmup_) return epoch / warmup_;
  return chosen_.row.factor(chosen_.arguments, {epoch, epochs_, warmup_});
}

}  // namespace fovea::optim
