#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "commands.h"
#include "fovea/draw/chart.h"
#include "fovea/draw/terminal_chart.h"
#include "fovea/train/lr_range.h"
#include "fovea/train/precision.h"
#include "settings_flags.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct LrFindFlags {
  SettingsFlags settings;
  double from = 1e-6, to = 10;
  int64_t steps = 100;
  std::string out;
};

draw::Chart chart_of(const train::LrRange& range) {
  draw::Series loss{.name = "loss of the batch", .color = draw::faint};
  draw::Series smoothed{.name = "smoothed", .color = draw::series_color(0)};
  for (const train::RangePoint& point : range.curve) {
    loss.x.push_back(point.lr);
    loss.y.push_back(point.loss);
    smoothed.x.push_back(point.lr);
    smoothed.y.push_back(point.smoothed);
  }
  draw::Lines lines{.series = {loss, smoothed},
                    .x_label = "learning rate",
                    .y_label = "loss",
                    .x_scale = draw::AxisScale::log};
  // A loss that is about to explode would leave no space for the rest.
  const double high = *std::ranges::max_element(smoothed.y),
               low = *std::ranges::min_element(loss.y);
  lines.y_range = draw::Range{low - 0.05 * (high - low), high + 0.05 * (high - low)};
  if (range.suggested) {
    const auto at =
        std::ranges::lower_bound(range.curve, *range.suggested, {}, &train::RangePoint::lr);
    lines.series.push_back({.name = fmt::format("suggested: {:.2g}", *range.suggested),
                            .x = {at->lr},
                            .y = {at->smoothed},
                            .color = draw::series_color(1),
                            .points = true});
  }
  return {.title = "learning rate range test",
          .panels = {{"", lines}},
          .panel_width = 560,
          .panel_height = 300};
}

int run(const LrFindFlags& flags, Console& console) {
  train::Setup setup(flags.settings.for_trial(console));
  if (setup.settings.precision == "auto") console.note(train::choose_precision(setup).note);
  train::Experiment experiment(setup);
  train::RangeOptions options{.from = flags.from, .to = flags.to, .steps = flags.steps};
  options.stop = stop_token();
  options.progress = [&](int64_t done, int64_t all) {
    console.status(static_cast<double>(done) / static_cast<double>(all), "range test");
  };
  const train::LrRange range = train::lr_range(experiment, options);
  Json curve = Json::array();
  for (const train::RangePoint& point : range.curve)
    curve.push_back({{"lr", point.lr}, {"loss", point.loss}, {"smoothed", point.smoothed}});
  if (range.curve.empty())
    throw Error(ErrorKind::diverged, "lr-find: the loss is not finite at the lowest rate")
        .with("rate", fmt::format("{:.3g}", flags.from))
        .with("try", "fovea doctor with the same flags");
  const draw::Chart chart = chart_of(range);
  if (!flags.out.empty()) draw::write_chart(flags.out, chart);
  const auto number = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json document{{"suggested", number(range.suggested)},
                {"diverged", number(range.diverged)},
                {"optimizer", setup.settings.optimizer},
                {"batch", setup.settings.batch},
                {"curve", curve}};
  if (!flags.out.empty()) document["out"] = flags.out;
  console.document(document);
  if (const auto area = console.result_area())
    console.result(draw::terminal_chart(chart, area->size.columns - 1, 10, area->colors) + "\n");
  std::string text = range.suggested
                         ? fmt::format("suggested  {:.2g}\n", *range.suggested)
                         : std::string("suggested  none: the loss did not fall at any rate\n");
  text += range.diverged ? fmt::format("diverged   at {:.2g}\n", *range.diverged)
                         : fmt::format("diverged   not up to {:.2g}\n", flags.to);
  if (!flags.out.empty()) text += fmt::format("curve      {}\n", flags.out);
  console.result(text);
  return 0;
}

}  // namespace

void add_lr_find(Commands& commands) {
  const auto flags = std::make_shared<LrFindFlags>();
  Command command = commands.add(
      commands.root(), "lr-find",
      "Suggest a learning rate by a range test: it grows from batch to batch until the loss "
      "explodes; takes train's settings, and changes nothing",
      [flags](Console& console) { return run(*flags, console); });
  flags->settings.add(command);
  command.number("--from", flags->from, "The first learning rate", 1e-12, 1e6);
  command.number("--to", flags->to, "The last learning rate", 1e-12, 1e6);
  command.count("--steps", flags->steps, "Batches to train on", 10, 100000);
  command.text("--out", flags->out, "Draw the curve", "FILE.png|.svg");
}

}  // namespace fovea::cli
