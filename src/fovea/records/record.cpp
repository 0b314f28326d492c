#include "fovea/records/record.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/process.h"
#include "fovea/kernels/kernel.h"
#include "fovea/train/run_folder.h"

namespace fovea::records {
namespace {

constexpr int format_version = 1;

std::string system_name() {
  struct utsname names {};
  if (::uname(&names) != 0) return "unknown";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

/// The one list of what each part of a record consists of: `field(name, member)` is called for each
/// member, in the order of the file, to write or to read it.
template <class Part, class Field>
void visit_environment(Part& e, const Field& field) {
  field("cpu", e.cpu);
  field("processors", e.processors);
  field("threads", e.threads);
  field("instruction_set", e.instruction_set);
  field("memory_bytes", e.memory_bytes);
  field("system", e.system);
  field("fovea", e.fovea);
  field("compiler", e.compiler);
}

template <class Part, class Field>
void visit_timings(Part& t, const Field& field) {
  field("setup", t.setup);
  field("training", t.training);
  field("waiting", t.waiting);
  field("validation", t.validation);
  field("test", t.test);
  field("step_median_ms", t.step_median_ms);
  field("step_p95_ms", t.step_p95_ms);
  field("step_max_ms", t.step_max_ms);
}

template <class Part, class Field>
void visit_session(Part& s, const Field& field) {
  field("started", s.started);
  field("ended", s.ended);
  field("command", s.command);
  field("from_epoch", s.from_epoch);
  field("seconds", s.seconds);
  field("peak_memory_bytes", s.peak_memory_bytes);
  field("environment", s.environment);
}

template <class Part, class Field>
void visit_batch(Part& b, const Field& field) {
  field("fed", b.fed);
  field("original", b.original);
  field("labels", b.labels);
}

template <class Part, class Field>
void visit_record(Part& r, const Field& field) {
  field("status", r.status);
  field("error", r.error);
  field("model", r.model);
  field("data", r.data);
  field("task", r.task);
  field("parameters", r.parameters);
  field("trainable", r.trainable);
  field("input", r.input);
  field("train_samples", r.train_samples);
  field("val_samples", r.val_samples);
  field("test_samples", r.test_samples);
  field("classes", r.classes);
  field("metric", r.metric);
  field("larger_is_better", r.larger_is_better);
  field("epochs", r.epochs);
  field("best_epoch", r.best_epoch);
  field("best_value", r.best_value);
  field("test", r.test);
  field("images_per_second", r.images_per_second);
  field("batches", r.batches);
  field("timings", r.timings);
  field("sessions", r.sessions);
  field("settings", r.settings);
}

template <class Part, class Field>
void visit(Part& part, const Field& field) {
  using Plain = std::remove_const_t<Part>;
  if constexpr (std::is_same_v<Plain, Environment>) visit_environment(part, field);
  if constexpr (std::is_same_v<Plain, Timings>) visit_timings(part, field);
  if constexpr (std::is_same_v<Plain, Session>) visit_session(part, field);
  if constexpr (std::is_same_v<Plain, BatchPictures>) visit_batch(part, field);
  if constexpr (std::is_same_v<Plain, Record>) visit_record(part, field);
}

template <class T>
constexpr bool is_part =
    std::is_same_v<T, Environment> || std::is_same_v<T, Timings> || std::is_same_v<T, Session> ||
    std::is_same_v<T, BatchPictures> || std::is_same_v<T, Record>;

template <class T>
Json written(const T& value);

/// JSON has no infinity and no NaN.
Json written(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json written(const std::optional<double>& value) { return value ? written(*value) : Json(nullptr); }
Json written(const tasks::Numbers& numbers) {
  Json object = Json::object();
  for (const auto& [name, value] : numbers) object[name] = written(value);
  return object;
}
Json written(const std::map<std::string, std::string>& texts) {
  Json object = Json::object();
  for (const auto& [name, text] : texts) object[name] = text;
  return object;
}
template <class T>
Json written(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(written(value));
  return array;
}
template <class T>
Json written(const T& value) {
  if constexpr (!is_part<T>) {
    return Json(value);
  } else {
    Json object = Json::object();
    visit(value, [&](const char* name, const auto& member) { object[name] = written(member); });
    return object;
  }
}

template <class T>
void read(const Json& json, T& value);

void read(const Json& json, double& value) {
  value = json.is_null() ? std::nan("") : json.get<double>();
}
void read(const Json& json, std::optional<double>& value) {
  if (!json.is_null()) value = json.get<double>();
}
void read(const Json& json, tasks::Numbers& numbers) {
  for (const auto& [name, value] : json.members()) {
    numbers.emplace_back(name, 0);
    read(value, numbers.back().second);
  }
}
void read(const Json& json, std::map<std::string, std::string>& texts) {
  for (const auto& [name, text] : json.members()) texts[name] = text.get<std::string>();
}
template <class T>
void read(const Json& json, std::vector<T>& values) {
  for (const Json& element : json) read(element, values.emplace_back());
}
/// A member that a file lacks keeps its default: later versions add members.
template <class T>
void read(const Json& json, T& value) {
  if constexpr (!is_part<T>) {
    value = json.get<T>();
  } else {
    visit(value, [&](const char* name, auto& member) {
      if (json.contains(name)) read(json.at(name), member);
    });
  }
}

std::string text_of(const Json& document) { return document.dump(1) + "\n"; }

}  // namespace

Environment this_environment(int64_t threads) {
  return {.cpu = cpu_model(),
          .processors = available_threads(),
          .threads = threads,
          .instruction_set = instruction_set(),
          .memory_bytes = static_cast<int64_t>(memory_limits().total),
          .system = system_name(),
          .fovea = FOVEA_VERSION,
          .compiler = __VERSION__};
}

int64_t Record::peak_memory_bytes() const {
  int64_t peak = 0;
  for (const Session& session : sessions) peak = std::max(peak, session.peak_memory_bytes);
  return peak;
}

Json to_json(const Record& record) { return written(record); }

std::string record_text(const Record& record) {
  Json document{{"format", format_version}};
  document.update(to_json(record));
  return text_of(document);
}

Record record_from_json(std::string_view text, const std::string& source) {
  Record record;
  try {
    const Json document = Json::parse(text);
    const int version = document.at("format").get<int>();
    if (version > format_version) {
      throw Error(ErrorKind::data, fmt::format("{}: a later version of Fovea wrote it", source))
          .with("format", fmt::format("{}; this program reads {}", version, format_version));
    }
    read(document, record);
  } catch (const JsonError& error) {
    throw Error(ErrorKind::data, fmt::format("{}: not the record of a run", source))
        .with("because", error.what());
  }
  return record;
}

Record read_record(const std::filesystem::path& run) {
  const std::filesystem::path file = run / record_name;
  return record_from_json(read_text(file, ErrorKind::data), file.string());
}

Json to_json(const std::vector<train::EpochRecord>& history) {
  Json epochs = Json::array();
  for (const train::EpochRecord& record : history) {
    Json epoch{{"epoch", record.epoch}, {"lr", written(record.lr)}};
    epoch.update(written(record.numbers));
    epoch["seconds"] = written(record.seconds);
    epoch["images_per_second"] = written(record.images_per_second);
    epoch["waiting"] = written(record.waiting);
    epochs.push_back(std::move(epoch));
  }
  return epochs;
}

std::string history_text(const std::vector<train::EpochRecord>& history) {
  return text_of({{"epochs", to_json(history)}});
}

std::vector<train::EpochRecord> read_history(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "history.csv";
  if (!exists(file, ErrorKind::data)) return {};
  try {
    return train::from_csv(read_text(file, ErrorKind::data));
  } catch (Error& error) {
    throw error.with("file", file.string());
  }
}

std::string state_of(const std::filesystem::path& run, const std::string& status) {
  std::error_code error;
  if (!std::filesystem::is_directory(run, error)) return "missing";
  return status == "running" && !train::is_training(run) ? "interrupted" : status;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  struct tm parts {};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace fovea::records
