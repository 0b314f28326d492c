#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What a kernel call computed.
struct KernelWork {
  std::string op, kernel, module, problem;
  bool backward = false;
  double flops = 0;  ///< a multiply-add counts as 2
  double bytes = 0;  ///< of inputs and outputs, each counted once
};

/// What the threads of this process did, and when.
struct Timeline {
  struct Event {
    std::string name, category;
    size_t thread = 0;              ///< index into `threads`
    double start = 0, seconds = 0;  ///< start: since recording began
    std::optional<KernelWork> work = {};
  };
  std::vector<Event> events;         ///< in the order in which they ended
  std::vector<std::string> threads;  ///< their names
  double seconds = 0;                ///< from the beginning of recording to its end
  size_t left_out = 0;               ///< events beyond the maximum
};

/// Begins to record the Spans of all threads, up to a maximum count; drops what was recorded
/// before.
void start_timeline(size_t maximum = 1'000'000);
/// Ends recording and returns what was recorded; empty when nothing was begun.
Timeline stop_timeline();
bool recording_timeline();

/// The name of the calling thread in timelines; "thread N" by default.
void name_thread(std::string name);

/// Records its own lifetime as an event of the calling thread. Costs next to nothing while nothing
/// is being recorded.
class Span {
 public:
  Span(std::string_view name, std::string_view category);
  /// A kernel call; the event has the name of the op and the category "kernel".
  explicit Span(KernelWork work);
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  std::optional<Timeline::Event> event_;  ///< none while nothing is recorded
  std::chrono::steady_clock::time_point start_;
};

}  // namespace fovea
