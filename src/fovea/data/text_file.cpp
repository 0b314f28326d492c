#include "fovea/data/text_file.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/files.h"

namespace fovea::data {

std::string read_text_file(const std::filesystem::path& file, size_t limit) {
  require_file(file, ErrorKind::data);
  std::string text = read_text(file, ErrorKind::data, limit);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  if (text.find('\0') == std::string::npos) return text;
  throw Error(ErrorKind::data, file.string() + ": is no text in UTF-8: it has bytes of zero")
      .with("try", "the file stored as UTF-8, not as UTF-16");
}

void for_each_line(std::string_view text,
                   const std::function<void(std::string_view line, size_t number)>& body) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    body(line, number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_plain(std::string_view text, size_t longest) {
  return !text.empty() && text.size() <= longest &&
         std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

}  // namespace fovea::data
