#include "fovea/formats/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/formats/content.h"
#include "fovea/formats/safetensors.h"

namespace fovea {
namespace {

using nlohmann::json;

constexpr int format_version = 1;
constexpr size_t largest_json = size_t{16} << 20;
constexpr std::string_view arguments_prefix = "fovea.arguments.";
constexpr std::string_view training_prefix = "fovea.training.";

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string preprocessing_text(const Preprocessing& p) {
  json fields{{"height", p.height},
              {"width", p.width},
              {"channels", p.channels},
              {"resize", p.resize ? json(*p.resize) : json()},
              {"filter", name(p.filter)},
              {"mean", p.mean},
              {"std", p.std}};
  if (p.letterbox) fields["letterbox"] = *p.letterbox;
  return dumped(fields);
}

/// The metadata of one file, consumed key by key: keys that remain at the end are unknown.
class Metadata {
 public:
  Metadata(std::map<std::string, std::string> strings, std::string file)
      : strings_(std::move(strings)), file_(std::move(file)) {}

  Error error(const std::string& what) const {
    return {ErrorKind::model, fmt::format("{}: {}", file_, what)};
  }

  bool has(const std::string& key) const { return strings_.contains(key); }

  std::string take(const std::string& key) {
    auto node = strings_.extract(key);
    if (node.empty()) throw error(fmt::format("its metadata has no \"{}\"", key));
    return std::move(node.mapped());
  }

  /// All strings under `prefix`, by the rest of their keys.
  std::map<std::string, std::string> take_all(std::string_view prefix) {
    std::map<std::string, std::string> found;
    auto it = strings_.lower_bound(std::string(prefix));
    while (it != strings_.end() && it->first.starts_with(prefix)) {
      found.emplace(it->first.substr(prefix.size()), std::move(it->second));
      it = strings_.erase(it);
    }
    return found;
  }

  /// The string at `key` parsed as JSON: a list or object of plain values or lists of them.
  json take_json(const std::string& key) {
    const std::string text = take(key);
    if (text.size() > largest_json) {
      throw error(fmt::format("\"{}\" in its metadata has {} bytes, at most {} are read", key,
                              text.size(), largest_json));
    }
    std::set<std::string> keys;
    const auto limits = [&](int depth, json::parse_event_t event, json& parsed) {
      const bool opens =
          event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
      if (opens && depth > 1)
        throw error(fmt::format("\"{}\" in its metadata is nested too deep", key));
      if (event == json::parse_event_t::key && !keys.insert(parsed.get<std::string>()).second) {
        throw error(
            fmt::format("\"{}\" in its metadata has the duplicate key {}", key, parsed.dump()));
      }
      return true;
    };
    try {
      return json::parse(text, limits);
    } catch (const json::parse_error& problem) {
      throw error(fmt::format("\"{}\" in its metadata is not valid JSON", key))
          .with("at", fmt::format("character {}", problem.byte));
    } catch (const json::exception&) {  // a number beyond a double's range
      throw error(fmt::format("\"{}\" in its metadata holds a number out of range", key));
    }
  }

  void check_format() {
    if (!strings_.contains("fovea.format")) {
      throw error("its metadata does not say which network it is for")
          .with("try", "a file written by fovea train; or --model NAME --weights FILE");
    }
    const std::string text = take("fovea.format");
    int version = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, version);
    if (parsed.ec != std::errc() || parsed.ptr != end || version < 1) {
      throw error(fmt::format("\"fovea.format\" is \"{}\", not a version", text.substr(0, 40)));
    }
    if (version > format_version) {
      throw error("it was written by a newer version of Fovea")
          .with("format", text)
          .with("readable", fmt::format("up to {}", format_version))
          .with("try", "a newer fovea");
    }
  }

  void check_empty() const {
    const auto left = strings_.lower_bound("fovea.");
    if (left != strings_.end() && left->first.starts_with("fovea.")) {
      throw error(fmt::format("its metadata has the unknown key \"{}\"", left->first));
    }
  }

 private:
  std::map<std::string, std::string> strings_;
  std::string file_;
};

/// Consumes the fields of one JSON object, each of an expected type.
class Fields {
 public:
  Fields(json object, const std::string& key, const Metadata& metadata)
      : object_(std::move(object)), key_(key), metadata_(metadata) {
    if (!object_.is_object()) throw wrong("is not an object");
  }

  json take(const std::string& field) {
    const auto it = object_.find(field);
    if (it == object_.end()) throw wrong(fmt::format("has no \"{}\"", field));
    json value = std::move(*it);
    object_.erase(it);
    return value;
  }
  int take_int(const std::string& field) { return to_int(take(field), field); }

