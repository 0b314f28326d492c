#include "fovea/records/event_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::records {
namespace {

constexpr std::array<uint32_t, 256> crc_table = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value & 1) != 0 ? (value >> 1) ^ 0x82f63b78 : value >> 1;
    table[i] = value;
  }
  return table;
}();

uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8; }

template <class Number>
std::string little_endian(Number number) {
  std::string bytes(sizeof(Number), 0);
  for (char& byte : bytes) {
    byte = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return bytes;
}

template <class Number>
Number from_little_endian(std::string_view bytes) {
  Number number = 0;
  for (size_t i = sizeof(Number); i-- > 0;)
    number = static_cast<Number>(number << 8 | static_cast<unsigned char>(bytes[i]));
  return number;
}

constexpr size_t length_bytes = 8, crc_bytes = 4;
constexpr uint64_t longest_record = uint64_t{1} << 30;

std::string record(std::string_view message) {
  const std::string length = little_endian(static_cast<uint64_t>(message.size()));
  return length + little_endian(masked_crc(length)) + std::string(message) +
         little_endian(masked_crc(message));
}

/// How a field of a message is encoded.
enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// A protobuf message under construction.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    key(field, Wire::varint);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& number(int field, double value) {
    key(field, Wire::fixed64);
    text_ += little_endian(std::bit_cast<uint64_t>(value));
    return *this;
  }
  Message& single(int field, float value) {
    key(field, Wire::fixed32);
    text_ += little_endian(std::bit_cast<uint32_t>(value));
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, Wire::bytes);
    varint(value.size());
    text_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.text_); }
  Message& numbers(int field, const std::vector<double>& values) {
    std::string packed;
    for (const double value : values) packed += little_endian(std::bit_cast<uint64_t>(value));
    return bytes(field, packed);
  }
  const std::string& text() const { return text_; }

 private:
  void key(int field, Wire wire) {
    varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire));
  }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>((value & 0x7f) | 0x80);
    text_ += static_cast<char>(value);
  }

  std::string text_;
};

/// Field numbers of the messages, as TensorBoard's .proto files define them.
namespace field {
constexpr int event_wall_time = 1, event_step = 2, event_version = 3, event_summary = 5;
constexpr int summary_value = 1;
constexpr int value_tag = 1, value_simple = 2, value_image = 4, value_histogram = 5,
              value_metadata = 9;
}  // namespace field

std::string event(EventTime time, const Message& summary) {
  return record(Message()
                    .number(field::event_wall_time, time.wall)
                    .integer(field::event_step, time.step)
                    .message(field::event_summary, summary)
                    .text());
}

/// An event with one value of a tag: a message in one of its fields.
std::string event_of(EventTime time, std::string_view tag, int kind, const Message& value) {
  return event(time,
               Message().message(field::summary_value,
                                 Message().bytes(field::value_tag, tag).message(kind, value)));
}

/// Data of the hparams plugin, in one of the fields of its message.
std::string hyper_parameter_event(EventTime time, std::string_view tag, int kind,
                                  const Message& data) {
  const Message content = Message().message(kind, data);
  const Message plugin = Message().bytes(1, "hparams").bytes(2, content.text());
  return event_of(time, tag, field::value_metadata, Message().message(1, plugin));
}

enum class Kind { text, flag, number };

Kind kind_of(const HyperParameter& parameter) {
  if (parameter.text == "true" || parameter.text == "false") return Kind::flag;
  return parse_number(parameter.text) ? Kind::number : Kind::text;
}

/// google.protobuf.Value
Message value_of(const HyperParameter& parameter) {
  switch (kind_of(parameter)) {
    case Kind::flag:
      return Message().integer(4, parameter.text == "true" ? 1 : 0);
    case Kind::number:
      return Message().number(2, *parse_number(parameter.text));
    case Kind::text:
      break;
  }
  return Message().bytes(3, parameter.text);
}

/// A message that is read: calls of next() go through its fields.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  int number = 0;
  Wire wire = Wire::varint;
  uint64_t integer = 0;    ///< of a varint or a number of fixed size, its bits
  std::string_view bytes;  ///< of any other

  /// False at the end, and where the message is malformed.
  bool next() {
    uint64_t key = 0;
    if (text_.empty() || !varint(key)) return false;
    number = static_cast<int>(key >> 3);
    wire = static_cast<Wire>(key & 7);
    switch (wire) {
      case Wire::varint:
        return varint(integer);
      case Wire::fixed64:
        return fixed<uint64_t>();
      case Wire::fixed32:
        return fixed<uint32_t>();
      case Wire::bytes:
        break;
      default:
        return false;
    }
    uint64_t size = 0;
    if (!varint(size) || size > text_.size()) return false;
    bytes = text_.substr(0, size);
    text_.remove_prefix(size);
    return true;
  }

 private:
  bool varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !text_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(text_.front());
      text_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  template <class Number>
  bool fixed() {
    if (text_.size() < sizeof(Number)) return false;
    integer = from_little_endian<Number>(text_);
    text_.remove_prefix(sizeof(Number));
    return true;
  }

  std::string_view text_;
};

void read_value(std::string_view value, tasks::Numbers& scalars) {
  std::string tag;
  std::optional<float> number;
  for (Fields f(value); f.next();) {
    if (f.number == field::value_tag && f.wire == Wire::bytes) tag = f.bytes;
    if (f.number == field::value_simple && f.wire == Wire::fixed32)
      number = std::bit_cast<float>(static_cast<uint32_t>(f.integer));
  }
  if (number) scalars.emplace_back(tag, *number);
}

