#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"

namespace fovea::data {

/// A table in the format of RFC 4180: cells separated by commas, quoted if they contain commas,
/// quotes or line breaks.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< each with a cell for every column
  std::vector<int64_t> lines;                  ///< the line on which each row begins, from 1

  /// The index of a column; none if there is none of that name.
  std::optional<size_t> find(std::string_view column) const;
};

/// Reads a table with a header. A byte order mark and empty lines are skipped. Errors: data, naming
/// file and line, when it is missing, over 4 GiB or empty, a row's number of cells differs from the
/// header's, a quote is not closed, or a column occurs twice.
CsvTable read_csv(const std::filesystem::path& path);

/// One line of a table, including its end; cells are quoted where needed.
std::string csv_line(const std::vector<std::string>& cells);

/// Images listed in a table: the column `path` (relative to the table's folder), and
///
///   label   the class, by name; classes are sorted by their bytes
///   split   train, val or test; without it one row in ten is held out for test
///   group   rows of one group are not divided between training and validation
///
/// Without a column `label`, every other column is a label of its own, 0 or 1: several may be 1 for
/// one image (see the task multilabel). Errors: as read_csv; data for a missing column, an unknown
/// split, a label that is empty or not 0 or 1, and a split without rows.
DataSets open_csv(const std::filesystem::path& file);

}  // namespace fovea::data
