#include "fovea/train/precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "fovea/core/process.h"
#include "fovea/train/trial.h"

namespace fovea::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double minimum_seconds = 0.6, maximum_seconds = 3, turn_seconds = 0.03;
constexpr double clearly = 1.05;  // faster by more than such measurements are off
constexpr int turns = 3;          // at least, also of steps that take longer

/// "f32 310 samples/s, bf16 560".
std::string measured_text(const std::vector<PrecisionSpeed>& measured) {
  std::string text;
  for (const PrecisionSpeed& speed : measured) {
    text += fmt::format("{}{} {:.4g}{}", text.empty() ? "" : ", ", speed.precision,
                        speed.images_per_second, text.empty() ? " samples/s" : "");
  }
  return text;
}

/// A precision in the measurement, with the speeds of its fastest steps so far.
struct Candidate {
  std::string precision;
  std::unique_ptr<Trial> trial;
  std::array<double, 3> fastest = {};  // images per second, descending

  /// Whether nothing seems to have disturbed the fastest steps, which then agree.
  bool settled() const { return fastest.back() * clearly > fastest.front(); }

  double step() {
    const Clock::time_point start = Clock::now();
    const auto images = static_cast<double>(trial->train());
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    double speed = images / seconds;
    for (double& other : fastest) {
      if (speed > other) std::swap(speed, other);
    }
    return seconds;
  }
};

/// Those of the precisions whose training fits into the free memory.
std::vector<Candidate> candidates(Setup& setup, const std::vector<std::string>& precisions) {
  std::vector<Candidate> all;
  size_t available = memory_limits().available;
  for (const std::string& precision : precisions) {
    setup.settings.precision = precision;
    auto trial = std::make_unique<Trial>(setup);
    if (trial->step_bytes() > available) continue;
    available -= trial->state_bytes();  // the arena is handed on
    all.push_back({precision, std::move(trial)});
  }
  return all;
}

std::vector<PrecisionSpeed> measure(Setup& setup, const std::vector<std::string>& precisions) {
  std::vector<Candidate> all = candidates(setup, precisions);
  const Clock::time_point start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const auto settled = [&] { return std::ranges::all_of(all, &Candidate::settled); };
  Trial* last = nullptr;
  for (int turn = 0; !all.empty() && (turn < turns || elapsed() < minimum_seconds ||
                                      (elapsed() < maximum_seconds && !settled()));
       ++turn) {
    for (Candidate& candidate : all) {
      if (last != nullptr && last != candidate.trial.get()) candidate.trial->take_memory(*last);
      last = candidate.trial.get();
      if (turn == 0) {  // allocates, and reads the first batches
        candidate.step();
        candidate.step();
      }
      for (double spent = 0; spent < turn_seconds;) spent += candidate.step();
    }
  }
  std::vector<PrecisionSpeed> speeds;
  for (const Candidate& candidate : all)
    speeds.push_back({candidate.precision, candidate.fastest.front()});
  return speeds;
}

bool clearly_faster(const PrecisionSpeed& one, const PrecisionSpeed& other) {
  return one.images_per_second > clearly * other.images_per_second;
}

}  // namespace

PrecisionChoice choose_precision(Setup& setup) {
  const std::string wanted = setup.settings.precision;
  PrecisionChoice choice{wanted, {}};
  if (wanted == "f32") return choice;
  const bool open = wanted == "auto";
  choice.measured = measure(setup, {"f32", open ? "bf16" : wanted});
  if (open) {
    const std::vector<PrecisionSpeed>& all = choice.measured;
    choice.precision = all.empty() ? "f32" : all[0].precision;
    if (all.size() == 2 && clearly_faster(all[1], all[0])) choice.precision = all[1].precision;
    choice.note =
        fmt::format("precision {}: measured {}", choice.precision, measured_text(choice.measured));
  } else if (choice.measured.size() == 2 &&
             clearly_faster(choice.measured[0], choice.measured[1])) {
    choice.note =
        fmt::format("--precision {} is slower than f32 here ({}): it saves memory, but no time",
                    wanted, measured_text(choice.measured));
  }
  setup.settings.precision = choice.precision;
  return choice;
}

}  // namespace fovea::train
