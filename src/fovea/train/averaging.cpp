#include "fovea/train/averaging.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"

namespace fovea::train {
namespace {

AverageEntry swa() {
  return {{.name = "swa",
           .arguments = {{.name = "start",
                          .follows = "three quarters of the run",
                          .help = "epoch from which on weights are averaged"}},
           .help = "the mean of the weights after each epoch (SWA)"}};
}

AverageEntry lookahead() {
  return {{.name = "lookahead",
           .arguments = {{.name = "every",
                          .type = ArgumentType::integer,
                          .default_value = int64_t{5},
                          .minimum = 1,
                          .maximum = 1e6,
                          .help = "updates between two synchronisations"},
                         {.name = "decay",
                          .default_value = 0.5,
                          .maximum = 1,
                          .help = "share of the slow copy that each keeps"},
                         {.name = "power",
                          .default_value = 0.0,
                          .maximum = 100,
                          .help = "the decay grows as this power of the share of the run"}},
           .help = "every few updates the weights return to a slow copy that follows them"}};
}

const ChoiceTable<AverageEntry>& table() {
  static const ChoiceTable<AverageEntry> all("average", {swa(), lookahead()});
  return all;
}

}  // namespace

const std::vector<AverageEntry>& averages() { return table().rows(); }

Averaging::Averaging(const Settings& settings) {
  if (settings.ema > 0) ema_ = optim::Average::exponential(settings.ema);
  if (settings.average.empty()) return;
  const auto [row, arguments] = table().read(settings.average);
  if (row.choice.name == "lookahead") {
    slow_.emplace(Slow{.lookahead = {},
                       .every = arguments.integer("every"),
                       .decay = arguments.number("decay"),
                       .power = arguments.number("power")});
    return;
  }
  if (ema_) {
    throw Error(ErrorKind::usage,
                "--average swa cannot be combined with --ema: only one average is evaluated");
  }
  const auto epochs = static_cast<double>(settings.epochs);
  start_ = arguments.has("start") ? arguments.number("start") : 0.75 * epochs;
  if (start_ > epochs) {
    throw Error(ErrorKind::usage, "--average swa: start is after the end of the run")
        .with("start", to_string(ArgumentValue(start_)))
        .with("epochs", std::to_string(settings.epochs));
  }
  swa_ = optim::Average::equal();
}

void Averaging::declare(State& state) const {
  if (ema_) ema_->declare(state, false);
  if (swa_) swa_->declare(state, false);
  if (slow_) slow_->lookahead.declare(state, false);
}

void Averaging::begin(State& state) const {
  for (const std::string& name : state.names(Role::moment)) {
    if (name.starts_with("average:") || name.starts_with("slow:")) (void)state.get(name);
  }
}

void Averaging::after_update(State& state, int64_t done, int64_t updates) {
  if (slow_ && done % slow_->every == 0) {
    const double share = static_cast<double>(done) / static_cast<double>(updates);
    slow_->lookahead.synchronize(state, slow_->decay * std::pow(share, slow_->power));
  }
  if (slow_ && done == updates) slow_->lookahead.synchronize(state, 1);
  if (ema_) ema_->update(state);
}

void Averaging::after_epoch(State& state, int64_t epoch) {
  if (!swa_) return;
  const int64_t first = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(start_)));
  if (optim::Average::count(state) < epoch - first + 1) swa_->update(state);
}

bool Averaging::averaged(State& state) const {
  return ema_ || (swa_ && optim::Average::count(state) > 0);
}

void Averaging::swap(State& state) { (ema_ ? *ema_ : *swa_).swap(state); }

}  // namespace fovea::train
