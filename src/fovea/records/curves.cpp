#include "fovea/records/curves.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea::records {
namespace {

/// How many letters all names begin with, up to a dash: for "a-001" and "a-002" it is 2.
size_t common_beginning(const std::vector<NamedHistory>& runs) {
  size_t length = runs[0].name.rfind('-') + 1;  // 0 if there is none
  for (const NamedHistory& run : runs) {
    while (length > 0 && run.name.substr(0, length) != runs[0].name.substr(0, length))
      length = length > 1 ? runs[0].name.rfind('-', length - 2) + 1 : 0;
  }
  return length;
}

draw::Series series(const NamedHistory& run, const std::string& name) {
  draw::Series line{.name = name};
  for (const train::EpochRecord& record : run.history) {
    const std::optional<double> value =
        name == "lr" ? record.lr : tasks::find(record.numbers, name);
    if (!value) continue;
    line.x.push_back(static_cast<double>(record.epoch));
    line.y.push_back(*value);
  }
  line.points = line.x.size() < 12;
  return line;
}

/// Curves of these numbers of all runs; a run has one colour, its first number is dashed.
draw::Panel panel(const std::string& title, const std::vector<NamedHistory>& runs,
                  const std::vector<std::string>& names) {
  draw::Lines lines{.x_label = "epoch", .whole_x = true};
  const size_t common = runs.size() > 1 ? common_beginning(runs) : 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const std::string& name : names) {
      draw::Series line = series(runs[i], name);
      if (line.x.empty()) continue;
      if (runs.size() > 1) {
        line.color = draw::series_color(i);
        line.dashed = names.size() > 1 && name == names[0];
        line.name = fmt::format("{} {}", runs[i].name.substr(common), name);
      }
      lines.series.push_back(std::move(line));
    }
  }
  return {title, std::move(lines)};
}

}  // namespace

draw::Chart curves(const std::vector<NamedHistory>& runs, const std::string& metric) {
  const bool other = metric.starts_with("val_") && metric != "val_loss";
  const std::string name = metric.substr(std::min<size_t>(4, metric.size()));
  draw::Chart chart;
  if (runs.size() == 1) chart.title = runs[0].name;
  chart.panels.push_back(panel("loss", runs, {"train_loss", "val_loss"}));
  chart.panels.push_back(other ? panel(name, runs, {"train_" + name, metric})
                               : panel("learning rate", runs, {"lr"}));
  return chart;
}

draw::Chart live_curves(const std::vector<train::EpochRecord>& history, const std::string& metric,
                        draw::Series batch_losses) {
  draw::Chart chart = curves({{"", history}}, metric);
  const double last = history.empty() ? 0 : static_cast<double>(history.back().epoch);
  for (draw::Panel& panel : chart.panels) {
    auto& lines = std::get<draw::Lines>(panel.content);
    lines.x_range =
        draw::Range{0, std::max(last, batch_losses.x.empty() ? 0 : batch_losses.x.back())};
    for (size_t i = 0; i < lines.series.size(); ++i) lines.series[i].color = draw::series_color(i);
  }
  batch_losses.name = "batch";
  batch_losses.color = draw::faint;
  auto& losses = std::get<draw::Lines>(chart.panels[0].content).series;
  losses.insert(losses.begin(), std::move(batch_losses));  // below the others
  return chart;
}

void write_curves(const std::filesystem::path& file, const std::vector<NamedHistory>& runs,
                  const std::string& metric) {
  if (std::ranges::all_of(runs, [](const NamedHistory& run) { return run.history.empty(); }))
    throw Error(ErrorKind::usage, "curves: no epoch is complete yet");
  draw::write_chart(file, curves(runs, metric));
}

}  // namespace fovea::records
