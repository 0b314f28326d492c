#include "fovea/formats/trace.h"

#include "fovea/core/json.h"

namespace fovea {
namespace {

Json arguments_of(const KernelWork& work) {
  return {{"module", work.module},   {"backward", work.backward}, {"kernel", work.kernel},
          {"problem", work.problem}, {"flops", work.flops},       {"bytes", work.bytes}};
}

}  // namespace

std::string trace_text(const Timeline& timeline) {
  Json events = Json::array();
  for (size_t i = 0; i < timeline.threads.size(); ++i) {
    events.push_back({{"ph", "M"},
                      {"name", "thread_name"},
                      {"pid", 1},
                      {"tid", i + 1},
                      {"args", {{"name", timeline.threads[i]}}}});
  }
  for (const Timeline::Event& event : timeline.events) {
    events.push_back({{"ph", "X"},
                      {"name", event.name},
                      {"cat", event.category},
                      {"pid", 1},
                      {"tid", event.thread + 1},
                      {"ts", 1e6 * event.start},
                      {"dur", 1e6 * event.seconds}});
    if (event.work) events.back()["args"] = arguments_of(*event.work);
  }
  const Json document{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  return document.dump() + "\n";
}

}  // namespace fovea
