#include "fovea/report/report.h"

#include <algorithm>

#include <fmt/format.h>

#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/registry.h"
#include "fovea/report/sections.h"

namespace fovea::report {
namespace {

constexpr size_t picture_budget = size_t{2200} << 10;

RunContents read_run(const std::filesystem::path& folder) {
  RunContents run{.folder = folder,
                  .state = {},
                  .record = records::read_record(folder),
                  .history = records::read_history(folder)};
  run.state = records::state_of(folder, run.record.status);
  return run;
}

/// The first sample as one input of the net, for pictures of its layers.
Array first_input(const data::Dataset& samples) {
  const Array input = samples.sample(0).input;
  return input.reshaped(Shape{1}.concat(input.shape()));
}

/// The test set as the model counts its classes. Errors: usage when its targets are others.
std::shared_ptr<const data::Dataset> test_set(const Predictor& predictor, const std::string& data) {
  const data::DataSets sets = tasks::sets_for(predictor.task().name(), data::open(data));
  const data::Targets& own = predictor.task().targets();
  if (own.type == sets.targets().type && own.names == sets.targets().names) return sets.test;
  if (own.type == data::class_targets({}).type)
    return std::make_shared<data::Renumbered>(sets.test, own.names);
  throw Error(ErrorKind::usage, fmt::format("the data set {} has other targets now", data));
}

/// The model measured on the test set.
Results test_results(Predictor& predictor, const std::string& data, const Options& options) {
  EvaluateOptions evaluating{.stop = options.stop};
  if (options.progress) {
    evaluating.progress = [&](int64_t done, int64_t all) {
      options.progress(static_cast<double>(done) / static_cast<double>(all),
                       fmt::format("report: {} of {} samples", grouped(done), grouped(all)));
    };
  }
  return evaluate(predictor, test_set(predictor, data), "test", evaluating);
}

/// The results of the test, whose samples are returned; null if they cannot be read, or there are
/// none.
std::shared_ptr<const data::Dataset> add_test(Page& page, Predictor& predictor,
                                              const RunContents& run, int64_t examples,
                                              const Options& options) {
  try {
    const Results results = options.tested != nullptr
                                ? *options.tested
                                : test_results(predictor, run.record.data, options);
    if (results.samples->size() == 0 || options.stop.stop_requested()) return nullptr;
    const Measured measured = describe(predictor, results, examples, options.stop);
    add_results(page, measured);
    add_examples(page, measured);
    return results.samples;
  } catch (const Error& error) {
    page.section("Results");
    page.note(fmt::format("The model was not measured: {}", error.headline()));
    return nullptr;
  }
}

/// Sections that need the model and the data. What cannot be read is said on the page.
void add_model_sections(Page& page, const RunContents& run, int64_t examples,
                        const Options& options) {
  const std::filesystem::path file = run.folder / "best.safetensors";
  try {
    Predictor predictor(file);
    const auto samples = add_test(page, predictor, run, examples, options);
    if (options.stop.stop_requested()) return;
    if (samples != nullptr) {
      const Array input = first_input(*samples);
      add_insides(page, predictor, &input);
    } else {
      add_insides(page, predictor, nullptr);
    }
  } catch (const Error& error) {
    page.section("Model");
    page.note(fmt::format("The model is not shown: {}", error.headline()));
  }
}

void add_run(Page& page, const RunContents& run, int64_t examples, bool alone,
             const Options& options) {
  if (alone) add_curves(page, {run});
  add_batches(page, run);
  add_model_sections(page, run, examples, options);
  add_settings(page, run);
  add_timings(page, run);
  if (!run.record.sessions.empty()) add_environment(page, run.record.sessions.back().environment);
  add_commands(page, run);
}

}  // namespace

std::string run_report(const std::vector<std::filesystem::path>& folders, const Options& options) {
  std::vector<RunContents> runs;
  for (const std::filesystem::path& folder : folders) runs.push_back(read_run(folder));
  if (runs.empty()) throw Error(ErrorKind::usage, "report: no run is given");
  constexpr int64_t examples = 12;
  if (runs.size() == 1) {
    Page page(runs[0].name(), fmt::format("{} on {}", runs[0].record.model, runs[0].record.data),
              picture_budget);
    add_summary(page, runs[0]);
    add_run(page, runs[0], examples, true, options);
    return options.stop.stop_requested() ? "" : std::move(page).document();
  }
  std::vector<std::string> names;
  for (const RunContents& run : runs) names.push_back(run.name());
  Page page(fmt::format("{} runs compared", runs.size()), join(names), picture_budget, runs.size());
  add_comparison(page, runs);
  add_curves(page, runs);
  for (const RunContents& run : runs) {
    page.divider(run.name());
    add_summary(page, run);
    if (options.stop.stop_requested()) return "";
    add_run(page, run, std::max<int64_t>(examples / std::ssize(runs), 2), false, options);
  }
  return std::move(page).document();
}

std::string evaluation_report(Predictor& predictor, const Measured& measured,
                              const data::Dataset& samples, const Evaluated& what) {
  Page page(what.model, fmt::format("measured on {}", what.data), picture_budget);
  add_results(page, measured);
  add_examples(page, measured);
  if (samples.size() > 0) {
    const Array input = first_input(samples);
    add_insides(page, predictor, &input);
  }
  add_environment(page, records::this_environment(threads()));
  page.section("Command");
  page.code(what.command);
  return std::move(page).document();
}

}  // namespace fovea::report
