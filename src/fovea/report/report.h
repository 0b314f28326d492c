#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fovea/report/measured.h"

namespace fovea::report {

/// Reports: HTML pages of one file, below 3 MB, that open without a network, with everything that
/// is known of a run or an evaluation. They can be used by keyboard and screen reader, adapt to
/// light and dark, and to the size of the screen.

struct Options {
  /// Called with what is being done and its share from 0 to 1.
  std::function<void(double share, const std::string& what)> progress = nullptr;
  /// The test of the only run's best model, where it was just measured; else it is measured.
  const Results* tested = nullptr;
  std::stop_token stop = {};  ///< ends the work early: then the page is ""
};

/// The report of a run, from its folder: what its files hold, and its best model measured on the
/// test set, if both can be read; else the page says why not. With several runs they are compared
/// first. Errors: data when a folder holds no run.
std::string run_report(const std::vector<std::filesystem::path>& runs, const Options& options = {});

/// What an evaluation's report shows besides its measurements.
struct Evaluated {
  std::string model, data, command;
};
/// The report of a model on a split. `samples` is the split that was measured, for the picture of
/// what its layers compute. Errors: as the functions of explain/.
std::string evaluation_report(Predictor& predictor, const Measured& measured,
                              const data::Dataset& samples, const Evaluated& what);

}  // namespace fovea::report
