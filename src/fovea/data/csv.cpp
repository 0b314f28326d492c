#include "fovea/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/image_files.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

/// Splits a text into cells.
class Reader {
 public:
  Reader(std::string_view text, const fs::path& file) : text_(text), file_(file) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  int64_t line() const { return line_; }
  bool done() const { return text_.empty(); }

  /// The cells of the next row.
  std::vector<std::string> row() {
    std::vector<std::string> cells{cell()};
    while (text_.starts_with(',')) {
      text_.remove_prefix(1);
      cells.push_back(cell());
    }
    if (text_.starts_with('\r')) text_.remove_prefix(1);
    if (text_.starts_with('\n')) text_.remove_prefix(1);
    ++line_;
    return cells;
  }

  Error bad(const std::string& what, int64_t line) const {
    return {ErrorKind::data, file_.string() + ": line " + std::to_string(line) + " " + what};
  }

 private:
  std::string cell() {
    if (text_.starts_with('"')) return quoted();
    const size_t end = std::min(text_.find_first_of(",\n"), text_.size());
    std::string value(text_.substr(0, end));
    text_.remove_prefix(end);
    if (value.ends_with('\r')) value.pop_back();
    return value;
  }

  std::string quoted() {
    const int64_t begin = line_;
    std::string value;
    text_.remove_prefix(1);
    while (true) {
      const size_t end = text_.find('"');
      if (end == std::string_view::npos) throw bad("has a quote that is not closed", begin);
      line_ += std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(end), '\n');
      value += text_.substr(0, end);
      text_.remove_prefix(end + 1);
      if (!text_.starts_with('"')) break;
      value += '"';
      text_.remove_prefix(1);
    }
    if (!text_.empty() && text_[0] != ',' && text_[0] != '\n' && text_[0] != '\r') {
      throw bad("has characters after a closing quote", line_);
    }
    return value;
  }

  std::string_view text_;
  const fs::path& file_;
  int64_t line_ = 1;
};

}  // namespace

std::optional<size_t> CsvTable::find(std::string_view column) const {
  const auto found = std::ranges::find(columns, column);
  if (found == columns.end()) return std::nullopt;
  return static_cast<size_t>(found - columns.begin());
}

CsvTable read_csv(const fs::path& path) {
  const FileBytes file = read_file(path, ErrorKind::data, largest_stream);
  Reader reader({reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()}, path);
  CsvTable table;
  while (!reader.done()) {
    const int64_t line = reader.line();
    std::vector<std::string> cells = reader.row();
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (table.columns.empty()) {
      table.columns = std::move(cells);
      for (const std::string& name : table.columns) {
        if (std::ranges::count(table.columns, name) > 1)
          throw reader.bad("has the column \"" + printable(name) + "\" twice", line);
      }
      continue;
    }
    if (cells.size() != table.columns.size()) {
      throw reader.bad("has " + std::to_string(cells.size()) + " cells, but the header has " +
                           std::to_string(table.columns.size()),
                       line);
    }
    table.rows.push_back(std::move(cells));
    table.lines.push_back(line);
  }
  if (table.rows.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: a table without rows", path.string()))
        .with("expected", "a header, such as path,label, and a line per image");
  }
  return table;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (const char c : cells[i]) line += c == '"' ? std::string(2, c) : std::string(1, c);
    line += '"';
  }
  return line + '\n';
}

namespace {

/// A table as images with targets.
class Listing {
 public:
  Listing(const CsvTable& table, const fs::path& file)
      : table_(table),
        file_(file),
        path_(column("path")),
        label_(table.find("label")),
        split_(table.find("split")),
        group_(table.find("group")) {
    meaning_ = label_ ? class_targets(classes()) : labels();
  }

  /// The rows of a split, or of "" without such a column; null if it has none.
  std::shared_ptr<const Dataset> images(std::string_view split) {
    FileList list{.root = file_.parent_path(), .paths = {}, .targets = {}};
    std::vector<size_t> rows;
    for (size_t r = 0; r < table_.rows.size(); ++r) {
      if (!split_ || cell(r, *split_) == split) rows.push_back(r);
    }
    if (rows.empty()) return nullptr;
    for (size_t r : rows) {
      list.paths.push_back(cell(r, path_));
      if (list.paths.back().empty()) throw bad(r, "has no path");
      if (group_) list.groups.push_back(group_number(cell(r, *group_)));
    }
    list.targets = label_ ? class_numbers(rows) : flags(rows);
    return std::make_shared<ImageFiles>(std::move(list), meaning_);
  }

