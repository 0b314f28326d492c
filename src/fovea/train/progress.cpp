#include "fovea/train/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"

namespace fovea::train {
namespace {

const std::string version_key = "fovea.version";

/// What a checkpoint holds besides the fields, by the beginnings of the names.
constexpr std::string_view saved_beside[] = {"fovea.",   "bits.",         "data.", "images.",
                                             "weights.", "class_weights", "frozen"};

double number(std::string_view name, const std::string& text) {
  if (const std::optional<double> value = parse_number(text)) return *value;
  throw Error(ErrorKind::model, fmt::format("checkpoint: \"{}\" is missing or not a number", name));
}

ProgressField field(std::string_view name, int64_t Progress::*member) {
  return {name, [member](const Progress& p) { return std::to_string(p.*member); },
          [name, member](Progress& p, const std::string& text) {
            p.*member = static_cast<int64_t>(number(name, text));
          }};
}

ProgressField field(std::string_view name, double Progress::*member) {
  return {name, [member](const Progress& p) { return format_number(p.*member); },
          [name, member](Progress& p, const std::string& text) { p.*member = number(name, text); }};
}

ProgressField field(std::string_view name, std::optional<double> Progress::*member) {
  return {name,
          [member](const Progress& p) { return p.*member ? format_number(*(p.*member)) : ""; },
          [name, member](Progress& p, const std::string& text) {
            (p.*member).reset();
            if (!text.empty()) p.*member = number(name, text);
          }};
}

/// NAME=VALUE, one per line.
ProgressField field(std::string_view name, tasks::Numbers Progress::*member) {
  return {name,
          [member](const Progress& p) {
            std::string text;
            for (const auto& [key, value] : p.*member)
              text += key + "=" + format_number(value) + "\n";
            return text;
          },
          [name, member](Progress& p, const std::string& text) {
            (p.*member).clear();
            for (const std::string& line : split(text, '\n')) {
              if (line.empty()) continue;
              const size_t equals = line.rfind('=');
              (p.*member).emplace_back(
                  line.substr(0, equals),
                  number(name, equals == std::string::npos ? "" : line.substr(equals + 1)));
            }
          }};
}

ProgressField newer(ProgressField field) {
  field.newer = true;
  return field;
}

}  // namespace

const std::vector<ProgressField>& progress_fields() {
  static const std::vector<ProgressField> table{
      field("epoch", &Progress::epoch),
      field("batch", &Progress::batch),
      field("updates", &Progress::updates),
      field("lr", &Progress::lr),
      field("lr_factor", &Progress::lr_factor),
      field("loss_sum", &Progress::loss_sum),
      {"measures", [](const Progress& p) { return p.measures.text(); },
       [](Progress& p, const std::string& text) { p.measures.parse(text); }},
      field("seen", &Progress::seen),
      field("epoch_seconds", &Progress::epoch_seconds),
      newer(field("waiting_seconds", &Progress::waiting_seconds)),
      field("added", &Progress::added),
      field("best_epoch", &Progress::best_epoch),
      field("best_value", &Progress::best_value),
      field("finished", &Progress::finished),
      {"history", [](const Progress& p) { return to_csv(p.history); },
       [](Progress& p, const std::string& text) { p.history = from_csv(text); }},
  };
  return table;
}

std::map<std::string, std::string> to_strings(const Progress& progress) {
  std::map<std::string, std::string> strings;
  for (const ProgressField& f : progress_fields()) strings[std::string(f.name)] = f.get(progress);
  strings[version_key] = FOVEA_VERSION;
  return strings;
}

void from_strings(Progress& progress, const std::map<std::string, std::string>& strings) {
  const auto written_by = strings.find(version_key);
  const std::string version =
      written_by == strings.end() ? "that does not say which" : printable(written_by->second);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::model, fmt::format("checkpoint: {}", what))
        .with("written by", fmt::format("Fovea {}", version))
        .with("this is", "Fovea " FOVEA_VERSION)
        .with("try", "the version of Fovea that wrote it");
  };
  for (const auto& [key, value] : strings) {
    const bool known =
        std::ranges::count(progress_fields(), key, &ProgressField::name) > 0 ||
        std::ranges::any_of(saved_beside, [&](auto s) { return key.starts_with(s); });
    if (!known) throw fail(fmt::format("this version does not know \"{}\"", printable(key)));
  }
  for (const ProgressField& f : progress_fields()) {
    const auto found = strings.find(std::string(f.name));
    if (found == strings.end() && f.newer) continue;
    if (found == strings.end()) {
      throw fail(fmt::format("it has no \"{}\"", f.name));
    }
    f.set(progress, found->second);
  }
}

}  // namespace fovea::train
