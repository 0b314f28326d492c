#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/csv.h"
#include "fovea/data/series_file.h"

namespace fovea::data {
namespace {

constexpr size_t largest_series_table = size_t{256} << 20;

/// A table of series in one of its three forms: see open_series.
class SeriesTable {
 public:
  SeriesTable(const CsvTable& table, SeriesFile& into)
      : table_(table),
        into_(into),
        series_(table.find("series")),
        channel_(table.find("channel")),
        label_(table.find("label")),
        target_(table.find("target")),
        split_(table.find("split")),
        group_(table.find("group")) {
    for (size_t c = 0; c < table_.columns.size(); ++c) {
      bool about = false;
      for (const auto& column : {series_, channel_, label_, target_, split_, group_})
        about = about || column == c;
      if (!about) values_.push_back(c);
    }
    if (values_.empty()) throw wrong("no column of values");
    if (label_ && target_) throw wrong("both a column label and a column target");
    if (channel_ && !series_) throw wrong("a column channel, but no column series");
    into_.labels = label_    ? SeriesFile::Labels::classes
                   : target_ ? SeriesFile::Labels::numbers
                             : SeriesFile::Labels::none;
    into_.has_splits = split_.has_value();
    into_.has_groups = group_.has_value();
  }

  void read() {
    if (!series_) {
      for (size_t row = 0; row < table_.rows.size(); ++row) {
        OneSeries series = described(row);
        series.values = row_values(row);
        series.length = std::ssize(series.values);
        add_series(into_, std::move(series), 1);
      }
    } else {
      for (const std::vector<size_t>& rows : rows_of_series())
        channel_ ? add_channels(rows) : add_steps(rows);
    }
    if (!label_) return;
    for (const OneSeries& series : into_.series) into_.classes.push_back(series.label);
    into_.classes = sorted_classes(std::move(into_.classes));
  }

 private:
  Error wrong(const std::string& what) const {
    return Error(ErrorKind::data, fmt::format("{}: {}", into_.file.string(), what))
        .with("found", printable(join(table_.columns)))
        .with("expected",
              "a row per series: label or target, and a column per step; or a column series, and a "
              "row per step (a column per channel) or per channel (a column channel)");
  }
  const std::string& cell(size_t row, std::optional<size_t> column) const {
    static const std::string none;
    return column ? table_.rows[row][*column] : none;
  }

  /// A series with all that its row says besides values.
  OneSeries described(size_t row) const {
    return {.values = {},
            .label = cell(row, label_ ? label_ : target_),
            .split = cell(row, split_),
            .group = cell(row, group_),
            .line = table_.lines[row]};
  }

  /// The values of a row; those that are missing at its end are not there.
  std::vector<float> row_values(size_t row) const {
    std::vector<float> values;
    for (const size_t column : values_)
      values.push_back(series_value(cell(row, column), into_, table_.lines[row]));
    while (!values.empty() && std::isnan(values.back())) values.pop_back();
    return values;
  }

  /// The rows of each series, both in the table's order.
  std::vector<std::vector<size_t>> rows_of_series() const {
    std::vector<std::vector<size_t>> all;
    std::map<std::string_view, size_t> places;
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      const auto [place, is_new] = places.emplace(cell(row, series_), all.size());
      if (is_new) all.emplace_back();
      all[place->second].push_back(row);
      const size_t first = all[place->second][0];
      for (const auto& column : {label_, target_, split_, group_}) {
        if (cell(row, column) == cell(first, column)) continue;
        throw into_.bad(table_.lines[row],
                        fmt::format("has another {} than line {}, of the same series",
                                    printable(table_.columns[*column]), table_.lines[first]));
      }
    }
    if (!channel_ && all.size() == table_.rows.size()) {
      throw wrong("every series has one row")
          .with("try", "no column series if the columns are steps of time");
    }
    return all;
  }

  void add_channels(const std::vector<size_t>& rows) {
    OneSeries series = described(rows[0]);
    std::map<std::string, std::vector<float>> by_name;
    for (const size_t row : rows) {
      const std::string& name = cell(row, channel_);
      std::vector<float> values = row_values(row);
      series.length = std::max(series.length, static_cast<int64_t>(values.size()));
      if (!by_name.emplace(name, std::move(values)).second) {
        throw into_.bad(table_.lines[row],
                        fmt::format("has the channel \"{}\" of its series again", printable(name)));
      }
    }
    if (channel_names_.empty()) {
      for (const size_t row : rows) channel_names_.push_back(cell(row, channel_));
    }
    if (rows.size() > channel_names_.size()) {
      throw into_.bad(series.line, fmt::format("begins a series of {} channels; the first has {}",
                                               rows.size(), channel_names_.size()));
    }
    for (const std::string& name : channel_names_) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) {
        throw into_.bad(series.line,
                        fmt::format("begins a series without the channel \"{}\"", printable(name)));
      }
      found->second.resize(static_cast<size_t>(series.length),
                           std::numeric_limits<float>::quiet_NaN());
      series.values.insert(series.values.end(), found->second.begin(), found->second.end());
    }
    add_series(into_, std::move(series), std::ssize(rows));
  }

  void add_steps(const std::vector<size_t>& rows) {
    OneSeries series = described(rows[0]);
    series.length = std::ssize(rows);
    for (const size_t column : values_) {
      for (const size_t row : rows)
        series.values.push_back(series_value(cell(row, column), into_, table_.lines[row]));
    }
    add_series(into_, std::move(series), std::ssize(values_));
  }

  const CsvTable& table_;
  SeriesFile& into_;
  std::optional<size_t> series_, channel_, label_, target_, split_, group_;
  std::vector<size_t> values_;              ///< columns
  std::vector<std::string> channel_names_;  ///< of the first series
};

}  // namespace

SeriesFile read_series_table(const std::filesystem::path& path) {
  const auto info = file_info(path, ErrorKind::data);
  if (info && !info->folder && info->size > largest_series_table) {
    throw Error(ErrorKind::data, fmt::format("{}: a table of more than 256 MiB", path.string()))
        .with("try", "a .ts file");
  }
  const CsvTable table = read_csv(path);
  SeriesFile file{.file = path};
  SeriesTable(table, file).read();
  return file;
}

}  // namespace fovea::data
