#include "fovea/data/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/draw/curve.h"
#include "fovea/draw/heat.h"

namespace fovea::data {
namespace {

constexpr int64_t most_input_values = int64_t{1} << 26;

const std::vector<std::string> normalization_words{"channel", "series", "none"};

SeriesNormalization series_normalization(const Arguments& arguments) {
  const auto found = std::ranges::find(normalization_words, arguments.word("normalize"));
  return static_cast<SeriesNormalization>(found - normalization_words.begin());
}

Argument normalize_argument() {
  return {.name = "normalize",
          .type = ArgumentType::word,
          .default_value = std::string("channel"),
          .words = normalization_words,
          .help = "by what: each channel over all training series, each series by itself, or not"};
}

const std::vector<std::string> longer_words{"refuse", "middle", "beginning"};

LongerSeries longer_series(const Arguments& arguments) {
  const auto found = std::ranges::find(longer_words, arguments.word("longer"));
  return static_cast<LongerSeries>(found - longer_words.begin());
}

Argument longer_argument() {
  return {.name = "longer",
          .type = ArgumentType::word,
          .default_value = std::string("refuse"),
          .words = longer_words,
          .help = "what becomes of series longer than length: an error, or which part is taken"};
}

/// Series in memory, padded when they are asked for.
class SeriesData : public Dataset {
 public:
  SeriesData(std::shared_ptr<const SeriesFile> from, std::vector<size_t> rows, Targets meaning,
             std::shared_ptr<const SeriesModality> modality)
      : from_(std::move(from)),
        rows_(std::move(rows)),
        meaning_(std::move(meaning)),
        modality_(std::move(modality)) {
    std::map<std::string_view, int64_t> groups;
    for (const size_t row : rows_) {
      const OneSeries& series = from_->series[row];
      bytes_ += static_cast<int64_t>(series.values.size() * sizeof(float));
      if (from_->has_groups)
        groups_.push_back(groups.emplace(series.group, std::ssize(groups)).first->second);
    }
  }

  int64_t size() const override { return std::ssize(rows_); }
  Sample sample(int64_t i) const override {
    return {modality_->input_of(row(i), *from_), target(i)};
  }
  bool has_stretches() const override { return modality_->has_stretches(); }
  Array stretch(int64_t i, double place) const override {
    return modality_->input_of(row(i), *from_, place);
  }
  std::optional<Type> input() const override { return modality_->input(); }
  std::shared_ptr<const Modality> modality() const override { return modality_; }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override {
    const std::string& label = row(i).label;
    Array target(meaning_.type.dtype, meaning_.type.shape);
    const bool numbers = meaning_.type.dtype == DType::f32;
    const auto place = std::ranges::find(meaning_.names, label) - meaning_.names.begin();
    target.set(0, numbers ? *parse_number(label) : static_cast<double>(place));
    return target;
  }
  int64_t group(int64_t i) const override {
    return groups_.empty() ? i : groups_[static_cast<size_t>(i)];
  }
  std::string name(int64_t i) const override {
    return fmt::format("{}[{}]", from_->file.filename().string(), rows_[static_cast<size_t>(i)]);
  }
  int64_t held_bytes() const override { return bytes_; }

 private:
  const OneSeries& row(int64_t i) const { return from_->series[rows_[static_cast<size_t>(i)]]; }

