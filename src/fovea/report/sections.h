#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/records/record.h"
#include "fovea/records/store.h"
#include "fovea/report/html.h"
#include "fovea/report/measured.h"

/// The sections of reports, one function each: they add to a page what they are given.
namespace fovea::report {

// evaluation_sections.cpp: of a model measured on a split.
void add_results(Page& page, const Measured& measured);
void add_examples(Page& page, const Measured& measured);
/// The filters of the first convolution, and what layers compute for `example`, if it has pixels.
void add_insides(Page& page, Predictor& predictor, const Array* example);
void add_environment(Page& page, const records::Environment& environment);

/// A run, read from its folder.
struct RunContents {
  std::filesystem::path folder;
  std::string state;
  records::Record record;
  std::vector<train::EpochRecord> history;

  std::string name() const { return folder.filename().string(); }
};

// run_sections.cpp: of one run, or of several compared.
void add_summary(Page& page, const RunContents& run);
void add_comparison(Page& page, const std::vector<RunContents>& runs);
/// All numbers of the epochs: loss, each metric, learning rate, images per second.
void add_curves(Page& page, const std::vector<RunContents>& runs);
void add_settings(Page& page, const RunContents& run);
void add_batches(Page& page, const RunContents& run);
void add_timings(Page& page, const RunContents& run);
void add_commands(Page& page, const RunContents& run);

/// "0.9312", "12,345", "-" for none.
std::string number_text(const std::optional<double>& value);
/// "1:02:03", "0:07".
std::string time_text(double seconds);
/// "1.5 GiB".
std::string memory_text(int64_t bytes);

}  // namespace fovea::report