  void require_known_splits() const {
    if (!split_) return;
    for (size_t r = 0; r < table_.rows.size(); ++r) {
      const std::string& name = cell(r, *split_);
      if (name != "train" && name != "val" && name != "test")
        throw bad(r, "has the split \"" + printable(name) + "\"; train, val or test is expected");
    }
  }
  bool has_splits() const { return split_.has_value(); }
  /// Those that rows have, such as "test, val"; "none" without rows or such a column.
  std::string splits() const {
    std::set<std::string> found;
    for (size_t r = 0; split_ && r < table_.rows.size(); ++r) found.insert(cell(r, *split_));
    return found.empty() ? "none" : join(std::vector<std::string>(found.begin(), found.end()));
  }

 private:
  size_t column(std::string_view name) const {
    if (const auto found = table_.find(name)) return *found;
    throw Error(ErrorKind::data, fmt::format("{}: no column \"{}\"", file_.string(), name))
        .with("found", printable(join(table_.columns)))
        .with("expected", "path,label[,split][,group], or path and a column of 0 and 1 per label");
  }
  const std::string& cell(size_t row, size_t column) const { return table_.rows[row][column]; }
  Error bad(size_t row, const std::string& what) const {
    return {ErrorKind::data,
            file_.string() + ": line " + std::to_string(table_.lines[row]) + " " + what};
  }

  std::vector<std::string> classes() const {
    std::set<std::string> names;
    for (size_t r = 0; r < table_.rows.size(); ++r) {
      if (cell(r, *label_).empty()) throw bad(r, "has no label");
      names.insert(cell(r, *label_));
    }
    if (names.size() >= 2) return {names.begin(), names.end()};
    throw Error(ErrorKind::data,
                fmt::format("{}: 1 class; at least 2 are expected", file_.string()))
        .with("found", printable(*names.begin()));
  }

  Targets labels() {
    Targets meaning{.type = {}, .names = {}, .task = "multilabel"};
    for (size_t c = 0; c < table_.columns.size(); ++c) {
      if (c == path_ || c == split_ || c == group_) continue;
      label_columns_.push_back(c);
      meaning.names.push_back(table_.columns[c]);
    }
    if (label_columns_.empty()) column("label");
    meaning.type = {DType::f32, {static_cast<int64_t>(label_columns_.size())}};
    return meaning;
  }

  Array class_numbers(const std::vector<size_t>& rows) const {
    std::vector<int64_t> numbers;
    for (size_t r : rows) {
      const auto found = std::ranges::lower_bound(meaning_.names, cell(r, *label_));
      numbers.push_back(found - meaning_.names.begin());
    }
    return Array::of(numbers);
  }

  Array flags(const std::vector<size_t>& rows) const {
    Array all(DType::f32, Shape{std::ssize(rows)}.concat(meaning_.type.shape));
    int64_t at = 0;
    for (size_t r : rows) {
      for (size_t c : label_columns_) {
        const std::string& text = cell(r, c);
        if (text != "0" && text != "1") {
          throw bad(r, "has \"" + printable(text) + "\" in the column " +
                           printable(table_.columns[c]) + "; 0 or 1 is expected");
        }
        all.set(at++, text == "1" ? 1 : 0);
      }
    }
    return all;
  }

  int64_t group_number(const std::string& name) {
    return groups_.emplace(name, std::ssize(groups_)).first->second;
  }

  const CsvTable& table_;
  const fs::path& file_;
  size_t path_;
  std::optional<size_t> label_, split_, group_;
  std::vector<size_t> label_columns_;
  Targets meaning_;
  std::map<std::string, int64_t> groups_;
};

}  // namespace

DataSets open_csv(const fs::path& file) {
  const CsvTable table = read_csv(file);
  Listing listing(table, file);
  listing.require_known_splits();
  DataSets sets{.name = "csv", .train = listing.images("train"), .test = nullptr};
  if (!sets.train) {
    throw Error(ErrorKind::data, fmt::format("{}: no row has the split train", file.string()))
        .with("found", listing.splits())
        .with("try", "train in the column split of the rows to train on");
  }
  if (listing.has_splits()) {
    sets.val = listing.images("val");
    sets.test = listing.images("test");
  }
  return with_test_split(std::move(sets));
}

}  // namespace fovea::data
