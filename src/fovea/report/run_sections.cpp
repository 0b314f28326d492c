#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "fovea/core/text.h"
#include "fovea/images/codec.h"
#include "fovea/report/sections.h"
#include "fovea/train/settings.h"

namespace fovea::report {
namespace {

std::string joined_sizes(const std::vector<int64_t>& sizes) {
  return fmt::format("{}", fmt::join(sizes, "x"));
}

/// "val accuracy" for "val_accuracy".
std::string spaced(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// The numbers of epochs that belong into one chart: "loss" for "train_loss" and "val_loss".
std::string chart_of(const std::string& number) {
  for (const std::string_view prefix : {"train_", "val_"}) {
    if (number.starts_with(prefix)) return number.substr(prefix.size());
  }
  return number;
}

/// A curve of all epochs.
draw::Series series_of(
    const RunContents& run, const std::string& number, std::string name,
    const std::function<std::optional<double>(const train::EpochRecord&)>& value) {
  draw::Series s{.name = std::move(name)};
  for (const train::EpochRecord& epoch : run.history) {
    s.x.push_back(static_cast<double>(epoch.epoch));
    s.y.push_back(value(epoch).value_or(std::nan("")));
  }
  s.dashed = number.starts_with("train_");
  s.points = s.x.size() == 1;
  return s;
}

double total_seconds(const records::Record& record) {
  double seconds = 0;
  for (const records::Session& session : record.sessions) seconds += session.seconds;
  return seconds;
}

/// The settings whose value is not the default, by name.
std::map<std::string, std::string> chosen_settings(const records::Record& record) {
  const train::Settings defaults;
  std::map<std::string, std::string> chosen = record.settings;
  for (const train::Setting& setting : train::settings_table()) {
    const auto found = chosen.find(setting.name);
    if (found != chosen.end() && found->second == setting.get(defaults)) chosen.erase(found);
  }
  return chosen;
}

}  // namespace

std::string time_text(double seconds) {
  const auto all = static_cast<int64_t>(std::max(seconds, 0.0) + 0.5);
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (all < 3600) return fmt::format("{}:{:02} min", all / 60, all % 60);
  return fmt::format("{}:{:02}:{:02} h", all / 3600, all / 60 % 60, all % 60);
}

std::string memory_text(int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (size >= 0x1p30) return fmt::format("{:.1f} GiB", size / 0x1p30);
  return fmt::format("{:.0f} MiB", size / 0x1p20);
}

void add_summary(Page& page, const RunContents& run) {
  const records::Record& r = run.record;
  page.section("Summary");
  std::vector<std::pair<std::string, std::string>> tiles;
  for (const auto& [name, value] : r.test) {
    if (tiles.size() < 3) tiles.emplace_back("test " + spaced(name), number_text(value));
  }
  if (r.best_value) {
    tiles.emplace_back("best " + spaced(r.metric), number_text(r.best_value));
    tiles.emplace_back("best epoch", fmt::format("{} of {}", r.best_epoch, r.epochs));
  }
  tiles.emplace_back("time", time_text(total_seconds(r)));
  tiles.emplace_back("samples per second", grouped(static_cast<int64_t>(r.images_per_second)));
  tiles.emplace_back("peak memory", memory_text(r.peak_memory_bytes()));
  tiles.emplace_back("parameters", grouped(r.parameters));
  page.tiles(tiles);
  if (run.state != "complete")
    page.note(fmt::format("This run is {}.{}", run.state, r.error.empty() ? "" : " " + r.error));
  std::vector<std::pair<std::string, std::string>> facts{
      {"model", r.model},
      {"input", joined_sizes(r.input)},
      {"task", r.task},
      {"data", r.data},
      {"samples", fmt::format("{} to train, {} to validate, {} to test", grouped(r.train_samples),
                              grouped(r.val_samples), grouped(r.test_samples))},
      {"trained parameters", fmt::format("{} of {}", grouped(r.trainable), grouped(r.parameters))},
      {"epochs", std::to_string(r.epochs)},
      {"folder", run.folder.string()}};
  if (!r.sessions.empty()) {
    facts.emplace_back("started", r.sessions.front().started);
    if (!r.sessions.back().ended.empty()) facts.emplace_back("ended", r.sessions.back().ended);
  }
  page.facts(facts);
}

void add_comparison(Page& page, const std::vector<RunContents>& runs) {
  page.section("Comparison");
  std::vector<std::string> header{"run",        "model",      "data", "state",     "epochs",
                                  "best epoch", "best value", "time", "samples/s", "memory"};
  std::set<std::string> tests;
  for (const RunContents& run : runs) {
    for (const auto& [name, value] : run.record.test) tests.insert(name);
  }
  for (const std::string& name : tests) header.push_back("test " + spaced(name));
  std::vector<std::vector<std::string>> rows;
  for (const RunContents& run : runs) {
    const records::Record& r = run.record;
    rows.push_back({run.name(), r.model, r.data, run.state, std::to_string(r.epochs),
                    std::to_string(r.best_epoch), number_text(r.best_value),
                    time_text(total_seconds(r)), grouped(static_cast<int64_t>(r.images_per_second)),
                    memory_text(r.peak_memory_bytes())});
    for (const std::string& name : tests)
      rows.back().push_back(number_text(tasks::find(r.test, name)));
  }
  page.table("Runs", header, rows, {.text_columns = 4, .sortable = true});

  std::map<std::string, std::vector<std::string>> values;  // of each setting, run by run
  std::set<std::string> names;
  for (const RunContents& run : runs) {
    for (const auto& [name, value] : run.record.settings) names.insert(name);
  }
  std::vector<std::string> settings_header{"setting"};
  for (const RunContents& run : runs) settings_header.push_back(run.name());
  std::vector<std::vector<std::string>> different;
  for (const std::string& name : names) {
    std::vector<std::string> row{name};
    std::set<std::string> seen;
    for (const RunContents& run : runs) {
      const auto found = run.record.settings.find(name);
      row.push_back(found == run.record.settings.end() ? "-" : found->second);
      seen.insert(row.back());
    }
    if (seen.size() > 1) different.push_back(std::move(row));
  }
  if (different.empty()) {
    page.paragraph("All settings are equal.");
  } else {
    page.table("Settings that differ", settings_header, different,
               {.text_columns = settings_header.size(), .sortable = false});
  }
}

void add_curves(Page& page, const std::vector<RunContents>& runs) {
  std::vector<std::string> charts;  // in the order of the first run that has them
  std::map<std::string, std::vector<std::string>> numbers;
  for (const RunContents& run : runs) {
    if (run.history.empty()) continue;
    for (const auto& [number, value] : run.history.back().numbers) {
      const std::string chart = chart_of(number);
      if (!numbers.contains(chart)) charts.push_back(chart);
      std::vector<std::string>& list = numbers[chart];
      if (std::ranges::find(list, number) == list.end()) list.push_back(number);
    }
  }
  page.section("Curves");
  if (std::ranges::all_of(runs, [](const RunContents& run) { return run.history.empty(); })) {
    page.note("No epoch is complete yet.");
    return;
  }
  const auto named = [&](const RunContents& run, const std::string& what) {
    return runs.size() == 1 ? what : fmt::format("{} {}", run.name(), what);
  };
  // The colour is that of the run where there are several, else of the curve.
  const auto color = [&](size_t run, size_t curve) {
    return draw::series_color(runs.size() > 1 ? run : curve);
  };
  page.charts();
  for (const std::string& chart : charts) {
    draw::Lines lines{.x_label = "epoch", .y_label = spaced(chart), .whole_x = true};
    for (size_t k = 0; k < runs.size(); ++k) {
      for (size_t i = 0; i < numbers[chart].size(); ++i) {
        const std::string& number = numbers[chart][i];
        draw::Series s = series_of(
            runs[k], number, named(runs[k], spaced(number)),
            [&](const train::EpochRecord& epoch) { return tasks::find(epoch.numbers, number); });
        s.color = color(k, i);
        if (runs.size() == 1) s.dashed = false;
        lines.series.push_back(std::move(s));
      }
    }
    page.curves(spaced(chart), "over epochs", lines);
  }
  const auto one = [&](const std::string& title, const auto& value, draw::AxisScale scale) {
    draw::Lines lines{.x_label = "epoch", .y_label = title, .y_scale = scale, .whole_x = true};
    for (size_t k = 0; k < runs.size(); ++k) {
      draw::Series s = series_of(runs[k], title, runs.size() == 1 ? title : runs[k].name(),
                                 [&](const train::EpochRecord& epoch) { return value(epoch); });
      s.color = color(k, 0);
      lines.series.push_back(std::move(s));
    }
    page.curves(title, "over epochs", lines);
  };
  one(
      "learning rate", [](const train::EpochRecord& e) { return e.lr; }, draw::AxisScale::linear);
  one(
      "samples per second", [](const train::EpochRecord& e) { return e.images_per_second; },
      draw::AxisScale::linear);
  page.end_charts();
}

void add_settings(Page& page, const RunContents& run) {
  page.section("Settings");
  const auto rows = [](const std::map<std::string, std::string>& settings) {
    return std::vector<std::pair<std::string, std::string>>(settings.begin(), settings.end());
  };
  page.facts(rows(chosen_settings(run.record)));
  page.fold("All settings, including those left at their defaults");
  page.facts(rows(run.record.settings));
  page.close();
}

void add_batches(Page& page, const RunContents& run) {
  if (run.record.batches.empty()) return;
  page.section("Training batches");
  page.paragraph(
      "The first batches as they were fed to the net, and the same samples before augmentation.");
  for (size_t i = 0; i < run.record.batches.size(); ++i) {
    const records::BatchPictures& batch = run.record.batches[i];
    page.fold(fmt::format("Batch {}", i + 1), i == 0);
    page.gallery(true);
    for (const auto& [file, what] :
         {std::pair{batch.fed, "as fed"}, {batch.original, "before augmentation"}}) {
      try {
        page.picture(decode_image(run.folder / file),
                     fmt::format("Samples of batch {} {}: {}", i + 1, what, join(batch.labels)),
                     what);
      } catch (const Error& error) {
        page.note(error.headline());
      }
    }
    page.end_gallery();
    page.close();
  }
}

void add_timings(Page& page, const RunContents& run) {
  const records::Timings& t = run.record.timings;
  page.section("Time and memory");
  page.facts(
      {{"setting up", time_text(t.setup)},
       {"training", time_text(t.training)},
       {"of that waiting for data", time_text(t.waiting)},
       {"validation and saving", time_text(t.validation)},
       {"test", time_text(t.test)},
       {"a training step", fmt::format("median {:.2f} ms, 95 % below {:.2f} ms, longest {:.2f} ms",
                                       t.step_median_ms, t.step_p95_ms, t.step_max_ms)},
       {"peak memory", memory_text(run.record.peak_memory_bytes())}});
  if (run.record.sessions.size() < 2) return;
  std::vector<std::vector<std::string>> rows;
  for (const records::Session& s : run.record.sessions) {
    rows.push_back({s.started, s.ended.empty() ? "-" : s.ended, std::to_string(s.from_epoch),
                    time_text(s.seconds), memory_text(s.peak_memory_bytes)});
  }
  page.table("Sessions", {"started", "ended", "from epoch", "time", "peak memory"}, rows,
             {.text_columns = 2, .sortable = false});
}

void add_commands(Page& page, const RunContents& run) {
  page.section("Commands");
  page.paragraph("The run was started with:");
  std::string text;
  for (const records::Session& s : run.record.sessions) {
    if (!s.command.empty()) text += s.command + "\n";
  }
  if (!text.empty()) page.code(text);
  page.paragraph("To use its model:");
  const std::string model = (run.folder / "best.safetensors").string();
  page.code(
      fmt::format("fovea eval --model {0} --data {1}\nfovea predict --model {0} FILE...\n"
                  "fovea explain cam --model {0} FILE... --out cams",
                  model, run.record.data));
}

}  // namespace fovea::report
