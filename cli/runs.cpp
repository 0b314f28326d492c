#include "runs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/core/glob.h"
#include "fovea/records/curves.h"
#include "fovea/train/run_folder.h"

namespace fovea::cli {

std::vector<records::StoredRun> known_runs() {
  return records::Store(records::Store::default_path()).runs();
}

Json to_json(const records::StoredRun& run) {
  Json document{{"name", run.name()}, {"folder", run.folder.string()}, {"state", run.state}};
  document.update(records::to_json(run.record));
  return document;
}

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

namespace {

using records::StoredRun;

struct RunsFlags {
  std::vector<std::string> names;
  std::string model, data, metric, curves;
  int64_t count = 1;
  bool yes = false;
};

const std::vector<std::string> header{"run",  "state", "model", "data",      "epochs",
                                      "best", "value", "test",  "samples/s", "started"};
constexpr std::string_view alignment = "llllrrrrrl";

/// The test's number for the metric that decides, or else the first.
std::optional<double> test_value(const records::Record& record) {
  if (record.test.empty()) return std::nullopt;
  const std::string name = record.metric.substr(std::min<size_t>(4, record.metric.size()));
  const std::optional<double> value = tasks::find(record.test, name);
  return value ? value : record.test[0].second;
}

std::vector<std::string> row(const StoredRun& run) {
  const records::Record& r = run.record;
  const std::string started = r.sessions.empty() ? "-" : r.sessions[0].started;
  return {run.name(),
          run.state,
          r.model,
          r.data,
          std::to_string(r.epochs),
          r.best_epoch > 0 ? std::to_string(r.best_epoch) : "-",
          number_text(r.best_value),
          number_text(test_value(r)),
          r.images_per_second > 0 ? grouped(static_cast<int64_t>(r.images_per_second)) : "-",
          started};
}

int show_rows(const std::vector<StoredRun>& runs, Console& console) {
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const StoredRun& run : runs) {
    list.push_back(to_json(run));
    rows.push_back(row(run));
  }
  console.document({{"runs", list}});
  if (runs.empty()) {
    console.note("no runs; fovea train makes one");
  } else {
    console.result(table(header, rows, alignment));
  }
  return 0;
}

std::vector<StoredRun> selected(const RunsFlags& flags) {
  std::vector<StoredRun> runs = known_runs();
  std::erase_if(runs, [&](const StoredRun& run) {
    return (!flags.model.empty() && !matches_glob(flags.model, run.record.model)) ||
           (!flags.data.empty() && !matches_glob(flags.data, run.record.data));
  });
  return runs;
}

int best(const RunsFlags& flags, Console& console) {
  std::vector<StoredRun> runs = selected(flags);
  const std::string metric = flags.metric.empty() ? "" : "val_" + flags.metric;
  std::erase_if(runs, [&](const StoredRun& run) {
    return !run.record.best_value || (!metric.empty() && run.record.metric != metric);
  });
  std::set<std::string> metrics;
  for (const StoredRun& run : runs) metrics.insert(run.record.metric.substr(4));
  if (metrics.size() > 1) {
    const std::vector<std::string> names(metrics.begin(), metrics.end());
    throw Error(ErrorKind::usage, "runs best: the runs were judged by different metrics")
        .with("metrics", join(names))
        .with("try", fmt::format("--metric {}", names[0]));
  }
  std::ranges::stable_sort(runs, [](const StoredRun& a, const StoredRun& b) {
    return a.record.larger_is_better ? *a.record.best_value > *b.record.best_value
                                     : *a.record.best_value < *b.record.best_value;
  });
  if (runs.empty())
    throw Error(ErrorKind::data, "runs best: no run has a validated epoch")
        .with("try", "fovea runs list");
  runs.resize(std::min(runs.size(), static_cast<size_t>(flags.count)));
  return show_rows(runs, console);
}

void write_curves(const RunsFlags& flags, const std::vector<StoredRun>& runs, Console& console) {
  if (flags.curves.empty()) return;
  std::vector<records::NamedHistory> histories;
  for (const StoredRun& run : runs)
    histories.push_back({run.name(), records::read_history(run.folder)});
  records::write_curves(flags.curves, histories, runs[0].record.metric);
  console.result(fmt::format("\ncurves    {}\n", flags.curves));
}

std::string session_text(const records::Session& session) {
  const records::Environment& e = session.environment;
  return fmt::format(
      "\nsession   {} to {}, {}, peak memory {}\n"
      "          {}\n"
      "          {}, {} threads of {}, {}, fovea {}\n",
      session.started, session.ended.empty() ? "?" : session.ended, duration_text(session.seconds),
      bytes_text(static_cast<size_t>(session.peak_memory_bytes)), session.command, e.cpu, e.threads,
      e.processors, e.instruction_set, e.fovea);
}

/// The settings that are not the defaults.
std::string settings_text(const records::Record& record) {
  const train::Settings defaults;
  std::string text;
  for (const train::Setting& setting : train::settings_table()) {
    const auto found = record.settings.find(setting.name);
    if (found != record.settings.end() && found->second != setting.get(defaults))
      text += fmt::format(" {}={}", setting.name, found->second);
  }
  return text;
}

std::string history_text(const std::vector<train::EpochRecord>& history) {
  if (history.empty()) return "";
  std::vector<std::string> names{"epoch", "lr"};
  for (const auto& [name, value] : history[0].numbers) names.push_back(name);
  std::vector<std::vector<std::string>> rows;
  for (const train::EpochRecord& record : history) {
    rows.push_back({std::to_string(record.epoch), fmt::format("{:.5f}", record.lr)});
    for (size_t i = 2; i < names.size(); ++i)
      rows.back().push_back(number_text(tasks::find(record.numbers, names[i])));
  }
  return "\n" + table(names, rows, std::string(names.size(), 'r'));
}

int show(const RunsFlags& flags, Console& console) {
  const StoredRun run = records::find_run(known_runs(), flags.names[0]);
  const records::Record& r = run.record;
  const std::vector<train::EpochRecord> history = run.state == "missing"
                                                      ? std::vector<train::EpochRecord>{}
                                                      : records::read_history(run.folder);
  Json document = to_json(run);
  document["history"] = records::to_json(history);
  console.document(document);
  std::string text =
      fmt::format("run       {}, {}\nfolder    {}\n", run.name(), run.state, run.folder.string());
  if (!r.error.empty()) text += fmt::format("error     {}\n", r.error);
  text += fmt::format(
      "model     {}, {} parameters\ndata      {}: {} to train, {} to validate, {} "
      "to test\nsettings {}\n",
      r.model, grouped(r.parameters), r.data, grouped(r.train_samples), grouped(r.val_samples),
      grouped(r.test_samples), settings_text(r));
  if (r.best_value)
    text += fmt::format("best      epoch {}, {} {:.4f}\n", r.best_epoch, r.metric, *r.best_value);
  std::vector<std::string> words;
  for (const auto& [name, value] : r.test) words.push_back(fmt::format("{} {:.4f}", name, value));
  if (!words.empty()) text += fmt::format("test      {}\n", join(words));
  const records::Timings& t = r.timings;
  text += fmt::format(
      "seconds   {:.1f} set-up, {:.1f} training ({:.1f} waiting for data), {:.1f} validation, "
      "{:.1f} test\n",
      t.setup, t.training, t.waiting, t.validation, t.test);
  text +=
      fmt::format("step      {:.1f} ms, 95% below {:.1f} ms\n", t.step_median_ms, t.step_p95_ms);
  for (const records::Session& session : r.sessions) text += session_text(session);
  console.result(text + history_text(history));
  write_curves(flags, {run}, console);
  return 0;
}

int compare(const RunsFlags& flags, Console& console) {
  const std::vector<StoredRun> runs = records::find_runs(known_runs(), flags.names);
  std::vector<std::string> heading{""};
  for (const StoredRun& run : runs) heading.push_back(run.name());
  std::vector<std::vector<std::string>> rows;
  Json differences = Json::object(), list = Json::array();
  const auto add = [&](const std::string& name, const auto& text_of) {
    rows.push_back({name});
    for (const StoredRun& run : runs) rows.back().push_back(text_of(run));
  };
  for (const train::Setting& setting : train::settings_table()) {
    std::vector<std::string> values;
    for (const StoredRun& run : runs) {
      const auto found = run.record.settings.find(setting.name);
      values.push_back(found == run.record.settings.end() ? "" : found->second);
    }
    if (std::ranges::count(values, values[0]) == std::ssize(values)) continue;
    differences[setting.name] = values;
    rows.push_back({setting.name});
    rows.back().insert(rows.back().end(), values.begin(), values.end());
  }
  add("state", [](const StoredRun& run) { return run.state; });
  add("parameters", [](const StoredRun& run) { return grouped(run.record.parameters); });
  add("epochs", [](const StoredRun& run) { return std::to_string(run.record.epochs); });
  add("best epoch", [](const StoredRun& run) { return std::to_string(run.record.best_epoch); });
  std::set<std::string> metrics, tests;
  for (const StoredRun& run : runs) {
    metrics.insert(run.record.metric);
    for (const auto& [name, value] : run.record.test) tests.insert(name);
    list.push_back(to_json(run));
  }
  for (const std::string& metric : metrics) {
    add(metric, [&](const StoredRun& run) {
      return number_text(run.record.metric == metric ? run.record.best_value : std::nullopt);
    });
  }
  for (const std::string& name : tests) {
    add("test " + name,
        [&](const StoredRun& run) { return number_text(tasks::find(run.record.test, name)); });
  }
  add("training",
      [](const StoredRun& run) { return fmt::format("{:.1f} s", run.record.timings.training); });
  add("samples/s", [](const StoredRun& run) {
    return grouped(static_cast<int64_t>(run.record.images_per_second));
  });
  add("peak memory", [](const StoredRun& run) {
    return bytes_text(static_cast<size_t>(run.record.peak_memory_bytes()));
  });
  console.document({{"runs", list}, {"differences", differences}});
  console.result(table(heading, rows, "l" + std::string(runs.size(), 'r')));
  write_curves(flags, runs, console);
  return 0;
}

/// Errors: usage when nobody can be asked, or the answer is not yes.
void ask(const std::vector<StoredRun>& runs, const Console& console) {
  std::string names;
  for (const StoredRun& run : runs) names += fmt::format("  {}\n", run.folder.string());
  if (isatty(STDIN_FILENO) == 0 || console.json)
    throw Error(ErrorKind::usage, "runs rm: nobody can be asked whether to remove these folders")
        .with("folders", std::to_string(runs.size()))
        .with("try", "--yes");
  std::cerr << "remove with all their files:\n" << names << "yes or no? " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "yes") throw Error(ErrorKind::usage, "nothing was removed");
}

