#include "fovea/core/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace fovea {
namespace {

std::vector<std::string> names_of(const Timeline& timeline) {
  std::vector<std::string> names;
  for (const Timeline::Event& event : timeline.events) names.push_back(event.name);
  return names;
}

TEST(Timeline, HoldsWhatEveryThreadDidBetweenStartAndStop) {
  { const Span before("before", "test"); }
  start_timeline();
  {
    const Span outer("outer", "test");
    std::jthread([] {
      name_thread("helper");
      const Span inner("inner", "test");
    }).join();
  }
  const Timeline timeline = stop_timeline();
  { const Span after("after", "test"); }
  ASSERT_EQ(names_of(timeline), (std::vector<std::string>{"inner", "outer"}));
  const auto& [inner, outer] = std::tie(timeline.events[0], timeline.events[1]);
  EXPECT_GE(inner.start, outer.start);
  EXPECT_LE(inner.start + inner.seconds, outer.start + outer.seconds);
  EXPECT_NE(inner.thread, outer.thread);
  EXPECT_EQ(timeline.threads.at(inner.thread), "helper");
  EXPECT_GE(timeline.seconds, outer.seconds);
  EXPECT_TRUE(stop_timeline().events.empty());
}

TEST(Timeline, ASpanThatBeganBeforeRecordingIsLeftOut) {
  {
    const Span early("early", "test");
    start_timeline();
  }
  EXPECT_TRUE(stop_timeline().events.empty());
}

TEST(Timeline, BeyondItsMaximumEventsAreCountedOnly) {
  start_timeline(2);
  for (int i = 0; i < 5; ++i) const Span span("span", "test");
  const Timeline timeline = stop_timeline();
  EXPECT_EQ(timeline.events.size(), 2u);
  EXPECT_EQ(timeline.left_out, 3u);
}

}  // namespace
}  // namespace fovea
