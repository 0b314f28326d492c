#include "fovea/data/data_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/boxed_images.h"
#include "fovea/data/text_file.h"

namespace fovea::data {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr size_t largest_yaml = size_t{4} << 20;  // bytes

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool is_quote(std::string_view text) { return text.starts_with('"') || text.starts_with('\''); }

/// How long the quoted text is that `text` begins with, quotes included: in single quotes two of
/// them stand for one. npos if it is not closed.
size_t quoted_size(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != text[0]) continue;
    if (text[0] == '"' || text.substr(i + 1, 1) != "'") return i + 1;
    ++i;
  }
  return std::string_view::npos;
}

/// The line without its comment, which begins with a # at the beginning or after a blank, outside
/// of quotes; a quote begins where a value does.
std::string_view without_comment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    const bool begins = i == 0 || std::string_view(" \t[,").find(line[i - 1]) != line.npos;
    if (begins && line[i] == '#') return line.substr(0, i);
    if (!begins || !is_quote(line.substr(i))) continue;
    const size_t size = quoted_size(line.substr(i));
    if (size == line.npos) break;
    i += size - 1;
  }
  return line;
}

/// A key's value: its parts, by their keys where they have some ("0: person").
struct YamlValue {
  size_t line = 0;
  std::vector<std::pair<std::string, std::string>> parts;
};

class YamlReader {
 public:
  explicit YamlReader(const std::filesystem::path& file)
      : file_(file), text_(read_text_file(file, largest_yaml)) {
    for_each_line(text_,
                  [&](std::string_view line, size_t) { lines_.push_back(without_comment(line)); });
  }

  DataYaml read() {
    while (at_ < lines_.size()) {
      const std::string_view line = lines_[at_];
      if (trimmed(line).empty() || trimmed(line) == "---") {
        ++at_;
        continue;
      }
      std::string_view value = line;
      const bool begins = blanks.find(line[0]) == std::string_view::npos;
      const std::optional<std::string> key = begins ? taken_key(value) : std::nullopt;
      if (!key) throw bad("is not \"key: value\"");
      read_key(*key, value);
    }
    if (values_.contains("nc")) check_count();
    check_class_names(file_.string() + ": names", yaml_.names);
    return std::move(yaml_);
  }

 private:
  Error bad(const std::string& what, std::optional<size_t> line = {}) const {
    return {ErrorKind::data,
            fmt::format("{}: line {} {}", file_.string(), line.value_or(at_) + 1, what)};
  }

  /// Where the key of a line ends: a colon at its end or before a blank; a quoted key may have
  /// others.
  static size_t end_of_key(std::string_view line) {
    const size_t from = is_quote(line) ? quoted_size(line) : 0;
    for (size_t colon = line.find(':', from); colon != std::string_view::npos;
         colon = line.find(':', colon + 1)) {
      if (colon + 1 == line.size() || blanks.find(line[colon + 1]) != std::string_view::npos)
        return colon;
    }
    return std::string_view::npos;
  }

  /// A text, quoted or not.
  std::string unquoted(std::string_view text) const {
    if (!text.empty() && !is_plain(text, longest_path)) {
      throw bad(fmt::format("has a value {}: {}",
                            text.size() > longest_path
                                ? fmt::format("of more than {} bytes", longest_path)
                                : "with control characters",
                            printable(text)));
    }
    if (!is_quote(text)) {
      constexpr std::string_view special = "[]{}&*!|>%@`";
      if (!text.empty() && special.find(text[0]) != text.npos)
        throw bad(fmt::format("has a value in a form that is not read: {}", printable(text)));
      return std::string(text);
    }
    const bool single = text[0] == '\'';
    if (quoted_size(text) != text.size() || (!single && text.find('\\') != text.npos))
      throw bad(fmt::format("has a quoted text that is not read: {}", printable(text)));
    std::string value;
    for (size_t i = 1; i + 1 < text.size(); ++i) {
      value += text[i];
      if (single && text[i] == '\'') ++i;  // one for two
    }
    return value;
  }

  /// Takes a key and its colon off `text`, which is then the value; none if there is no key.
  std::optional<std::string> taken_key(std::string_view& text) const {
    const size_t colon = end_of_key(text);
    if (colon == std::string_view::npos) return std::nullopt;
    std::string key = unquoted(trimmed(text.substr(0, colon)));
    text = trimmed(text.substr(colon + 1));
    return key;
  }