  bool has(const std::string& field) const { return object_.contains(field); }
  std::optional<int> take_optional_int(const std::string& field) {
    const json value = take(field);
    if (value.is_null()) return std::nullopt;
    return to_int(value, field);
  }

  Filter take_filter(const std::string& field) {
    const json value = take(field);
    const auto filter =
        value.is_string() ? filter_named(value.get_ref<const std::string&>()) : std::nullopt;
    if (!filter) throw wrong(shown(field, value)).with("known", "nearest, bilinear, bicubic");
    return *filter;
  }

  std::vector<double> take_numbers(const std::string& field) {
    const json value = take(field);
    const auto is_number = [](const json& item) { return item.is_number(); };
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_number)) {
      throw wrong(shown(field, value) + ", not a list of numbers");
    }
    return value.get<std::vector<double>>();
  }

  void check_empty() const {
    if (!object_.empty())
      throw wrong(fmt::format("has the unknown field \"{}\"", object_.begin().key()));
  }

  Error wrong(const std::string& what) const {
    return metadata_.error(fmt::format("\"{}\" in its metadata {}", key_, what));
  }

 private:
  static std::string shown(const std::string& field, const json& value) {
    return fmt::format("says that {} is {}", field, dumped(value).substr(0, 60));
  }

  int to_int(const json& value, const std::string& field) const {
    constexpr int64_t maximum = std::numeric_limits<int>::max();
    // Unsigned first: a huge one would turn negative as a signed number.
    const bool fits = value.is_number_unsigned()
                          ? value.get<uint64_t>() <= uint64_t{maximum}
                          : value.is_number_integer() && value.get<int64_t>() >= -maximum;
    if (!fits) throw wrong(shown(field, value) + ", not an integer in range");
    return value.get<int>();
  }

  json object_;
  const std::string& key_;
  const Metadata& metadata_;
};

std::optional<DType> dtype_named(std::string_view text) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                            DType::i16, DType::i8, DType::u8, DType::u16, DType::boolean}) {
    if (name(dtype) == text) return dtype;
  }
  return std::nullopt;
}

/// What a normalisation of numbers has wrong, "" if nothing.
std::string normalization_problem(const ModelFile& model) {
  if (model.mean.size() != model.std.size()) return "has other numbers of means and stds";
  for (size_t c = 0; c < model.mean.size(); ++c) {
    if (!std::isfinite(model.mean[c]) || !std::isfinite(model.std[c]) || model.std[c] < minimum_std)
      return fmt::format("has a mean that is not finite or a std below {}", minimum_std);
  }
  return "";
}

void take_modality(Metadata& metadata, ModelFile& model) {
  if (!metadata.has("fovea.modality")) return;
  model.modality = metadata.take("fovea.modality");
  const std::string key = "fovea.normalization";
  if (!metadata.has(key)) return;
  Fields fields(metadata.take_json(key), key, metadata);
  model.mean = fields.take_numbers("mean");
  model.std = fields.take_numbers("std");
  fields.check_empty();
  if (const std::string wrong = normalization_problem(model); !wrong.empty())
    throw fields.wrong(wrong);
}

/// The task and its targets; by default classification.
void take_task(Metadata& metadata, ModelFile& model) {
  if (!metadata.has("fovea.task")) return;
  model.task = metadata.take("fovea.task");
  const std::string key = "fovea.target";
  Fields fields(metadata.take_json(key), key, metadata);
  const json dtype = fields.take("dtype");
  const auto known =
      dtype.is_string() ? dtype_named(dtype.get_ref<const std::string&>()) : std::optional<DType>();
  if (!known) throw fields.wrong("has an unknown dtype");
  std::vector<int64_t> dims;
  for (const double dim : fields.take_numbers("shape")) {
    if (!(dim >= 0 && dim <= 1e9 && dim == std::floor(dim)) || std::ssize(dims) == Shape::max_rank)
      throw fields.wrong("has an invalid shape");
    dims.push_back(static_cast<int64_t>(dim));
  }
  fields.check_empty();
  model.target = {*known, Shape(std::span<const int64_t>(dims))};
}

std::optional<Preprocessing> take_preprocessing(Metadata& metadata) {
  const std::string key = "fovea.preprocessing";
  if (!metadata.has(key) && metadata.has("fovea.task")) return std::nullopt;
  Fields fields(metadata.take_json(key), key, metadata);
  Preprocessing p;
  p.height = fields.take_int("height");
  p.width = fields.take_int("width");
  p.channels = fields.take_int("channels");
  p.resize = fields.take_optional_int("resize");
  if (fields.has("letterbox")) p.letterbox = fields.take_int("letterbox");
  p.filter = fields.take_filter("filter");
  p.mean = fields.take_numbers("mean");
  p.std = fields.take_numbers("std");
  fields.check_empty();
  const std::string wrong = problem(p);
  if (!wrong.empty()) throw fields.wrong("is invalid: " + wrong);
  return p;
}

