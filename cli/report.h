#pragma once

#include <filesystem>
#include <vector>

#include "console.h"

namespace fovea::cli {

/// Writes the report of these runs; returns its size in bytes. Errors: as report::run_report; io.
size_t write_report(const std::vector<std::filesystem::path>& runs,
                    const std::filesystem::path& out, Console& console);

}  // namespace fovea::cli
