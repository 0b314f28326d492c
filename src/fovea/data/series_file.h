#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"

namespace fovea::data {

/// One series of a file: what was measured at equal steps of time, in one channel or more.
struct OneSeries {
  std::vector<float> values;  ///< channel by channel, each of `length`
  int64_t length = 0;
  std::string label = {};              ///< its class or number; "" if the file has none
  std::string split = {}, group = {};  ///< of a table that has such columns
  int64_t line = 0;                    ///< in the file, on which it begins
};

/// The series in one file.
struct SeriesFile {
  enum class Labels : uint8_t { none, classes, numbers };

  std::filesystem::path file;
  int64_t channels = 0;
  Labels labels = Labels::none;
  /// In the order in which a .ts file declares them; else sorted, numbers by their size.
  std::vector<std::string> classes = {};
  bool has_splits = false, has_groups = false;
  std::vector<OneSeries> series = {};

  Error bad(int64_t line, const std::string& what) const;
};

/// The suffixes that `read_series` knows: .ts, .tsv, .csv.
std::vector<std::string> series_suffixes();

/// Reads the series of a file:
///
///   .ts   the UEA archive's: @ headers, then a line for each series, channels separated by colons
///         and values by commas, the class (@classLabel) or number (@targetLabel) last
///   .tsv  the UCR archive's of one channel: a line for each series, its class, then its values
///   .csv  a table, see series.h
///
/// A missing value (?, NaN or nothing) is interpolated linearly between its neighbours in time;
/// before the first and after the last value of a channel it is that one, and in a channel without
/// values 0. At the end of a line of .tsv or .csv missing values are no part of the series.
///
/// Errors: data, naming file and line: what cannot be read, lengths of the channels of a series
/// that differ, values that are not finite, labels that the header does not declare, time stamps, a
/// series without values, more than 65,536 channels or 2^24 steps, files over 2 GiB (.csv 256 MiB).
SeriesFile read_series(const std::filesystem::path& file);

/// The parts of `read_series`, by format.
SeriesFile read_ts(const std::filesystem::path& file);
SeriesFile read_tsv(const std::filesystem::path& file);
SeriesFile read_series_table(const std::filesystem::path& file);

/// What they share. A value, NaN where it is missing. Errors: data.
float series_value(std::string_view text, const SeriesFile& into, int64_t line);
/// Adds a series, with its missing values filled in. Errors: data, as read_series.
void add_series(SeriesFile& into, OneSeries series, int64_t channels);
/// Classes in the order of SeriesFile::classes.
std::vector<std::string> sorted_classes(std::vector<std::string> names);

}  // namespace fovea::data
