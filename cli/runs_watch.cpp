#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/draw/terminal_chart.h"
#include "fovea/records/curves.h"
#include "fovea/records/tensorboard.h"
#include "runs.h"
#include "signals.h"

namespace fovea::cli {
namespace {

using records::StoredRun;

struct RunsWatchFlags {
  std::string run;
};

/// A run as its files are now.
struct Snapshot {
  StoredRun run;
  std::vector<train::EpochRecord> history;
  std::vector<records::Event> events;
};

Snapshot read(const StoredRun& run) {
  Snapshot now{run, {}, {}};
  // In this order, so that the files of a run that has ended are complete.
  now.run.record = records::read_record(run.folder);
  now.run.state = records::state_of(run.folder, now.run.record.status);
  now.history = records::read_history(run.folder);
  const std::filesystem::path file = records::find_event_file(run.folder);
  if (!file.empty()) now.events = records::read_events(read_text(file, ErrorKind::data));
  return now;
}

/// The latest run that is running, or else the latest.
StoredRun chosen(const std::string& name) {
  const std::vector<StoredRun> runs = known_runs();
  if (!name.empty()) return records::find_run(runs, name);
  for (const StoredRun& run : runs) {
    if (run.state == "running") return run;
  }
  if (runs.empty())
    throw Error(ErrorKind::data, "runs watch: there is no run").with("try", "fovea train");
  return runs.front();
}

double setting(const records::Record& record, const std::string& name) {
  const auto found = record.settings.find(name);
  return found == record.settings.end() ? 0 : parse_number(found->second).value_or(0);
}

/// Steps of an epoch, as far as the record tells.
double steps_per_epoch(const records::Record& record) {
  const double batch = std::max(1.0, setting(record, "batch"));
  return std::max(1.0, std::ceil(static_cast<double>(record.train_samples) / batch));
}

/// The losses of single batches, over epochs.
draw::Series batch_losses(const Snapshot& now) {
  draw::Series line;
  for (const records::Event& event : now.events) {
    if (const std::optional<double> loss = tasks::find(event.scalars, "batch/loss")) {
      line.x.push_back(static_cast<double>(event.time.step) / steps_per_epoch(now.run.record));
      line.y.push_back(*loss);
    }
  }
  return line;
}

std::string heading(const Snapshot& now) {
  const records::Record& r = now.run.record;
  const double steps = now.events.empty() ? 0 : static_cast<double>(now.events.back().time.step);
  const double epochs = std::max(steps / steps_per_epoch(r), static_cast<double>(r.epochs));
  std::string text = fmt::format("{}  {}  {} on {}  epoch {:.2f} of {:.0f}", now.run.name(),
                                 now.run.state, r.model, r.data, epochs, setting(r, "epochs"));
  if (r.best_value)
    text += fmt::format("  best {} {:.4f} in epoch {}", r.metric, *r.best_value, r.best_epoch);
  return text + "\n";
}

std::string drawing(const Snapshot& now, const DrawingArea& area) {
  constexpr int most = 14, fewest = 3;
  const draw::Chart chart =
      records::live_curves(now.history, now.run.record.metric, batch_losses(now));
  std::string text;
  for (int rows = most; rows >= fewest; --rows) {  // as many as the terminal has space for
    text =
        heading(now) + "\n" + draw::terminal_chart(chart, area.size.columns - 1, rows, area.colors);
    if (std::ranges::count(text, '\n') + 1 < area.size.rows) break;
  }
  return text;
}

std::string epoch_line(const train::EpochRecord& record) {
  std::string text = fmt::format("epoch {}", record.epoch);
  for (const auto& [name, value] : record.numbers) text += fmt::format("  {} {:.4f}", name, value);
  return text + "\n";
}

/// What is on the screen, to be replaced.
class Screen {
 public:
  explicit Screen(Console& console) : console_(console) {}

  /// On a terminal the curves are drawn anew; elsewhere there is a line for each new epoch.
  void show(const Snapshot& now) {
    if (const auto area = console_.result_area()) {
      console_.result(lines_.replace(drawing(now, *area), area->size.columns));
    } else {
      if (epochs_ == 0) console_.result(shown_ ? "" : heading(now));
      for (; epochs_ < now.history.size(); ++epochs_)
        console_.result(epoch_line(now.history[epochs_]));
    }
    shown_ = true;
    console_.flush();
  }

 private:
  Console& console_;
  RedrawnLines lines_;
  size_t epochs_ = 0;
  bool shown_ = false;
};

int watch(const RunsWatchFlags& flags, Console& console) {
  const StoredRun run = chosen(flags.run);
  Screen screen(console);
  Snapshot now = read(run);
  const std::string at_first = now.run.state;
  for (;; now = read(run)) {
    screen.show(now);
    if (now.run.state != "running") break;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  Json document = to_json(now.run);
  document["history"] = records::to_json(now.history);
  console.document(document);
  if (!console.result_area() && now.run.state != at_first)
    console.result(fmt::format("{}\n", now.run.state));
  return 0;
}

}  // namespace

void add_runs_watch(Commands& commands, Command group) {
  const auto flags = std::make_shared<RunsWatchFlags>();
  Command command =
      commands.add(group, "watch", "Follow a run to its end: curves on a terminal, else its epochs",
                   [flags](Console& console) { return watch(*flags, console); });
  command.text("RUN", flags->run, "Its folder or name; by default the latest that is running",
               "RUN");
}

}  // namespace fovea::cli
