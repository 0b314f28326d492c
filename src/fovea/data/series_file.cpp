#include "fovea/data/series_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "fovea/core/files.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

constexpr int64_t most_channels = 65536, most_steps = int64_t{1} << 24;
constexpr size_t largest_series_file = size_t{2} << 30;

std::string_view without_spaces(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string in_lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

bool is_missing(std::string_view text) {
  return text.empty() || text == "?" || in_lower_case(text) == "nan";
}

/// Interpolates the missing values of one channel.
void fill_missing(std::span<float> values) {
  std::optional<size_t> last;  // that is known
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    const size_t first = last ? *last + 1 : 0;
    for (size_t k = first; k < i; ++k) {
      const auto share = last ? static_cast<float>(k - *last) / static_cast<float>(i - *last) : 1;
      values[k] = last ? values[*last] + share * (values[i] - values[*last]) : values[i];
    }
    last = i;
  }
  for (size_t k = last ? *last + 1 : 0; k < values.size(); ++k)
    values[k] = last ? values[*last] : 0;
}

/// The lines of a text, numbered from 1.
class Lines {
 public:
  explicit Lines(const std::filesystem::path& file)
      : bytes_(read_file(file, ErrorKind::data, largest_series_file)),
        rest_(reinterpret_cast<const char*>(bytes_.bytes.data()), bytes_.bytes.size()) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  /// The next line that has more than spaces; none at the end.
  std::optional<std::string_view> next() {
    while (!rest_.empty()) {
      ++number_;
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      const std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      if (!without_spaces(line).empty()) return line;
    }
    return std::nullopt;
  }
  int64_t number() const { return number_; }

 private:
  FileBytes bytes_;
  std::string_view rest_;
  int64_t number_ = 0;
};

/// Cuts off and returns what is before the next `separator`.
std::string_view cut_first(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

/// What the header of a .ts file says.
struct TsHeader {
  std::optional<int64_t> dimensions, length;
  bool equal_length = false, has_classes = false, has_numbers = false;
  std::vector<std::string> classes;

  void read(std::string_view line, const SeriesFile& file, int64_t number);
};

void TsHeader::read(std::string_view line, const SeriesFile& file, int64_t number) {
  std::vector<std::string_view> words;
  while (!(line = without_spaces(line)).empty()) {
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  const std::string key = in_lower_case(words[0]);
  const std::string value = words.size() > 1 ? in_lower_case(words[1]) : "";
  const auto is_true = [&] {
    if (value == "true" || value == "false") return value == "true";
    throw file.bad(number, fmt::format("says that {} is \"{}\"; true or false is expected",
                                       printable(key), printable(value)));
  };
  const auto count = [&] {
    const std::optional<double> read = parse_number(value);
    if (read && *read >= 1 && *read <= static_cast<double>(most_steps) &&
        *read == std::floor(*read))
      return static_cast<int64_t>(*read);
    throw file.bad(number, fmt::format("says that {} is \"{}\"; a count is expected",
                                       printable(key), printable(value)));
  };
  if (key == "@timestamps" && is_true())
    throw file.bad(number, "says that values have time stamps, which are not read");
  if (key == "@dimensions" || key == "@dimension") dimensions = count();
  if (key == "@serieslength") length = count();
  if (key == "@equallength") equal_length = is_true();
  if (key == "@targetlabel") has_numbers = is_true();
  if (key != "@classlabel") return;
  has_classes = is_true();
  for (size_t i = 2; has_classes && i < words.size(); ++i) classes.emplace_back(words[i]);
}

/// A line after @data as a series.
OneSeries ts_series(std::string_view line, const TsHeader& header, const SeriesFile& file,
                    int64_t number) {
  OneSeries series{.values = {}, .line = number};
  std::string_view rest = line;
  if (header.has_classes || header.has_numbers) {
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) throw file.bad(number, "has no label after a colon");
    series.label = without_spaces(line.substr(colon + 1));
    rest = line.substr(0, colon);
  }
  int64_t channels = 0;
  for (bool more = true; more; ++channels) {
    more = rest.find(':') != std::string_view::npos;
    std::string_view channel = cut_first(rest, ':');
    if (channel.find('(') != std::string_view::npos)
      throw file.bad(number, "has time stamps, which are not read");
    const size_t before = series.values.size();
    while (!channel.empty())
      series.values.push_back(series_value(cut_first(channel, ','), file, number));
    const auto length = static_cast<int64_t>(series.values.size() - before);
    if (channels == 0) series.length = length;
    if (length == series.length) continue;
    throw file.bad(number, fmt::format("has {} in channel {}, but {} in channel 1",
                                       counted(length, "value"), channels + 1, series.length));
  }
  if (header.dimensions && channels != *header.dimensions) {
    throw file.bad(number, fmt::format("has {}, but the header says {}",
                                       counted(channels, "channel"), *header.dimensions));
  }
  if (header.equal_length && header.length && series.length != *header.length) {
    throw file.bad(number, fmt::format("has {} values, but the header says {}", series.length,
                                       *header.length));
  }
  const bool known = header.classes.empty() || !header.has_classes ||
                     std::ranges::find(header.classes, series.label) != header.classes.end();
  if (known) return series;
  throw file
      .bad(number, fmt::format("has the class \"{}\", which @classLabel does not name",
                               printable(series.label)))
      .with("known", printable(join(header.classes)));
}

}  // namespace

