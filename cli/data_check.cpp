#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "commands.h"
#include "data_flags.h"
#include "fovea/data/check.h"
#include "fovea/data/image_files.h"
#include "fovea/predict/doubts.h"
#include "model.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct DataCheckFlags {
  TrainedFlags model;
  DataFlags data;
  int64_t distance = 6, show = 10;
  bool strict = false;
};

/// A label that the model doubts.
struct DoubtfulLabel {
  data::SampleRef sample;
  std::string predicted;
  double label_probability, predicted_probability;
};

Json to_json(const data::SampleRef& sample) {
  Json document{{"split", sample.split}, {"index", sample.index}, {"name", sample.name}};
  if (!sample.label.empty()) document["class"] = sample.label;
  return document;
}

Json to_json(const std::vector<data::SampleProblem>& problems) {
  Json list = Json::array();
  for (const data::SampleProblem& problem : problems) {
    list.push_back(to_json(problem.sample));
    list.back()["problem"] = problem.problem;
  }
  return list;
}

Json to_json(const data::Duplicates& group) {
  Json samples = Json::array();
  for (const data::SampleRef& sample : group.samples) samples.push_back(to_json(sample));
  return {{"exact", group.exact},
          {"across_splits", group.across},
          {"labels_differ", group.labels_differ},
          {"samples", samples}};
}

Json to_json(const std::map<std::string, int64_t>& counts) {
  Json document = Json::object();
  for (const auto& [name, count] : counts) document[name] = count;
  return document;
}

Json to_json(const data::Report& report) {
  Json document{{"counts", to_json(report.counts)},
                {"broken", to_json(report.broken)},
                {"wrong_extensions", to_json(report.wrong_suffix)},
                {"repeated_boxes", to_json(report.repeated_boxes)}};
  document["duplicates"] = Json::array();
  for (const data::Duplicates& group : report.duplicates)
    document["duplicates"].push_back(to_json(group));
  Json classes = Json::object();
  for (const auto& [name, counts] : report.classes)
    classes.members().emplace_back(name, to_json(counts));  // of different names
  document["classes"] = std::move(classes);
  if (const std::optional<double> ratio = report.imbalance())
    document["imbalance"] = std::isfinite(*ratio) ? Json(*ratio) : Json(nullptr);
  document["sizes"] = Json::array();
  for (const data::SizeCount& size : report.sizes) {
    document["sizes"].push_back(
        {{"shape", std::vector<int64_t>(size.shape.begin(), size.shape.end())},
         {"count", size.count}});
  }
  document["odd_sizes"] = to_json(report.odd_sizes);
  document["spacings"] = Json::array();
  for (const data::SpacingCount& one : report.spacings)
    document["spacings"].push_back({{"spacing", one.spacing}, {"count", one.count}});
  document["odd_spacings"] = to_json(report.odd_spacings);
  document["orientations"] = to_json(report.orientations);
  document["unoriented"] = to_json(report.unoriented);
  document["mean"] = report.statistics ? Json(report.statistics->mean) : Json::array();
  document["std"] = report.statistics ? Json(report.statistics->std) : Json::array();
  return document;
}

std::string place(const data::SampleRef& sample) {
  return sample.label.empty() ? fmt::format("{} {}", sample.split, sample.name)
                              : fmt::format("{} {} ({})", sample.split, sample.name, sample.label);
}

/// A heading with the count, and the first lines.
std::string section(const std::string& heading, const std::vector<std::string>& lines,
                    int64_t shown) {
  std::string text = fmt::format("{:<18}{}\n", heading, grouped(std::ssize(lines)));
  for (size_t i = 0; i < std::min(lines.size(), static_cast<size_t>(shown)); ++i)
    text += fmt::format("  {}\n", visible(lines[i]));
  if (std::ssize(lines) > shown)
    text += fmt::format("  and {} more; --json lists all\n", grouped(std::ssize(lines) - shown));
  return text;
}

std::vector<std::string> lines(const std::vector<data::SampleProblem>& problems) {
  std::vector<std::string> all;
  for (const data::SampleProblem& problem : problems)
    all.push_back(fmt::format("{}: {}", place(problem.sample), problem.problem));
  return all;
}

