#pragma once

#include <filesystem>
#include <vector>

#include "console.h"
#include "fovea/report/measured.h"

namespace fovea::cli {

/// Writes the report of these runs; returns its size in bytes, 0 if a signal asked to stop before
/// it was written. `tested`: of the only run, where it was just tested. Errors: as
/// report::run_report; io.
size_t write_report(const std::vector<std::filesystem::path>& runs,
                    const std::filesystem::path& out, Console& console,
                    const report::Results* tested = nullptr);

}  // namespace fovea::cli