  /// Reads a key whose line has `text` after the colon.
  void read_key(const std::string& key, std::string_view text) {
    constexpr std::string_view known[] = {"path", "train", "val", "test", "names", "nc"};
    if (std::ranges::count(known, key) == 0) {
      ++at_;
      skip_indented();
      return;
    }
    YamlValue value{.line = at_, .parts = {}};
    if (text.starts_with('[')) {
      value.parts = bracketed(std::string(text), ']');
    } else if (text.starts_with('{')) {
      value.parts = bracketed(std::string(text), '}');
    } else if (!text.empty()) {
      value.parts = {{"", unquoted(text)}};
      ++at_;
    } else {
      ++at_;
      value.parts = indented();
    }
    if (!values_.emplace(key, value).second)
      throw bad(fmt::format("has \"{}\" again", key), value.line);
    take(key, value);
  }

  void skip_indented() {
    while (at_ < lines_.size() &&
           (trimmed(lines_[at_]).empty() || blanks.find(lines_[at_][0]) != std::string_view::npos))
      ++at_;
  }

  /// "[a, 'b', c]" or "{0: a, 1: b}", which may go on in further lines; then comes the next line.
  std::vector<std::pair<std::string, std::string>> bracketed(std::string text, char close) {
    const size_t begin = at_;
    while (!text.ends_with(close)) {
      if (++at_ == lines_.size()) throw bad("has a bracket that is not closed", begin);
      text += " ";
      text += trimmed(lines_[at_]);
    }
    std::vector<std::pair<std::string, std::string>> parts;
    std::string_view rest = trimmed(std::string_view(text).substr(1, text.size() - 2));
    while (!rest.empty()) {
      const std::optional<std::string> key = close == '}' ? taken_key(rest) : "";
      if (!key) throw bad(fmt::format("has a part without a number: {}", printable(rest)));
      const size_t from = is_quote(rest) ? quoted_size(rest) : 0;
      const size_t end = std::min(from == rest.npos ? from : rest.find(',', from), rest.size());
      parts.emplace_back(*key, unquoted(trimmed(rest.substr(0, end))));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      rest = trimmed(rest);
    }
    ++at_;
    return parts;
  }

  /// The lines "- item" or "0: name" after a key; a list may stand at the key's own indentation.
  std::vector<std::pair<std::string, std::string>> indented() {
    std::vector<std::pair<std::string, std::string>> parts;
    for (; at_ < lines_.size(); ++at_) {
      const std::string_view line = lines_[at_];
      std::string_view text = trimmed(line);
      if (text.empty()) continue;
      const bool item = text.starts_with("- ");
      if (!item && blanks.find(line[0]) == std::string_view::npos) break;
      if (item) {
        parts.emplace_back("", unquoted(trimmed(text.substr(2))));
      } else if (const std::optional<std::string> key = taken_key(text)) {
        parts.emplace_back(*key, unquoted(text));
      } else {
        throw bad("is neither \"- item\" nor \"number: name\"");
      }
    }
    return parts;
  }

  void take(const std::string& key, const YamlValue& value) {
    if (key == "nc") return;
    if (key == "names") {
      for (const auto& [number, name] : value.parts) {
        const bool numbered = !value.parts[0].first.empty();
        if (numbered != !number.empty() ||
            (numbered && number != std::to_string(yaml_.names.size())))
          throw bad("has names whose numbers are not 0, 1, 2, ...", value.line);
        yaml_.names.push_back(name);
      }
      return;
    }
    for (const auto& [number, text] : value.parts) {
      if (!number.empty()) throw bad(fmt::format("has no path for \"{}\"", key), value.line);
      if (text == "null" || text == "~") continue;
      if (key == "path") {
        yaml_.path = text;
      } else {
        yaml_.splits[key].push_back(text);
      }
    }
  }

  void check_count() const {
    const YamlValue& value = values_.at("nc");
    const std::string text = value.parts.size() == 1 ? value.parts[0].second : "";
    if (text == std::to_string(yaml_.names.size())) return;
    throw bad(
        fmt::format("has nc: {}, but there are {} names", printable(text), yaml_.names.size()),
        value.line);
  }

  std::filesystem::path file_;
  std::string text_;
  std::vector<std::string_view> lines_;
  size_t at_ = 0;
  std::map<std::string, YamlValue> values_;
  DataYaml yaml_;
};

}  // namespace

DataYaml read_data_yaml(const std::filesystem::path& file) { return YamlReader(file).read(); }

}  // namespace fovea::data