  std::shared_ptr<const SeriesFile> from_;
  std::vector<size_t> rows_;
  Targets meaning_;
  std::shared_ptr<const SeriesModality> modality_;
  std::vector<int64_t> groups_;
  int64_t bytes_ = 0;
};

using SeriesFilePtr = std::shared_ptr<const SeriesFile>;

/// What the labels of the files mean. Errors: data when they are of different kinds, or missing.
Targets series_targets(const std::vector<SeriesFilePtr>& files) {
  const SeriesFile& first = *files[0];
  for (const SeriesFilePtr& file : files) {
    const auto fail = [&](const std::string& what) {
      return Error(ErrorKind::data, fmt::format("{}: {}", file->file.string(), what));
    };
    if (file->series.empty()) throw fail("no series");
    if (file->labels == SeriesFile::Labels::none) {
      throw fail("its series have no labels")
          .with("expected", file->file.extension() == ".csv"
                                ? "a column label or target"
                                : "@classLabel true and their names, or @targetLabel true");
    }
    if (file->labels != first.labels)
      throw fail("classes here, numbers in " + first.file.filename().string());
    if (file->channels != first.channels) {
      throw fail(fmt::format("{}, but {} in {}", counted(file->channels, "channel"), first.channels,
                             first.file.filename().string()));
    }
  }
  if (first.labels == SeriesFile::Labels::numbers)
    return {.type = {DType::f32, {1}}, .names = {"target"}};
  std::vector<std::string> names = first.classes;
  bool more = false;
  for (const SeriesFilePtr& file : files) {
    for (const std::string& name : file->classes) {
      if (std::ranges::find(names, name) != names.end()) continue;
      names.push_back(name);
      more = true;
    }
  }
  if (more) names = sorted_classes(std::move(names));
  if (names.size() >= 2) return class_targets(std::move(names));
  throw Error(ErrorKind::data,
              fmt::format("{}: 1 class; at least 2 are expected", first.file.string()))
      .with("found", printable(names[0]));
}

/// How the series of all files become inputs of one size. Errors: usage for a `length` below the
/// longest's where that is refused; data for inputs that would be too large.
std::shared_ptr<const SeriesModality> series_modality(const std::vector<SeriesFilePtr>& files,
                                                      const Arguments& options) {
  int64_t longest = 0, shortest = most_input_values;
  for (const SeriesFilePtr& file : files) {
    for (const OneSeries& series : file->series) {
      longest = std::max(longest, series.length);
      shortest = std::min(shortest, series.length);
    }
  }
  const int64_t asked = options.integer("length");
  const LongerSeries longer = longer_series(options);
  const bool cut = longer != LongerSeries::refuse;
  if (asked > 0 && asked < longest && !cut) {
    throw Error(ErrorKind::usage,
                fmt::format("length={} is below that of the longest series, {}", asked, longest))
        .with("try", fmt::format("length={} or more, to which series are padded; or longer=middle, "
                                 "which cuts longer ones",
                                 longest));
  }
  const int64_t length = cut && asked > 0 ? asked : std::max(asked, longest),
                channels = files[0]->channels;
  if (channels > most_input_values / length) {
    throw Error(ErrorKind::data,
                fmt::format("{}: padded to {} steps, a series of {} channels would have more than "
                            "{} values",
                            files[0]->file.string(), length, channels, most_input_values));
  }
  const bool masked = options.has("masked") ? options.flag("masked") : shortest < length;
  if (!masked && shortest < length) {
    throw Error(
        ErrorKind::usage,
        fmt::format("masked=false, but a series of {} steps is shorter than {}", shortest, length))
        .with("try", "masked=true, and a model for such inputs");
  }
  return std::make_shared<SeriesModality>(channels, length, masked, series_normalization(options),
                                          longer);
}

std::shared_ptr<const Dataset> series_split(const SeriesFilePtr& file, const Targets& meaning,
                                            const std::shared_ptr<const SeriesModality>& modality,
                                            std::string_view split = "") {
  std::vector<size_t> rows;
  for (size_t i = 0; i < file->series.size(); ++i) {
    if (split.empty() || file->series[i].split == split) rows.push_back(i);
  }
  if (rows.empty()) return nullptr;
  return std::make_shared<SeriesData>(file, std::move(rows), meaning, modality);
}

/// The file of a split of the UCR archive, if there is one.
std::optional<std::filesystem::path> ucr_file(const std::filesystem::path& prefix,
                                              const std::string& split) {
  std::vector<std::filesystem::path> prefixes{prefix};
  const std::filesystem::path plain = prefix.has_filename() ? prefix : prefix.parent_path();
  if (is_folder(plain, ErrorKind::data)) prefixes.push_back(plain / plain.filename());
  for (const std::filesystem::path& from : prefixes) {
    for (const char* suffix : {".ts", ".tsv"}) {
      const std::filesystem::path file = from.string() + "_" + split + suffix;
      if (exists(file, ErrorKind::data)) return file;
    }
  }
  return std::nullopt;
}

}  // namespace

SeriesModality::SeriesModality(int64_t channels, int64_t length, bool masked,
                               SeriesNormalization normalization, LongerSeries longer)
    : channels_(channels),
      length_(length),
      masked_(masked),
      normalization_(normalization),
      longer_(longer) {}

std::string SeriesModality::text() const {
  const std::string text = fmt::format("series:{}:{}:{}:{}", channels_, length_, masked_,
                                       normalization_words[static_cast<size_t>(normalization_)]);
  return has_stretches() ? text + ":" + longer_words[static_cast<size_t>(longer_)] : text;
}

Type SeriesModality::input() const {
  return {DType::f32, {channels_ + (masked_ ? 1 : 0), length_}};
}

namespace {

/// The only series of a file. Errors: data when there are others, or none.
const OneSeries& only_series(const SeriesFile& file) {
  if (file.series.size() == 1) return file.series[0];
  throw Error(ErrorKind::data, fmt::format("{}: {} series; one is expected here",
                                           file.file.string(), file.series.size()));
}

}  // namespace

Array SeriesModality::read(const std::filesystem::path& path) const {
  const SeriesFile file = read_series(path);
  return input_of(only_series(file), file);
}

Array SeriesModality::read_stretch(const std::filesystem::path& path, double place) const {
  const SeriesFile file = read_series(path);
  return input_of(only_series(file), file, place);
}

std::vector<Array> SeriesModality::read_all(const std::filesystem::path& path) const {
  const SeriesFile file = read_series(path);
  if (file.series.empty())
    throw Error(ErrorKind::data, fmt::format("{}: no series", path.string()));
  std::vector<Array> inputs;
  for (const OneSeries& series : file.series) inputs.push_back(input_of(series, file));
  return inputs;
}

Array SeriesModality::input_of(const OneSeries& series, const SeriesFile& from,
                               std::optional<double> place) const {
  if (from.channels != channels_) {
    throw from.bad(series.line, fmt::format("is a series of {} channels; {} are expected",
                                            from.channels, channels_));
  }
  if ((series.length > length_ && !has_stretches()) || (series.length < length_ && !masked_)) {
    throw from
        .bad(series.line, fmt::format("is a series of {} steps; {}{} are expected", series.length,
                                      has_stretches() ? "at least "
                                      : masked_       ? "at most "
                                                      : "",
                                      length_))
        .with("try", "a model trained with length=N: series up to that length are padded");
  }
  Array input = Array::zeros(DType::f32, this->input().shape);
  const auto to = input.data<float>();
  const auto length = static_cast<size_t>(series.length), row = static_cast<size_t>(length_),
             kept = std::min(length, row), free = length - kept;
  const size_t first = place ? static_cast<size_t>(std::llround(*place * static_cast<double>(free)))
                       : longer_ == LongerSeries::middle ? free / 2
                                                         : 0;
  for (size_t c = 0; c < static_cast<size_t>(channels_); ++c) {
    const auto values = std::span(series.values).subspan(c * length, length);
    double mean = 0, std = 1;
    if (normalization_ == SeriesNormalization::series) {
      double sum = 0, squares = 0;
      for (const float v : values) sum += v;
      mean = sum / static_cast<double>(length);
      for (const float v : values) squares += (v - mean) * (v - mean);
      std = std::sqrt(squares / static_cast<double>(length));
      if (std < 1e-8) std = 1;
    }
    for (size_t i = 0; i < kept; ++i)
      to[c * row + i] = static_cast<float>((values[first + i] - mean) / std);
  }
  if (masked_) std::ranges::fill(to.subspan(static_cast<size_t>(channels_) * row, kept), 1.0f);
  return input;
}

Image SeriesModality::picture(const Array& input, const Array* map) const {
  const auto values = input.data<float>();
  const auto row = static_cast<size_t>(length_);
  size_t own = row;
  if (masked_) {
    own = static_cast<size_t>(
        std::ranges::count_if(values.last(row), [](float m) { return m > 0.5f; }));
    own = std::max<size_t>(own, 1);
  }
  Array curves(DType::f32, {channels_, static_cast<int64_t>(own)});
  for (size_t c = 0; c < static_cast<size_t>(channels_); ++c)
    std::ranges::copy(values.subspan(c * row, own), curves.data<float>().begin() + c * own);
  if (map == nullptr) return draw::curve_image(curves);
  const Array all =
      draw::resized_map(map->reshaped({1, map->numel()}), 1, static_cast<int>(length_));
  Array part(DType::f32, {static_cast<int64_t>(own)});
  std::ranges::copy(all.data<float>().first(own), part.data<float>().begin());
  return draw::curve_image(curves, &part);
}

ModalityEntry series_entry() {
  const auto count = [](std::string name) {
    return Argument{.name = std::move(name),
                    .type = ArgumentType::integer,
                    .minimum = 1,
                    .maximum = static_cast<double>(most_input_values)};
  };
  return {.choice = {.name = "series",
                     .arguments = {count("channels"), count("length"),
                                   Argument{.name = "masked", .type = ArgumentType::flag},
                                   normalize_argument(), longer_argument()},
                     .help = "time series of files .ts, .tsv and .csv"},
          .make = [](const Arguments& a) -> std::shared_ptr<const Modality> {
            const int64_t channels = a.integer("channels"), length = a.integer("length");
            if (channels > most_input_values / length)
              throw Error(ErrorKind::usage, "series: too many channels and steps");
            return std::make_shared<SeriesModality>(channels, length, a.flag("masked"),
                                                    series_normalization(a), longer_series(a));
          }};
}

std::vector<Argument> series_options() {
  return {normalize_argument(), longer_argument(),
          Argument{.name = "length",
                   .type = ArgumentType::integer,
                   .default_value = int64_t{0},
                   .maximum = static_cast<double>(most_input_values),
                   .help = "to which series are padded; 0: the longest's"},
          Argument{.name = "masked",
                   .type = ArgumentType::flag,
                   .follows = "whether a series is shorter than that",
                   .help = "whether inputs have a channel that says where they are padded"}};
}

DataSets open_ucr(const std::filesystem::path& prefix, const Arguments& options) {
  const auto train_file = ucr_file(prefix, "TRAIN");
  if (!train_file) {
    throw Error(ErrorKind::data, fmt::format("{}: no such series", prefix.string()))
        .with("looked", fmt::format("for {0}_TRAIN.ts and {0}_TRAIN.tsv", prefix.string()))
        .with("try", "--data ucr:DIR/NAME, the files' names without _TRAIN.ts");
  }
  std::vector<SeriesFilePtr> files{std::make_shared<SeriesFile>(read_series(*train_file))};
  if (const auto test_file = ucr_file(prefix, "TEST"))
    files.push_back(std::make_shared<SeriesFile>(read_series(*test_file)));
  const Targets meaning = series_targets(files);
  const auto modality = series_modality(files, options);
  return with_test_split(
      {.name = "ucr",
       .train = series_split(files[0], meaning, modality),
       .test = files.size() > 1 ? series_split(files[1], meaning, modality) : nullptr});
}

DataSets open_series(const std::filesystem::path& path, const Arguments& options) {
  const auto file = std::make_shared<SeriesFile>(read_series(path));
  const Targets meaning = series_targets({file});
  const auto modality = series_modality({file}, options);
  if (!file->has_splits) {
    return with_test_split(
        {.name = "series", .train = series_split(file, meaning, modality), .test = nullptr});
  }
  for (const OneSeries& series : file->series) {
    if (series.split == "train" || series.split == "val" || series.split == "test") continue;
    throw file->bad(series.line, fmt::format("has the split \"{}\"; train, val or test is expected",
                                             printable(series.split)));
  }
  DataSets sets{.name = "series",
                .train = series_split(file, meaning, modality, "train"),
                .test = series_split(file, meaning, modality, "test"),
                .val = series_split(file, meaning, modality, "val")};
  if (!sets.train) {
    throw Error(ErrorKind::data, fmt::format("{}: no series has the split train", path.string()))
        .with("found", sets.val && sets.test ? "test, val"
                       : sets.val            ? "val"
                                             : "test")
        .with("try", "train in the column split of the series to train on");
  }
  return with_test_split(std::move(sets));
}

}  // namespace fovea::data