/// Groups of one kind.
std::vector<std::string> lines(const data::Report& report, bool exact, bool across) {
  constexpr size_t most = 4;
  std::vector<std::string> all;
  for (const data::Duplicates& group : report.duplicates) {
    if (group.exact != exact || group.across != across) continue;
    std::vector<std::string> places;
    for (size_t i = 0; i < std::min(most, group.samples.size()); ++i)
      places.push_back(place(group.samples[i]));
    if (group.samples.size() > most)
      places.push_back(fmt::format("{} more", group.samples.size() - most));
    all.push_back(fmt::format("{}{}", join(places, " = "),
                              group.labels_differ ? ": their labels differ" : ""));
  }
  return all;
}

std::string numbers(const std::vector<double>& values) {
  std::vector<std::string> words;
  for (const double value : values) words.push_back(fmt::format("{:.4f}", value));
  return join(words);
}

std::string class_text(const data::Report& report, const std::string& nouns) {
  if (report.classes.empty()) return "";
  const std::optional<double> ratio = report.imbalance();
  std::string text = fmt::format("{:<18}{}", "classes", report.classes.size());
  const std::string counted = report.counts_boxes ? "boxes" : nouns;
  if (*ratio == 1) return text + ", equally large\n";
  text += std::isfinite(*ratio)
              ? fmt::format("; the largest has {:.3g} times as many {} as the smallest\n", *ratio,
                            counted)
              : fmt::format("; some have no {} to train on\n", counted);
  constexpr size_t listed = 12;
  if (report.classes.size() > listed) return text + "  --json counts each\n";
  std::vector<std::string> header{"", "class"};
  for (const auto& [split, count] : report.counts) header.push_back(split);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, counts] : report.classes) {
    rows.push_back({"", name});
    for (const auto& [split, count] : report.counts)
      rows.back().push_back(grouped(counts.at(split)));
  }
  return text + table(header, rows, "ll" + std::string(report.counts.size(), 'r'));
}

std::string size_text(const data::Report& report) {
  if (report.sizes.empty()) return "";
  std::string text = fmt::format("{:<18}{}", "sizes",
                                 data::is_image({DType::u8, report.sizes[0].shape})
                                     ? sizes_text(report.sizes[0].shape)
                                     : to_string(report.sizes[0].shape));
  return text + (report.sizes.size() == 1
                     ? ", all\n"
                     : fmt::format(" is the most frequent of {}\n", report.sizes.size()));
}

/// Of volumes: how far their voxels are apart, and how they lay.
std::string voxel_text(const data::Report& report, int64_t shown) {
  std::string text;
  if (!report.spacings.empty()) {
    const auto& [depth, height, width] = report.spacings[0].spacing;
    text += fmt::format("{:<18}{:.4g} x {:.4g} x {:.4g} mm{}\n", "voxels", depth, height, width,
                        report.spacings.size() == 1
                            ? ", all"
                            : fmt::format(" is the most frequent of {}", report.spacings.size()));
    text += section("other voxels", lines(report.odd_spacings), shown);
  }
  if (report.orientations.empty()) return text;
  std::vector<std::string> counts;
  for (const auto& [code, count] : report.orientations)
    counts.push_back(fmt::format("{} {}", grouped(count), code.empty() ? "not known" : code));
  text += fmt::format("{:<18}{}, turned to RAS\n", "orientation", join(counts));
  return text + section("not turned", lines(report.unoriented), shown);
}

/// `nouns`: what samples are called.
std::string text_of(const data::Report& report, const std::string& nouns, int64_t shown) {
  std::string text = fmt::format("{:<18}", "samples");
  std::vector<std::string> counts;
  for (const auto& [split, count] : report.counts)
    counts.push_back(fmt::format("{} {}", grouped(count), split));
  text += join(counts) + "\n";
  text += section("broken", lines(report.broken), shown);
  text += section("wrong extensions", lines(report.wrong_suffix), shown);
  text += section("same, across", lines(report, true, true), shown);
  text += section("alike, across", lines(report, false, true), shown);
  text += section("same, in a split", lines(report, true, false), shown);
  text += section("alike, in a split", lines(report, false, false), shown);
  if (report.counts_boxes) text += section("repeated boxes", lines(report.repeated_boxes), shown);
  text += class_text(report, nouns) + size_text(report);
  text += section("odd sizes", lines(report.odd_sizes), shown) + voxel_text(report, shown);
  if (report.statistics) {
    text += fmt::format("{:<18}{}\n{:<18}{}\n", "mean", numbers(report.statistics->mean), "std",
                        numbers(report.statistics->std));
  }
  return text;
}

/// The samples of a split that can be read, and their places in it.
struct Readable {
  std::shared_ptr<const data::Dataset> samples;
  std::vector<int64_t> places;
};