std::vector<std::string> take_class_names(Metadata& metadata) {
  const json list = metadata.take_json("fovea.class_names");
  const auto is_string = [](const json& item) { return item.is_string(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_string)) {
    throw metadata.error("\"fovea.class_names\" in its metadata is not a list of strings");
  }
  return list.get<std::vector<std::string>>();
}

/// The data set's numbers of the classes, of which there are as many as names; by default none.
std::vector<int64_t> take_class_ids(Metadata& metadata, size_t count) {
  if (!metadata.has("fovea.class_ids")) return {};
  const json list = metadata.take_json("fovea.class_ids");
  const auto is_id = [](const json& item) {
    return item.is_number_integer() &&
           !(item.is_number_unsigned() && item.get<uint64_t>() > uint64_t{INT64_MAX});
  };
  if (!list.is_array() || list.size() != count || !std::all_of(list.begin(), list.end(), is_id)) {
    throw metadata.error(
        fmt::format("\"fovea.class_ids\" in its metadata is not a list of {} integers", count));
  }
  return list.get<std::vector<int64_t>>();
}

}  // namespace

void save_model(const std::filesystem::path& path, const ModelFile& model) {
  if (model.architecture.empty()) {
    throw Error(ErrorKind::usage, "save_model: the architecture has no name");
  }
  const std::string wrong = model.preprocessing ? problem(*model.preprocessing) : "";
  if (!wrong.empty())
    throw Error(ErrorKind::usage, fmt::format("save_model: preprocessing: {}", wrong));
  if (const std::string bad = normalization_problem(model); !bad.empty())
    throw Error(ErrorKind::usage, fmt::format("save_model: the normalisation {}", bad));
  SafeTensors contents;
  contents.metadata = {{"fovea.format", std::to_string(format_version)},
                       {"fovea.architecture", model.architecture},
                       {"fovea.class_names", dumped(model.class_names)}};
  if (model.preprocessing)
    contents.metadata["fovea.preprocessing"] = preprocessing_text(*model.preprocessing);
  if (!model.modality.empty()) {
    contents.metadata["fovea.modality"] = model.modality;
    if (!model.mean.empty())
      contents.metadata["fovea.normalization"] = dumped({{"mean", model.mean}, {"std", model.std}});
  }
  const ModelFile defaults;  // which files do not mention
  if (model.task != defaults.task || model.target != defaults.target || !model.preprocessing) {
    const auto dims = model.target.shape.dims();
    contents.metadata["fovea.task"] = model.task;
    contents.metadata["fovea.target"] =
        dumped({{"dtype", name(model.target.dtype)},
                {"shape", std::vector<int64_t>(dims.begin(), dims.end())}});
  }
  if (!model.class_ids.empty() && model.class_ids.size() != model.class_names.size()) {
    throw Error(ErrorKind::usage, fmt::format("save_model: {} class ids, but {} class names",
                                              model.class_ids.size(), model.class_names.size()));
  }
  if (!model.class_ids.empty()) contents.metadata["fovea.class_ids"] = dumped(model.class_ids);
  for (const auto& [key, value] : model.arguments) {
    contents.metadata[std::string(arguments_prefix) + key] = value;
  }
  for (const auto& [key, value] : model.training) {
    contents.metadata[std::string(training_prefix) + key] = value;
  }
  contents.tensors = model.weights;
  write_safetensors(path, contents);
}

bool is_model_file(const WeightFile& file) { return file.metadata.contains("fovea.format"); }

Error fault_of_file(const Error& error, const std::string& name) {
  Error located(ErrorKind::model, error.headline());
  for (const auto& [key, text] : error.details()) located.with(key, text);
  return located.with("file", name);
}

ModelFile load_model(const std::filesystem::path& path) {
  SafeTensors file = read_safetensors(path);
  return to_model_file({.tensors = std::move(file.tensors), .metadata = std::move(file.metadata)},
                       path.string());
}

ModelFile to_model_file(WeightFile file, const std::string& name) {
  Metadata metadata(std::move(file.metadata), name);
  metadata.check_format();
  ModelFile model;
  model.architecture = metadata.take("fovea.architecture");
  if (model.architecture.empty()) throw metadata.error("\"fovea.architecture\" is empty");
  model.arguments = metadata.take_all(arguments_prefix);
  model.preprocessing = take_preprocessing(metadata);
  take_modality(metadata, model);
  take_task(metadata, model);
  model.class_names = take_class_names(metadata);
  model.class_ids = take_class_ids(metadata, model.class_names.size());
  model.training = metadata.take_all(training_prefix);
  metadata.check_empty();
  model.weights = std::move(file.tensors);
  return model;
}

}  // namespace fovea
