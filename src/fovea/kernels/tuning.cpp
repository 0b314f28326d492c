#include "fovea/kernels/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "fovea/core/error.h"
#include "fovea/core/flush_to_zero.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/synthetic_run.h"
#include "fovea/kernels/winograd.h"
#include "fovea/ops/reorder.h"

namespace fovea {
namespace {

std::string key_of(const Problem& problem) {
  constexpr std::string_view winograds[] = {", no winograd", "", ", always winograd"};
  return fmt::format("{} ({} threads, {}{}{}{})", describe(problem), problem.threads,
                     instruction_set(), weights_fixed ? ", fixed weights" : "",
                     deterministic() ? ", deterministic" : "",
                     winograds[static_cast<size_t>(winograd())]);
}

std::mutex& tuning_guard() {
  static std::mutex guard;
  return guard;
}

std::shared_ptr<Tuning>& current() {
  static std::shared_ptr<Tuning> tuning;
  return tuning;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

Tuning::Tuning(std::function<void(const std::string&)> observe) : observe_(std::move(observe)) {}

std::optional<Tuning::Fastest> Tuning::find(const Problem& problem, const Measure& measure) {
  const std::string key = key_of(problem);
  {
    const std::scoped_lock lock(guard_);
    if (const auto known = entries_.find(key); known != entries_.end()) {
      known->second.used = true;
      return known->second.fastest;
    }
    if (!measuring_) return std::nullopt;
  }
  if (observe_) observe_(key);  // not under the lock: measuring may ask for other problems
  std::optional<Fastest> fastest = measure();
  if (!fastest) return std::nullopt;
  const std::scoped_lock lock(guard_);
  const auto [entry, added] = entries_.emplace(key, Entry{*std::move(fastest), true});
  measured_ += added;
  return entry->second.fastest;
}

void Tuning::stop_measuring() {
  const std::scoped_lock lock(guard_);
  measuring_ = false;
}

void Tuning::forget_unused() {
  const std::scoped_lock lock(guard_);
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.used; });
}

size_t Tuning::measured() const {
  const std::scoped_lock lock(guard_);
  return measured_;
}

size_t Tuning::size() const {
  const std::scoped_lock lock(guard_);
  return entries_.size();
}

std::string Tuning::text() const {
  const std::scoped_lock lock(guard_);
  std::string text;
  for (const auto& [problem, entry] : entries_) {
    text += fmt::format("{}\t{}\t{}\n", format_number(entry.fastest.seconds), entry.fastest.kernel,
                        problem);
  }
  return text;
}

void Tuning::add(std::string_view text) {
  std::map<std::string, Entry, std::less<>> added;
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> cells = split(line, '\t');
    const std::optional<double> seconds = parse_number(cells[0]);
    if (cells.size() != 3 || !seconds || *seconds <= 0) {
      throw Error(ErrorKind::data,
                  fmt::format("line {} is not \"SECONDS, KERNEL, PROBLEM\": \"{}\"", number,
                              printable(line)));
    }
    added.emplace(cells[2], Entry{{cells[1], *seconds}});
  }
  const std::scoped_lock lock(guard_);
  entries_.merge(added);
}

void set_tuning(std::shared_ptr<Tuning> tuning) {
  const std::scoped_lock lock(tuning_guard());
  current().swap(tuning);
}

std::shared_ptr<Tuning> tuning() {
  const std::scoped_lock lock(tuning_guard());
  return current();
}

double measured_seconds(const Kernel& kernel, const Problem& problem, double best) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t minimum_runs = 3, maximum_runs = 50;
  constexpr double enough_seconds = 0.05, clearly_slower = 1.5;
  constexpr double hopeless = 4;  // even for a first run, which allocates pages
  const SyntheticRun synthetic(kernel, problem.in, problem.out);
  const bool packs_each_run = !weights_fixed;
  const TeamScope team(problem.threads, kernel.uses_openmp());
  const FlushToZero flush;
  synthetic.pack();
  const auto run = [&] {
    const Clock::time_point start = Clock::now();
    if (packs_each_run) synthetic.pack();
    synthetic();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  if (const double first = run(); first > hopeless * best && first > enough_seconds / 5)
    return first;
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < minimum_runs ||
         (seconds.size() < maximum_runs && total < enough_seconds)) {
    seconds.push_back(run());
    total += seconds.back();
    if (*std::ranges::min_element(seconds) > clearly_slower * best) break;
  }
  return median(seconds);
}

double tuned_reorder_seconds(const Type& from, Layout to, int threads) {
  const double nominal = reorder_seconds(from);
  const std::shared_ptr<Tuning> tuned = tuning();
  if (!tuned) return nominal;
  Type target = from;
  target.layout = to;
  const Problem problem{Reorder{}, {from}, {target}, threads};
  const auto measured = tuned->find(problem, [&]() -> std::optional<Tuning::Fastest> {
    const TeamScope team(threads);
    const KernelChoice choice = choose_kernel(problem);
    return Tuning::Fastest{choice.name, measured_seconds(*choice.kernel, problem, 1e9)};
  });
  return measured ? measured->seconds : nominal;
}

}  // namespace fovea