Readable readable(std::shared_ptr<const data::Dataset> split, const std::string& name,
                  const data::Report& report) {
  std::vector<bool> broken(static_cast<size_t>(split->size()));
  for (const data::SampleProblem& problem : report.broken) {
    if (problem.sample.split == name) broken[static_cast<size_t>(problem.sample.index)] = true;
  }
  Readable result;
  for (int64_t i = 0; i < split->size(); ++i) {
    if (!broken[static_cast<size_t>(i)]) result.places.push_back(i);
  }
  result.samples = std::make_shared<data::Subset>(std::move(split), result.places);
  return result;
}

std::vector<DoubtfulLabel> doubts_of(const DataCheckFlags& flags, const data::DataSets& sets,
                                     const data::Report& report, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags.model, console);
  const std::vector<std::string>& names = predictor->task().targets().names;
  std::vector<DoubtfulLabel> all;
  for (const auto& [name, split] :
       {std::pair{"train", sets.train}, {"val", sets.val}, {"test", sets.test}}) {
    if (!report.counts.contains(name)) continue;
    Readable part = readable(split, name, report);
    if (part.samples->size() == 0) continue;
    if (names != split->targets().names)
      part.samples = std::make_shared<data::Renumbered>(std::move(part.samples), names);
    const auto progress = [&](int64_t done, int64_t of) {
      console.status(static_cast<double>(done) / static_cast<double>(of),
                     fmt::format("labels of {}", name));
    };
    for (const Doubt& doubt : doubtful_labels(*predictor, part.samples, progress, stop_token())) {
      const int64_t index = part.places[static_cast<size_t>(doubt.index)];
      all.push_back({{name, index, split->name(index), names[static_cast<size_t>(doubt.label)]},
                     names[static_cast<size_t>(doubt.predicted)],
                     doubt.label_probability,
                     doubt.predicted_probability});
    }
  }
  return all;
}

Json to_json(const DoubtfulLabel& doubt) {
  Json document = to_json(doubt.sample);
  document["predicted"] = doubt.predicted;
  document["class_probability"] = doubt.label_probability;
  document["predicted_probability"] = doubt.predicted_probability;
  return document;
}

int check(const DataCheckFlags& flags, Console& console) {
  const data::DataSets sets = flags.data.open();
  data::CheckOptions options{.distance = static_cast<int>(flags.distance), .stop = stop_token()};
  options.progress = [&](int64_t done, int64_t all) {
    console.status(static_cast<double>(done) / static_cast<double>(all),
                   fmt::format("{} of {} samples", grouped(done), grouped(all)));
  };
  const data::Report report = data::check(sets, options);
  Json document{{"name", sets.name}};
  document.update(to_json(report));
  std::string text = text_of(report, data::noun_of(*sets.train, 2), flags.show);
  int64_t findings = std::ssize(report.broken) + std::ssize(report.wrong_suffix) +
                     std::ssize(report.duplicates) + std::ssize(report.odd_sizes) +
                     std::ssize(report.repeated_boxes) + std::ssize(report.odd_spacings) +
                     std::ssize(report.unoriented);
  if (!flags.model.model.empty()) {
    document["doubts"] = Json::array();
    std::vector<std::string> all;
    for (const DoubtfulLabel& doubt : doubts_of(flags, sets, report, console)) {
      document["doubts"].push_back(to_json(doubt));
      all.push_back(fmt::format("{}: {} with {:.1f}%, its label has {:.2g}%", place(doubt.sample),
                                doubt.predicted, 100 * doubt.predicted_probability,
                                100 * doubt.label_probability));
    }
    text += section("doubtful labels", all, flags.show);
    findings += std::ssize(all);
  }
  document["findings"] = findings;
  console.document(document);
  console.result(text);
  return flags.strict && findings > 0 ? static_cast<int>(ErrorKind::data) : 0;
}

}  // namespace

void add_data_check(Commands& commands, Command group) {
  const auto flags = std::make_shared<DataCheckFlags>();
  Command command = commands.add(
      group, "check",
      "Find broken files, wrong extensions, duplicates, imbalance, odd sizes and doubtful labels",
      [flags](Console& console) { return check(*flags, console); });
  flags->data.add(command);
  command.count("--distance", flags->distance,
                "Pictures look alike if their perceptual hashes differ in at most this many of 64 "
                "bits and their small versions correlate by 0.996",
                0, 8);
  command.count("--show", flags->show, "Lines of each kind to print", 0);
  command.flag("--strict", flags->strict, "End with exit code 3 if anything is found");
  flags->model.add(command);
}

}  // namespace fovea::cli
