#include "fovea/records/event_file.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fovea/core/error.h"

namespace fovea::records {
namespace {

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

TEST(EventFile, ChecksumsAreCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);  // the check value of CRC-32C
  EXPECT_EQ(crc32c(""), 0U);
}

// The bytes of tensorboard 2.x's own EventFileWriter for the same events.
TEST(EventFile, RecordsAreByteForByteThoseOfTensorBoard) {
  EXPECT_EQ(hex_of(version_event({.wall = 1700000000.5, .step = 0})),
            "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110");
  EXPECT_EQ(hex_of(scalars_event({.wall = 1700000001.25, .step = 300}, {{"train/loss", 0.5}})),
            "2100000000000000017becf60900005040fc54d94110ac022a130a110a0a747261696e2f6c6f7373150000"
            "003f878478b6");
}

TEST(EventFile, ReadsBackScalars) {
  const std::string file = version_event({}) +
                           scalars_event({.wall = 2, .step = 7}, {{"a", 0.25}, {"b/c", -3}}) +
                           histogram_event({.wall = 3, .step = 8}, "h", std::vector<float>{1, 2});
  const std::vector<Event> events = read_events(file);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].time.step, 7);
  EXPECT_EQ(events[1].time.wall, 2);
  EXPECT_EQ(events[1].scalars, (tasks::Numbers{{"a", 0.25}, {"b/c", -3}}));
  EXPECT_EQ(events[2].end, file.size());
}

TEST(EventFile, ReadingStopsAtARecordThatIsTornOrDamaged) {
  const std::string first = version_event({}), second = scalars_event({}, {{"a", 1}});
  for (size_t cut = 0; cut < second.size(); ++cut)
    EXPECT_EQ(read_events(first + second.substr(0, cut)).size(), 1U) << cut;
  for (size_t i = 0; i < second.size(); ++i) {
    std::string damaged = second;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    EXPECT_EQ(read_events(first + damaged).size(), 1U) << i;
  }
  EXPECT_TRUE(read_events(std::string(100, '\xff')).empty());
}

TEST(EventFile, HistogramsOfHostileValuesHaveNoNaN) {
  const std::vector<std::vector<float>> cases{
      {}, {NAN, INFINITY}, {5, 5, 5}, {0, NAN, 1}, {-3e38F, 3e38F}};
  for (const std::vector<float>& values : cases)
    EXPECT_EQ(read_events(histogram_event({}, "h", values)).size(), 1U);
}

TEST(EventFile, APictureMustBeAPng) {
  EXPECT_THROW(image_event({}, "x", "GIF89a"), Error);
  EXPECT_THROW(image_event({}, "x", "\x89PNG\r\n\x1a\n"), Error);
}

}  // namespace
}  // namespace fovea::records
