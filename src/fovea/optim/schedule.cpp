#include "fovea/optim/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::optim {
namespace {

/// From `a` at t = 0 to `b` at t = 1.
double line(double a, double b, double t) { return a + (b - a) * t; }
double cosine_arc(double a, double b, double t) {
  return b + (a - b) * 0.5 * (1 + std::cos(std::numbers::pi * t));
}

/// The share of the time after warm-up that has passed.
double done(const ScheduleTime& time) {
  const double rest = time.epochs - time.warmup;
  return rest > 0 ? (time.epoch - time.warmup) / rest : 0;
}

Argument share(const char* name, double value, const char* help) {
  return {.name = name, .default_value = value, .maximum = 1, .help = help};
}

Argument final_factor() { return share("final", 0, "factor at the end of the run"); }

Argument peak(double value) {
  Argument argument = share("peak", value, "share of the run at which the rate is highest");
  argument.open_minimum = argument.open_maximum = true;
  return argument;
}

ScheduleEntry constant() {
  return {.choice = {.name = "constant", .help = "the learning rate stays the same"},
          .factor = [](const Arguments&, const ScheduleTime&) { return 1.0; }};
}

ScheduleEntry cosine() {
  return {.choice = {.name = "cosine",
                     .arguments = {final_factor()},
                     .help = "falls along a cosine to final times the learning rate"},
          .factor = [](const Arguments& a, const ScheduleTime& time) {
            return cosine_arc(1, a.number("final"), done(time));
          }};
}

ScheduleEntry linear() {
  return {.choice = {.name = "linear",
                     .arguments = {final_factor()},
                     .help = "falls along a line to final times the learning rate"},
          .factor = [](const Arguments& a, const ScheduleTime& time) {
            return line(1, a.number("final"), done(time));
          }};
}

ScheduleEntry polynomial() {
  return {.choice = {.name = "polynomial",
                     .arguments = {{.name = "power",
                                    .default_value = 2.0,
                                    .maximum = 100,
                                    .open_minimum = true,
                                    .help = "exponent of the share of the run that is left"},
                                   final_factor()},
                     .help = "falls along a power to final times the learning rate"},
          .factor = [](const Arguments& a, const ScheduleTime& time) {
            return line(a.number("final"), 1, std::pow(1 - done(time), a.number("power")));
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

ScheduleEntry onecycle() {
  const auto divisor = [](const char* name, double value, const char* help) {
    return Argument{.name = name, .default_value = value, .open_minimum = true, .help = help};
  };
  return {.choice = {.name = "onecycle",
                     .arguments = {peak(0.3),
                                   divisor("div", 25, "the first rate is the peak divided by this"),
                                   divisor("final_div", 1e4,
                                           "the last rate is the first divided by this")},
                     .help = "rises along a cosine to the learning rate, then falls along another"},
          .factor =
              [](const Arguments& a, const ScheduleTime& time) {
                const double first = 1 / a.number("div"), last = first / a.number("final_div");
                const double end = time.epochs - time.step;  // the start of the last update
                const double top = std::max(0.0, a.number("peak") * time.epochs - time.step);
                if (time.epoch < top) return cosine_arc(first, 1, time.epoch / top);
                if (end <= top) return last;
                return cosine_arc(1, last, std::min(1.0, (time.epoch - top) / (end - top)));
              },
          .warms_up = true};
}

ScheduleEntry triangle() {
  return {.choice = {.name = "triangle",
                     .arguments = {share("start", 0, "factor at the start of the run"), peak(0.25),
                                   final_factor()},
                     .help = "rises along a line to the learning rate, then falls along another"},
          .factor =
              [](const Arguments& a, const ScheduleTime& time) {
                const double top = a.number("peak") * time.epochs;
                if (time.epoch < top) return line(a.number("start"), 1, time.epoch / top);
                return line(1, a.number("final"), (time.epoch - top) / (time.epochs - top));
              },
          .warms_up = true};
}

/// How often the scores had not improved for more than `patience` epochs, counted anew each time.
int64_t stagnations(std::span<const double> scores, int64_t patience, double threshold) {
  if (scores.empty()) return 0;
  int64_t count = 0, without = 0;
  double best = scores[0];
  for (const double score : scores.subspan(1)) {
    const bool better = score > best + threshold * std::abs(best);
    if (better) best = score;
    without = better ? 0 : without + 1;
    if (without <= patience) continue;
    ++count;
    without = 0;
  }
  return count;
}

ScheduleEntry plateau() {
  return {.choice = {.name = "plateau",
                     .arguments = {{.name = "factor",
                                    .default_value = 0.1,
                                    .maximum = 1,
                                    .open_minimum = true,
                                    .open_maximum = true,
                                    .help = "factor of each change"},
                                   {.name = "patience",
                                    .type = ArgumentType::integer,
                                    .default_value = int64_t{10},
                                    .help = "epochs without improvement before a change"},
                                   share("threshold", 1e-4,
                                         "an improvement is larger than this share of the best"),
                                   share("minimum", 0, "lower bound of the factor")},
                     .help = "multiplied by factor when the monitored metric stops improving"},
          .factor =
              [](const Arguments& a, const ScheduleTime& time) {
                const int64_t changes =
                    stagnations(time.scores, a.integer("patience"), a.number("threshold"));
                const double factor = std::pow(a.number("factor"), static_cast<double>(changes));
                return std::max(factor, a.number("minimum"));
              },
          .scored = true};
}

ChoiceTable<ScheduleEntry>& schedule_table() {
  static ChoiceTable<ScheduleEntry> all("schedule", {constant(), cosine(), linear(), polynomial(),
                                                     step(), onecycle(), triangle(), plateau()});
  return all;
}

/// The text without `per=epoch` or `per=step`, which any schedule takes, and whether it was the
/// former.
std::pair<ChoiceText, bool> without_period(std::string_view text) {
  ChoiceText parsed = parse_choice(text);
  const bool per_epoch = std::erase(parsed.arguments, "per=epoch") > 0;
  std::erase(parsed.arguments, "per=step");
  return {std::move(parsed), per_epoch};
}

}  // namespace

const std::vector<ScheduleEntry>& schedules() { return schedule_table().rows(); }

void add_schedule(ScheduleEntry entry) { schedule_table().add(std::move(entry)); }

const ScheduleEntry& find_schedule(std::string_view text) {
  return find_choice("schedule", schedules(), parse_choice(text).name);
}

Schedule::Schedule(std::string_view text, double epochs, double warmup, double step)
    : chosen_(schedule_table().read(without_period(text).first)),
      epochs_(epochs),
      warmup_(warmup),
      step_(step),
      per_epoch_(without_period(text).second) {
  const std::string name = "schedule " + chosen_.row.choice.name;
  if (chosen_.row.warms_up && warmup != 0) {
    throw Error(ErrorKind::usage,
                fmt::format("{} begins with a rise of its own: it takes no warm-up", name))
        .with("try", "--warmup 0");
  }
  if (warmup >= 0 && warmup <= epochs) return;
  throw Error(ErrorKind::usage,
              fmt::format("{}: the warm-up must be from 0 to the run's {} epochs, not {}", name,
                          format_number(epochs), format_number(warmup)));
}

double Schedule::factor(double epoch, std::span<const double> scores) const {
  epoch = std::clamp(epoch, 0.0, epochs_);
  if (per_epoch_) epoch = std::floor(epoch);
  if (epoch < warmup_) return per_epoch_ ? (epoch + 1) / (warmup_ + 1) : epoch / warmup_;
  return chosen_.row.factor(chosen_.arguments, {epoch, epochs_, warmup_, step_, scores});
}

}  // namespace fovea::optim