Event read_event(std::string_view message) {
  Event event;
  for (Fields f(message); f.next();) {
    if (f.number == field::event_wall_time && f.wire == Wire::fixed64)
      event.time.wall = std::bit_cast<double>(f.integer);
    if (f.number == field::event_step && f.wire == Wire::varint)
      event.time.step = static_cast<int64_t>(f.integer);
    if (f.number != field::event_summary || f.wire != Wire::bytes) continue;
    for (Fields values(f.bytes); values.next();) {
      if (values.number == field::summary_value && values.wire == Wire::bytes)
        read_value(values.bytes, event.scalars);
    }
  }
  return event;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char byte : bytes)
    crc = crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string version_event(EventTime time) {
  return record(Message()
                    .number(field::event_wall_time, time.wall)
                    .bytes(field::event_version, "brain.Event:2")
                    .text());
}

std::string scalars_event(EventTime time, const tasks::Numbers& scalars) {
  Message summary;
  for (const auto& [tag, value] : scalars) {
    summary.message(field::summary_value,
                    Message()
                        .bytes(field::value_tag, tag)
                        .single(field::value_simple, static_cast<float>(value)));
  }
  return event(time, summary);
}

std::string image_event(EventTime time, std::string_view tag, std::string_view png) {
  constexpr size_t header = 26;  // the signature, and of the first chunk size, name, sides, format
  if (png.size() < header || !png.starts_with("\x89PNG\r\n\x1a\n"))
    throw Error(ErrorKind::usage, "image event: not the bytes of a PNG");
  const auto side = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(png[i]);
    return static_cast<int64_t>(value);
  };
  constexpr int gray = 0, gray_alpha = 4, rgba = 6;  // colour types of PNG
  const int type = png[25];
  const int channels = type == gray ? 1 : type == gray_alpha ? 2 : type == rgba ? 4 : 3;
  return event_of(
      time, tag, field::value_image,
      Message().integer(1, side(20)).integer(2, side(16)).integer(3, channels).bytes(4, png));
}

std::string histogram_event(EventTime time, std::string_view tag, std::span<const float> values) {
  constexpr size_t buckets = 30;
  double minimum = INFINITY, maximum = -INFINITY, sum = 0, squares = 0;
  int64_t count = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double x = value;
    minimum = std::min(minimum, x);
    maximum = std::max(maximum, x);
    sum += x;
    squares += x * x;
    ++count;
  }
  if (count == 0) minimum = maximum = 0;
  // Of a single value the buckets surround it.
  const double width = maximum > minimum ? (maximum - minimum) / buckets : 1.0 / buckets;
  const double begin = maximum > minimum ? minimum : minimum - 0.5;
  std::vector<double> limits(buckets), counts(buckets, 0);
  for (size_t i = 0; i < buckets; ++i) limits[i] = begin + width * static_cast<double>(i + 1);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double place = std::floor((value - begin) / width);
    ++counts[static_cast<size_t>(std::clamp<double>(place, 0, buckets - 1))];
  }
  return event_of(time, tag, field::value_histogram,
                  Message()
                      .number(1, minimum)
                      .number(2, maximum)
                      .number(3, static_cast<double>(count))
                      .number(4, sum)
                      .number(5, squares)
                      .numbers(6, limits)
                      .numbers(7, counts));
}

std::string hyper_parameters_event(EventTime time, const std::vector<HyperParameter>& parameters,
                                   const std::vector<std::string>& metric_tags) {
  Message experiment;
  experiment.number(3, time.wall);
  for (const HyperParameter& parameter : parameters) {
    constexpr int types[] = {1, 2, 3};  // of the enum DataType: string, bool, float64
    experiment.message(4, Message()
                              .bytes(1, parameter.name)
                              .integer(4, types[static_cast<size_t>(kind_of(parameter))]));
  }
  for (const std::string& tag : metric_tags)
    experiment.message(5, Message().message(1, Message().bytes(2, tag)));
  return hyper_parameter_event(time, "_hparams_/experiment", 2, experiment);
}

std::string run_started_event(EventTime time, const std::vector<HyperParameter>& parameters) {
  Message start;
  for (const HyperParameter& parameter : parameters)
    start.message(1, Message().bytes(1, parameter.name).message(2, value_of(parameter)));
  start.number(5, time.wall);
  return hyper_parameter_event(time, "_hparams_/session_start_info", 3, start);
}

std::string run_complete_event(EventTime time) {
  constexpr int success = 1;
  return hyper_parameter_event(time, "_hparams_/session_end_info", 4,
                               Message().integer(1, success).number(2, time.wall));
}

std::vector<Event> read_events(std::string_view file) {
  std::vector<Event> events;
  size_t at = 0;
  while (file.size() - at >= length_bytes + 2 * crc_bytes) {
    const std::string_view length = file.substr(at, length_bytes);
    const auto size = from_little_endian<uint64_t>(length);
    if (size > longest_record || size > file.size() - at - length_bytes - 2 * crc_bytes) break;
    const auto crc = [&](size_t place) {
      return from_little_endian<uint32_t>(file.substr(place, crc_bytes));
    };
    const size_t begin = at + length_bytes + crc_bytes, end = begin + size;
    const std::string_view message = file.substr(begin, size);
    if (crc(at + length_bytes) != masked_crc(length) || crc(end) != masked_crc(message)) break;
    at = end + crc_bytes;
    events.push_back(read_event(message));
    events.back().end = at;
  }
  return events;
}

}  // namespace fovea::records
