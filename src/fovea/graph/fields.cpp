#include "fovea/graph/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea {
namespace {

// ---- text

template <class T>
std::string text_of(T number) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(const EnumValue& value) {
  return std::string(value.names[static_cast<size_t>(value.index)]);
}
template <class T>
std::string text_of(const std::vector<T>& values) {
  std::vector<std::string> parts;
  for (T value : values) parts.push_back(text_of(value));
  return fmt::format("[{}]", join(parts));
}

std::string value_text(const Field& field) {
  if (field.absent) return "none";
  if (field.per_axis) {
    const auto& values = std::get<std::vector<int64_t>>(field.value);
    if (!values.empty()) return dims_text(values);
  }
  return std::visit([](const auto& value) { return text_of(value); }, field.value);
}

// ---- reading

/// The text that one field of an op is read from.
struct Given {
  std::string_view op, name, text;
};

Error bad_value(const Given& given, const std::string& expected) {
  return Error(ErrorKind::usage,
               fmt::format("{}: {} is \"{}\"", given.op, given.name, printable(given.text)))
      .with("expected", expected);
}

template <class T>
T number(const Given& given, std::string_view text, const std::string& expected) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) throw bad_value(given, expected);
  return value;
}

void read(const Given& given, bool& value, const Field&, int) {
  if (given.text != "true" && given.text != "false") throw bad_value(given, "true or false");
  value = given.text == "true";
}
void read(const Given& given, int64_t& value, const Field&, int) {
  value = number<int64_t>(given, given.text, "an integer");
}
void read(const Given& given, uint64_t& value, const Field&, int) {
  value = number<uint64_t>(given, given.text, "an integer of at least 0");
}
template <std::floating_point T>
void read(const Given& given, T& value, const Field&, int) {
  value = number<T>(given, given.text, "a number");
}
void read(const Given& given, EnumValue& value, const Field&, int) {
  const auto found = std::ranges::find(value.names, given.text);
  if (found == value.names.end())
    throw bad_value(given, join(std::vector<std::string>(value.names.begin(), value.names.end())));
  value.index = found - value.names.begin();
}
template <class T>
void read(const Given& given, std::vector<T>& value, const Field& like, int axes) {
  value.clear();
  std::string_view text = given.text;
  const bool brackets = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  const std::string expected =
      like.per_axis ? fmt::format("an integer for all {} spatial axes, or one per axis: 3x5", axes)
                    : "a list: [8, 3]";
  if (!brackets && !like.per_axis) throw bad_value(given, expected);
  if (brackets) text = text.substr(1, text.size() - 2);
  if (brackets && text.empty()) return;
  for (const std::string& part : split(text, brackets ? ',' : 'x'))
    value.push_back(number<T>(given, part.starts_with(' ') ? part.substr(1) : part, expected));
  if (like.per_axis && !brackets && value.size() == 1)
    value.resize(static_cast<size_t>(axes), value[0]);
  if (like.per_axis && value.size() != static_cast<size_t>(axes)) throw bad_value(given, expected);
}

/// The end of the value at the start of a text: the first space outside brackets.
size_t end_of_word(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (text[i] == ' ' && depth <= 0) return i;
  }
  return text.size();
}

Field read_field(std::string_view op, const Fields& like, std::string_view word, int axes) {
  const size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(0, equals);
  const auto known = std::ranges::find_if(
      like, [&](const Field& field) { return field.name == name && !field.in_name; });
  if (known == like.end()) {
    std::vector<std::string> names;
    for (const Field& field : like)
      if (!field.in_name) names.emplace_back(field.name);
    Error error = unknown_name("field of " + std::string(op), name, names);
    throw names.empty() ? error : error.with("fields", join(names));
  }
  Field field = *known;
  if (equals == word.size() && !std::holds_alternative<bool>(field.value))
    throw Error(ErrorKind::usage, fmt::format("{}: {} has no value", op, name));
  const Given given{op, name, equals == word.size() ? "true" : word.substr(equals + 1)};
  field.absent = field.optional && given.text == "none";
  if (field.absent) return field;
  std::visit([&](auto& value) { read(given, value, *known, axes); }, field.value);
  return field;
}

// ---- bytes

template <class T>
void append(std::string& bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}
void append(std::string& bytes, const EnumValue& value) { append(bytes, value.index); }
template <class T>
void append(std::string& bytes, const std::vector<T>& values) {
  append(bytes, values.size());
  for (T value : values) append(bytes, value);
}
void append(std::string& bytes, const FieldValue& field) {
  append(bytes, field.index());
  std::visit([&](const auto& value) { append(bytes, value); }, field);
}
void append(std::string& bytes, const Field& field) {
  append(bytes, field.absent);
  if (!field.absent) append(bytes, field.value);
}

}  // namespace

std::string dims_text(const std::vector<int64_t>& values) {
  if (!values.empty() && std::ranges::all_of(values, [&](int64_t v) { return v == values[0]; }))
    return std::to_string(values[0]);
  std::string text;
  for (int64_t v : values) text += (text.empty() ? "" : "x") + std::to_string(v);
  return text;
}

std::string to_string(const Fields& fields) {
  std::string text;
  for (const Field& field : fields) {
    if (field.in_name || field.at_default) continue;
    text += (text.empty() ? "" : " ") + std::string(field.name);
    const bool* flag = std::get_if<bool>(&field.value);
    if (flag == nullptr || !*flag) text += "=" + value_text(field);
  }
  return text;
}

Fields read_fields(std::string_view op, const Fields& like, std::string_view text, int axes) {
  Fields fields;
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(fields, [&](const Field& field) { return field.name == name; });
  };
  while (!text.empty()) {
    const size_t end = end_of_word(text);
    if (end > 0) {
      Field field = read_field(op, like, text.substr(0, end), axes);
      if (given(field.name)) {
        throw Error(ErrorKind::usage, fmt::format("{}: {} is given twice", op, field.name));
      }
      fields.push_back(std::move(field));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (const Field& field : like) {
    if (field.in_name || field.has_default || given(field.name)) continue;
    throw Error(ErrorKind::usage, fmt::format("{}: {} is missing", op, field.name));
  }
  return fields;
}

std::string exact_bytes(const Fields& fields) {
  std::string bytes;
  for (const Field& field : fields) {
    append(bytes, field.name.size());
    bytes += field.name;
    append(bytes, field);
  }
  return bytes;
}

Field FieldLister::with_default(Field field, const Field& otherwise) {
  std::string have, want;
  append(have, field);
  append(want, otherwise);
  field.has_default = true;
  field.at_default = have == want;
  return field;
}

void FieldSetter::require_kept(const Field& given, const FieldValue& kept) {
  std::string have, want;
  append(have, kept);
  append(want, given.value);
  if (have != want) {
    throw Error(ErrorKind::usage,
                fmt::format("{} is {}, which is out of range", given.name, value_text(given)));
  }
}

const Field* FieldSetter::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(given_, [&](const Field& field) { return field.name == name; });
  return found == given_.end() ? nullptr : &*found;
}

}  // namespace fovea
