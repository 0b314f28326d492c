#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A table as RFC 4180 has it: cells between commas, in quotes where they hold commas, quotes or
/// line breaks.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< as many cells each as there are columns
  std::vector<int64_t> lines;                  ///< where each row begins, from 1

  /// The place of a column; nothing when there is none of that name.
  std::optional<size_t> find(std::string_view column) const;
};

/// Reads a table with a header. A byte order mark and empty lines are passed over. Errors: data,
/// naming file and line, when it is missing, over 4 GiB, empty, a row has another number of cells
/// than the header, a quote is not closed, or a column comes twice.
CsvTable read_csv(const std::filesystem::path& path);

/// A line of a table, with its end: cells that need quotes have them.
std::string csv_line(const std::vector<std::string>& cells);

/// Images by a table: the column `path` (relative to the table's folder), and
///
///   label   the class, by name; classes are sorted by their bytes
///   split   train, val or test; without it one row in ten is held out for test
///   group   rows of one group are not divided between training and validation
///
/// Without a column `label`, every other column is a label of its own, 0 or 1: several may hold for
/// one image (see the task multilabel). Errors: as read_csv; data for a missing column, an unknown
/// split, a label that is empty or not 0 or 1, and a split without rows.
DataSets open_csv(const std::filesystem::path& file);

}  // namespace fovea::data