Error SeriesFile::bad(int64_t line, const std::string& what) const {
  return {ErrorKind::data, fmt::format("{}: line {} {}", file.string(), line, what)};
}

std::vector<std::string> series_suffixes() { return {".ts", ".tsv", ".csv"}; }

SeriesFile read_series(const std::filesystem::path& file) {
  const std::string suffix = in_lower_case(file.extension().string());
  if (suffix == ".ts") return read_ts(file);
  if (suffix == ".tsv") return read_tsv(file);
  if (suffix == ".csv") return read_series_table(file);
  throw Error(ErrorKind::data, fmt::format("{}: not the name of a file of series", file.string()))
      .with("expected", join(series_suffixes()));
}

SeriesFile read_ts(const std::filesystem::path& path) {
  SeriesFile file{.file = path};
  TsHeader header;
  Lines lines(path);
  bool data = false;
  while (const auto next = lines.next()) {
    const std::string_view line = without_spaces(*next);
    if (line.starts_with('#') || line.starts_with('%')) continue;
    if (data) {
      OneSeries series = ts_series(line, header, file, lines.number());
      const auto channels =
          static_cast<int64_t>(series.values.size()) / std::max<int64_t>(series.length, 1);
      add_series(file, std::move(series), channels);
    } else if (in_lower_case(line) == "@data") {
      data = true;
      file.labels = header.has_classes   ? SeriesFile::Labels::classes
                    : header.has_numbers ? SeriesFile::Labels::numbers
                                         : SeriesFile::Labels::none;
    } else if (line.starts_with('@')) {
      header.read(line, file, lines.number());
    } else {
      throw file.bad(lines.number(), "comes before @data, and is no header that begins with @");
    }
  }
  if (!data) throw Error(ErrorKind::data, path.string() + ": no line @data");
  file.classes = header.classes;
  if (file.classes.empty() && header.has_classes) {
    for (const OneSeries& series : file.series) file.classes.push_back(series.label);
    file.classes = sorted_classes(std::move(file.classes));
  }
  return file;
}

SeriesFile read_tsv(const std::filesystem::path& path) {
  SeriesFile file{.file = path, .labels = SeriesFile::Labels::classes};
  Lines lines(path);
  while (const auto line = lines.next()) {
    std::string_view rest = *line;
    OneSeries series{.values = {}, .line = lines.number()};
    const std::string_view label = without_spaces(cut_first(rest, '\t'));
    // Some files write classes as 1.0000000e+00.
    const std::optional<double> number = parse_number(label);
    series.label = number ? format_number(*number) : std::string(label);
    while (!rest.empty())
      series.values.push_back(series_value(cut_first(rest, '\t'), file, lines.number()));
    while (!series.values.empty() && std::isnan(series.values.back())) series.values.pop_back();
    series.length = static_cast<int64_t>(series.values.size());
    file.classes.push_back(series.label);
    add_series(file, std::move(series), 1);
  }
  file.classes = sorted_classes(std::move(file.classes));
  return file;
}

float series_value(std::string_view text, const SeriesFile& into, int64_t line) {
  text = without_spaces(text);
  if (is_missing(text)) return std::numeric_limits<float>::quiet_NaN();
  const std::optional<double> value = parse_number(text.starts_with('+') ? text.substr(1) : text);
  if (value && std::abs(*value) <= std::numeric_limits<float>::max())
    return static_cast<float>(*value);
  throw into.bad(line, fmt::format("has \"{}\" where a finite number is expected",
                                   printable(text.substr(0, 40))));
}

void add_series(SeriesFile& into, OneSeries series, int64_t channels) {
  const auto fail = [&](const std::string& what) { return into.bad(series.line, what); };
  const bool empty = std::ranges::all_of(series.values, [](float v) { return std::isnan(v); });
  if (series.length < 1 || empty) throw fail("is a series without values");
  if (series.length > most_steps || channels > most_channels) {
    throw fail(fmt::format("is a series of {} channels and {} steps; at most {} and {} are read",
                           channels, series.length, most_channels, most_steps));
  }
  if (into.channels == 0) into.channels = channels;
  if (channels != into.channels) {
    throw fail(fmt::format("has {}, but the series before it {}", counted(channels, "channel"),
                           into.channels));
  }
  if (into.labels != SeriesFile::Labels::none && series.label.empty()) throw fail("has no label");
  if (into.labels == SeriesFile::Labels::numbers && !parse_number(series.label)) {
    throw fail(fmt::format("has the target \"{}\", which is not a finite number",
                           printable(series.label)));
  }
  const auto length = static_cast<size_t>(series.length);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c)
    fill_missing(std::span(series.values).subspan(c * length, length));
  series.values.shrink_to_fit();
  into.series.push_back(std::move(series));
}

std::vector<std::string> sorted_classes(std::vector<std::string> names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  const auto number = [](const std::string& name) { return parse_number(name); };
  if (std::ranges::all_of(names, [&](const auto& name) { return number(name).has_value(); })) {
    std::ranges::sort(names, [&](const auto& a, const auto& b) { return *number(a) < *number(b); });
  }
  return names;
}

}  // namespace fovea::data
