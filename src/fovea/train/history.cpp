#include "fovea/train/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"

namespace fovea::train {
namespace {

constexpr size_t leading = 2;  // epoch, lr

/// The names of all numbers, in the order in which they first occur.
std::vector<std::string> number_names(const std::vector<EpochRecord>& history) {
  std::vector<std::string> names;
  for (const EpochRecord& record : history) {
    for (const auto& [name, value] : record.numbers) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::string cell(double value) { return std::isfinite(value) ? format_number(value) : ""; }

}  // namespace

std::string to_csv(const std::vector<EpochRecord>& history) {
  const std::vector<std::string> names = number_names(history);
  std::string text = "epoch,lr,";
  for (const std::string& name : names) text += name + ",";
  text += "seconds,images_per_second,waiting\n";
  for (const EpochRecord& r : history) {
    text += std::to_string(r.epoch) + "," + format_number(r.lr) + ",";
    for (const std::string& name : names) {
      const std::optional<double> value = tasks::find(r.numbers, name);
      text += (value ? cell(*value) : "") + ",";
    }
    text += format_number(r.seconds) + "," + format_number(r.images_per_second) + "," +
            format_number(r.waiting) + "\n";
  }
  return text;
}

std::vector<EpochRecord> from_csv(std::string_view text) {
  const std::vector<std::string> lines = split(text, '\n');
  const std::vector<std::string> header = split(lines[0], ',');
  // A history from before waiting was measured ends with images_per_second.
  const bool has_waiting = header.back() == "waiting";
  const size_t trailing = has_waiting ? 3 : 2;
  std::vector<EpochRecord> history;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> cells = split(lines[i], ',');
    const auto wrong = [&](const std::string& what) {
      return Error(ErrorKind::data, fmt::format("history: line {}{}", i + 1, what))
          .with("line", lines[i]);
    };
    if (header.size() < leading + trailing || cells.size() != header.size())
      throw wrong(" is not " + std::to_string(header.size()) + " numbers");
    const auto number = [&](size_t k) {
      const std::optional<double> value = parse_number(cells[k]);
      if (!value) throw wrong(": \"" + cells[k] + "\" is not a number");
      return *value;
    };
    EpochRecord record{.epoch = static_cast<int64_t>(number(0)),
                       .lr = number(1),
                       .numbers = {},
                       .seconds = number(cells.size() - trailing),
                       .images_per_second = number(cells.size() - trailing + 1),
                       .waiting = has_waiting ? number(cells.size() - 1) : 0};
    for (size_t k = leading; k + trailing < cells.size(); ++k) {
      if (!cells[k].empty()) record.numbers.emplace_back(header[k], number(k));
    }
    history.push_back(std::move(record));
  }
  return history;
}

}  // namespace fovea::train
