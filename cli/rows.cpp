#include "rows.h"

#include "fovea/core/files.h"
#include "fovea/data/csv.h"

namespace fovea::cli {

void Rows::add(const std::string& path, const tasks::Cells& cells) {
  std::vector<std::string> header{"path"}, row{path};
  for (const auto& [heading, text] : cells) {
    header.push_back(heading);
    row.push_back(text);
  }
  if (count_++ == 0) text_ = data::csv_line(header);
  text_ += data::csv_line(row);
}

void Rows::write(const std::string& file) const {
  replace_file(file, count_ > 0 ? text_ : data::csv_line({"path"}));
}

}  // namespace fovea::cli
