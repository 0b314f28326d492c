#include "fovea/core/timeline.h"

#include <atomic>
#include <mutex>

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// Threads outlive recordings, and so does their number in `names`.
struct Recorder {
  std::atomic<bool> active{false};
  std::mutex guard;
  Clock::time_point start;
  size_t maximum = 0;
  Timeline timeline;
  std::vector<std::string> names;
};

Recorder& recorder() {
  static auto* one = new Recorder;  // loader threads may outlive static objects
  return *one;
}

/// The calling thread's index in `names`. The guard must be held.
size_t thread_index(Recorder& r) {
  thread_local size_t index = 0;  // from 1; 0: none yet
  if (index == 0) {
    r.names.push_back("thread " + std::to_string(r.names.size() + 1));
    index = r.names.size();
  }
  return index - 1;
}

}  // namespace

void start_timeline(size_t maximum) {
  Recorder& r = recorder();
  const std::scoped_lock lock(r.guard);
  r.timeline = {};
  r.maximum = maximum;
  r.start = Clock::now();
  r.active = true;
}

Timeline stop_timeline() {
  Recorder& r = recorder();
  const std::scoped_lock lock(r.guard);
  if (!r.active) return {};
  r.active = false;
  Timeline result = std::move(r.timeline);
  r.timeline = {};
  result.threads = r.names;
  result.seconds = seconds_between(r.start, Clock::now());
  return result;
}

bool recording_timeline() { return recorder().active.load(std::memory_order_relaxed); }

void name_thread(std::string name) {
  Recorder& r = recorder();
  const std::scoped_lock lock(r.guard);
  r.names[thread_index(r)] = std::move(name);
}

Span::Span(std::string_view name, std::string_view category) {
  if (!recording_timeline()) return;
  event_.emplace();
  event_->name = name;
  event_->category = category;
  start_ = Clock::now();
}

Span::Span(KernelWork work) {
  if (!recording_timeline()) return;
  event_.emplace();
  event_->name = work.op;
  event_->category = "kernel";
  event_->work = std::move(work);
  start_ = Clock::now();
}

Span::~Span() {
  if (!event_) return;
  const Clock::time_point end = Clock::now();
  Recorder& r = recorder();
  const std::scoped_lock lock(r.guard);
  if (!r.active || start_ < r.start) return;  // begun before this recording
  if (r.timeline.events.size() >= r.maximum) {
    ++r.timeline.left_out;
    return;
  }
  event_->thread = thread_index(r);
  event_->start = seconds_between(r.start, start_);
  event_->seconds = seconds_between(start_, end);
  r.timeline.events.push_back(std::move(*event_));
}

}  // namespace fovea
