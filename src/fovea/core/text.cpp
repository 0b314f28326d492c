#include "fovea/core/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace fovea {
namespace {

/// Optimal string alignment distance: edits, and transpositions of neighbours as one edit.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

bool holds(std::string_view text, std::string_view part) {
  return part.size() >= 3 && text.find(part) != std::string_view::npos;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::vector<std::string> nearest_names(std::string_view name,
                                       std::span<const std::string> candidates, size_t limit) {
  const std::string wanted = lower(name);
  const size_t reach = std::max<size_t>(2, wanted.size() / 3);
  std::vector<std::pair<size_t, const std::string*>> near;
  for (const std::string& candidate : candidates) {
    const std::string have = lower(candidate);
    const bool inside = holds(have, wanted) || holds(wanted, have);
    const size_t gap = std::max(have.size(), wanted.size()) - std::min(have.size(), wanted.size());
    if (gap > reach && !inside) continue;  // also bounds the time that very long names take
    const size_t distance = gap > reach ? gap : edit_distance(wanted, have);
    // A name in which every letter differs is not similar, however short.
    if (inside || (distance <= reach && distance < wanted.size())) {
      near.emplace_back(distance, &candidate);
    }
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(limit, near.size()); ++i) names.push_back(*near[i].second);
  return names;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != parts.data()) text += separator;
    text += part;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<size_t> parse_bytes(std::string_view text) {
  constexpr std::string_view units = "KMGT";
  for (const std::string_view ending : {"iB", "B"}) {
    if (text.ends_with(ending)) text.remove_suffix(ending.size());
  }
  double factor = 1;
  const size_t unit = text.empty() ? std::string_view::npos : units.find(text.back() & ~0x20);
  if (unit != std::string_view::npos) {
    for (size_t i = 0; i <= unit; ++i) factor *= 1024;
    text.remove_suffix(1);
  }
  const std::optional<double> value = parse_number(text);
  if (!value || *value < 0 || *value * factor > 1e18) return std::nullopt;
  return static_cast<size_t>(*value * factor);
}

std::string format_number(double value) {
  char buffer[64];
  const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end};
}

std::string hex(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string counted(int64_t number, std::string_view noun) {
  std::string text = grouped(number) + " " + std::string(noun);
  if (number == 1) return text;
  const bool sibilant = noun.ends_with("s") || noun.ends_with("sh") || noun.ends_with("tch");
  return text + (sibilant ? "es" : "s");
}

std::string printable(std::string_view text) {
  constexpr size_t maximum = 80;
  std::string shown(text.substr(0, maximum));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown + (text.size() > maximum ? "..." : "");
}

Error unknown_name(std::string_view what, std::string_view name,
                   std::span<const std::string> candidates, ErrorKind kind) {
  Error error(kind, "unknown " + std::string(what) + " \"" + printable(name) + "\"");
  const std::vector<std::string> near = nearest_names(name, candidates);
  if (!near.empty()) error.with("nearest", join(near));
  return error;
}

}  // namespace fovea
