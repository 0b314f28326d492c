#include "fovea/data/shard_pattern.h"

#include <fmt/format.h>

#include <fnmatch.h>

#include <algorithm>
#include <charconv>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_texts = 100'000;

Error bad_braces(const std::string& pattern, const std::string& what) {
  return Error(ErrorKind::usage, fmt::format("{}: {}", pattern, what))
      .with("expected", "{000..009}, or {a,b}");
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool complete = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return complete && value >= 0 && text.size() < 18 ? std::optional(value) : std::nullopt;
}

/// What is between two braces.
std::vector<std::string> choices(const std::string& pattern, const std::string& inside) {
  const size_t dots = inside.find("..");
  if (dots == std::string::npos) {
    if (inside.find(',') == std::string::npos)
      throw bad_braces(pattern, "{" + inside + "} means nothing");
    return split(inside, ',');
  }
  const std::string first = inside.substr(0, dots), last = inside.substr(dots + 2);
  const std::optional<int64_t> begin = whole_number(first), end = whole_number(last);
  if (!begin || !end || *end < *begin)
    throw bad_braces(pattern, "{" + inside + "} does not count upwards");
  if (static_cast<size_t>(*end - *begin) >= max_texts)
    throw bad_braces(pattern, "{" + inside + "} names more than 100,000 files");
  std::vector<std::string> all;
  for (int64_t number = *begin; number <= *end; ++number) {
    std::string digits = std::to_string(number);
    if (digits.size() < first.size()) digits.insert(0, first.size() - digits.size(), '0');
    all.push_back(digits);
  }
  return all;
}

bool starts_with_any(const std::string& name, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return name.starts_with(word); });
}

/// The files in a folder whose names match, sorted.
std::vector<fs::path> matching(const fs::path& folder, const std::string& glob) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator i(folder.empty() ? "." : folder, error), end; !error && i != end;
       i.increment(error)) {
    const std::string name = i->path().filename().string();
    if (::fnmatch(glob.c_str(), name.c_str(), FNM_PERIOD) == 0) found.push_back(folder / name);
  }
  if (error)
    throw Error(ErrorKind::data,
                fmt::format("cannot read the folder {}: {}", folder.string(), error.message()));
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> files_of(const fs::path& pattern) {
  if (is_folder(pattern, ErrorKind::data)) return matching(pattern, "*.tar");
  std::vector<fs::path> files;
  for (const std::string& text : expand_braces(pattern.string())) {
    const fs::path path = text;
    const std::string name = path.filename().string();
    if (name.find_first_of("*?[") != std::string::npos && !exists(path, ErrorKind::data)) {
      std::ranges::copy(matching(path.parent_path(), name), std::back_inserter(files));
    } else if (exists(path, ErrorKind::data)) {
      files.push_back(path);
    } else {
      throw Error(ErrorKind::data, fmt::format("tar file {} does not exist", path.string()));
    }
  }
  return files;
}

}  // namespace

std::vector<std::string> expand_braces(const std::string& pattern) {
  const size_t open = pattern.find('{');
  if (open == std::string::npos) return {pattern};
  const size_t close = pattern.find('}', open);
  if (close == std::string::npos) throw bad_braces(pattern, "a brace is not closed");
  std::vector<std::string> all;
  const std::vector<std::string> rests = expand_braces(pattern.substr(close + 1));
  for (const std::string& choice : choices(pattern, pattern.substr(open + 1, close - open - 1))) {
    if (all.size() + rests.size() > max_texts)
      throw bad_braces(pattern, "the pattern names more than 100,000 files");
    for (const std::string& rest : rests) all.push_back(pattern.substr(0, open) + choice + rest);
  }
  return all;
}

ShardSplits find_shards(const fs::path& pattern) {
  ShardSplits splits;
  for (const fs::path& file : files_of(pattern)) {
    const std::string name = file.filename().string();
    auto& part = starts_with_any(name, {"val"})    ? splits.val
                 : starts_with_any(name, {"test"}) ? splits.test
                                                   : splits.train;
    part.push_back(file);
  }
  if (!splits.train.empty()) return splits;
  Error error(ErrorKind::data, fmt::format("{}: no tar files to train on", pattern.string()));
  if (!splits.val.empty() || !splits.test.empty())
    error.with("found", "files of val and test only");
  throw error.with("try", "tar:FOLDER, tar:'shard-{000..009}.tar' or tar:'shard-*.tar'");
}

}  // namespace fovea::data