int remove(const RunsFlags& flags, Console& console) {
  const std::vector<StoredRun> runs = records::find_runs(known_runs(), flags.names);
  for (const StoredRun& run : runs) {
    if (run.state != "running") continue;
    throw Error(ErrorKind::usage, fmt::format("{} is running", run.folder.string()))
        .with("try", "fovea runs watch, and rm when it has ended");
  }
  if (!flags.yes) ask(runs, console);
  records::Store store(records::Store::default_path());
  Json removed = Json::array();
  for (const StoredRun& run : runs) {
    std::error_code error;
    std::filesystem::remove_all(run.folder, error);
    if (error) {
      throw Error(ErrorKind::io,
                  fmt::format("cannot remove {}: {}", run.folder.string(), error.message()));
    }
    store.forget(run.folder);
    removed.push_back(run.folder.string());
    console.result(fmt::format("removed {}\n", run.folder.string()));
  }
  console.document({{"removed", removed}});
  return 0;
}

void add_filters(Command command, RunsFlags& flags) {
  command.text("--model", flags.model, "Only runs of models that match", "GLOB");
  command.text("--data", flags.data, "Only runs on data sets that match", "GLOB");
}

}  // namespace

void add_runs(Commands& commands) {
  Command group = commands.group("runs", "List, compare and follow training runs");
  const auto flags = std::make_shared<RunsFlags>();
  const auto add = [&](const char* name, const char* help,
                       int (*action)(const RunsFlags&, Console&)) {
    return commands.add(group, name, help,
                        [flags, action](Console& console) { return action(*flags, console); });
  };
  Command list = add("list", "All runs, latest first", [](const RunsFlags& f, Console& console) {
    return show_rows(selected(f), console);
  });
  add_filters(list, *flags);

  Command one = add("show", "All that is known of a run", show);
  one.texts("RUN", flags->names, "Its folder, or the name of one in the list").required();
  one.text("--curves", flags->curves, "Also the loss and the metric over epochs as a chart",
           "FILE.png|.svg");

  Command several =
      add("compare", "Runs side by side: the settings that differ, and results", compare);
  several.texts("RUN", flags->names, "Folders, or names in the list").required();
  several.text("--curves", flags->curves, "Also the loss and the metric of all over epochs",
               "FILE.png|.svg");

  Command top = add("best", "The best runs by their validation metric", best);
  add_filters(top, *flags);
  top.text("--metric", flags->metric, "Only runs judged by this metric, such as accuracy", "NAME");
  top.count("--count", flags->count, "How many", 1, 10000);

  add_runs_watch(commands, group);

  Command rm = add("rm", "Remove runs: their folders with all files", remove);
  rm.texts("RUN", flags->names, "Folders, or names in the list").required();
  rm.flag("--yes", flags->yes, "Do not ask");
}

}  // namespace fovea::cli
